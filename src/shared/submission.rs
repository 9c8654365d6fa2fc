//! One extractor for a form that a person sends: the twin of [`Change`](crate::web::change::Change) for pages.

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use jiff::Timestamp;

use super::forms::RawForm;
use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::store::idempotency::{Idempotency, IdempotentRequest};
use crate::web::context::RequestContext;
use crate::web::error::WebError;
use crate::web::extract::FormData;
use crate::web::problem::Problem;
use crate::web::respond::no_content;

/// A form that a person sent.
#[derive(Debug)]
pub struct Submission {
    /// The fields.
    pub form: RawForm,
    /// Who sent it.
    pub who: SignedIn,
    path: String,
    now: Timestamp,
}

impl Submission {
    /// Returns the version of the record that the form shows.
    ///
    /// # Errors
    /// [`WebError::VersionMissing`] if there is none, or [`WebError::Invalid`] if it is not a version.
    pub fn version(&self) -> Result<Version, WebError> {
        self.form.version()
    }

    /// Returns the form as an idempotent request. It needs no key if it names the version that it changes.
    pub fn request(&self) -> IdempotentRequest {
        self.form.request(&self.path, &self.who, self.now)
    }

    /// Returns the form as an idempotent request, if it has a key. The typed text is part of the request, because a
    /// page that a browser restored sends an old key.
    pub fn request_by_key(&self) -> Option<IdempotentRequest> {
        self.form.get("key").filter(|key| !key.is_empty()).map(|_| self.request())
    }

    /// Returns the idempotency record that the change writes together with its effect. Its answer has no body, because
    /// a form that is sent again shows the current record.
    pub fn idempotency<T>(&self) -> Idempotency<'static, T> {
        Idempotency { request: self.request(), answer: &|_| no_content() }
    }
}

impl<S: Send + Sync> FromRequest<S> for Submission {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let who = SignedIn::from_request_parts(&mut parts, state).await?;
        let now = RequestContext::of(&parts.extensions)?.clock.now();
        let path = parts.uri.path().to_owned();
        let FormData(form) = FormData::from_request(Request::from_parts(parts, body), state).await?;
        Ok(Self { form, who, path, now })
    }
}
