//! What extractors and guards need of the application. A layer leaves it in each request's extensions.

use std::sync::Arc;

use axum::response::Response;
use futures_util::future::BoxFuture;
use http::{Extensions, HeaderMap, HeaderValue, header};

use super::error::WebError;
use super::problem::Problem;
use crate::base::clock::Clock;
use crate::base::identity::SignedIn;
use crate::store::Dynamo;

/// The store, the time, and what knows who sends a request.
#[derive(Clone)]
pub struct RequestContext {
    /// The table, whose deadline begins anew once a body has arrived.
    pub dynamo: Dynamo,
    /// The time.
    pub clock: Clock,
    /// Who sends a request.
    pub authenticator: Authenticator,
}

impl RequestContext {
    /// The context that the application's layer left in a request.
    ///
    /// # Errors
    /// [`WebError::Internal`] if the layer is missing.
    pub fn of(extensions: &Extensions) -> Result<&Self, WebError> {
        let missing = || WebError::Internal("a request has no context: a layer is missing".to_owned());
        extensions.get::<Self>().ok_or_else(missing)
    }
}

type Authenticate = dyn Fn(HeaderMap) -> BoxFuture<'static, Result<Option<Sender>, Problem>> + Send + Sync;

/// Knows who sends a request. The feature that owns accounts provides it.
#[derive(Clone)]
pub struct Authenticator(Arc<Authenticate>);

impl Authenticator {
    /// An authenticator that asks a function, which is given the headers of a request.
    pub fn from_fn<F>(authenticate: impl Fn(HeaderMap) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Option<Sender>, Problem>> + Send + 'static,
    {
        Self(Arc::new(move |headers| Box::pin(authenticate(headers))))
    }

    /// Who sends a request with these headers, if they say so.
    ///
    /// # Errors
    /// The problem with which the request is answered.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Sender>, Problem> {
        (self.0)(headers.clone()).await
    }
}

/// Who sends a request.
#[derive(Debug)]
pub struct Sender {
    /// The account.
    pub who: SignedIn,
    /// The cookies that the answer sets, if the session continues in new ones.
    pub renewal: Option<Renewal>,
}

/// A session in new cookies.
#[derive(Debug)]
pub struct Renewal {
    /// The name of the session's cookie.
    pub name: String,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<HeaderValue>,
}

impl Renewal {
    /// The answer with the cookies, unless it begins or ends a session by itself.
    pub fn with(self, mut response: Response) -> Response {
        let sets = |value: &HeaderValue| {
            let text = value.as_bytes();
            text.strip_prefix(self.name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
        };
        if !response.headers().get_all(header::SET_COOKIE).iter().any(sets) {
            for cookie in self.cookies {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        response
    }
}
