//! The parts of the application that extractors and guards need. A layer inserts them into each request's extensions.

use std::sync::Arc;

use axum::response::Response;
use futures_util::future::BoxFuture;
use http::{Extensions, HeaderMap, HeaderValue, header};

use super::error::WebError;
use super::problem::Problem;
use crate::base::clock::Clock;
use crate::base::identity::SignedIn;
use crate::store::Dynamo;

/// The store, the clock, and the authenticator.
#[derive(Clone)]
pub struct RequestContext {
    /// The table. Its deadline restarts once a body has arrived.
    pub dynamo: Dynamo,
    /// The clock.
    pub clock: Clock,
    /// The authenticator of senders.
    pub authenticator: Arc<dyn Authenticate>,
}

impl RequestContext {
    /// Returns the context that the application's layer inserted into a request.
    ///
    /// # Errors
    /// [`WebError::Internal`] if the layer is missing.
    pub fn of(extensions: &Extensions) -> Result<&Self, WebError> {
        let missing = || WebError::Internal("a request has no context: a layer is missing".to_owned());
        extensions.get::<Self>().ok_or_else(missing)
    }
}

/// Identifies the sender of a request. The feature that owns accounts implements it.
pub trait Authenticate: Send + Sync {
    /// Returns the sender of a request with these headers, if it names one.
    ///
    /// # Errors
    /// The problem that answers the request.
    fn authenticate<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Result<Option<Sender>, Problem>>;
}

/// The sender of a request.
#[derive(Debug)]
pub struct Sender {
    /// The account.
    pub who: SignedIn,
    /// The cookies that the answer sets, if the session was renewed.
    pub renewal: Option<Renewal>,
}

/// A renewed session in new cookies.
#[derive(Debug)]
pub struct Renewal {
    /// The name of the session's cookie.
    pub name: String,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<HeaderValue>,
}

impl Renewal {
    /// Adds the cookies to the answer, unless the answer itself starts or ends a session.
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
