//! Errors of requests that are independent of features.

use http::StatusCode;

use super::access::Access;
use super::problem::{IntoProblem, Problem};
use crate::base::fields::FieldError;
use crate::base::identity::Role;
use crate::base::values::Invalid;
use crate::store::idempotency::KeyReused;

/// An error of a request that is independent of features.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The request cannot be read: broken JSON, a malformed header or parameter.
    #[error("{0}")]
    Malformed(String),
    /// The request can be read, but fields have wrong values.
    #[error("{} fields are wrong", .0.len())]
    Invalid(Vec<FieldError>),
    /// The route reads another media type.
    #[error("the body must be {0}")]
    MediaType(&'static str),
    /// The body is longer than the route's limit.
    #[error("the body is too long")]
    TooLong,
    /// The change does not name the version that it expects.
    #[error("the change does not name the version that it expects")]
    VersionMissing,
    /// Nothing has this address.
    #[error("nothing has this address")]
    NotFound,
    /// Nothing has this address, because it contains an invalid id.
    #[error("nothing has this address: {0}")]
    NoSuchId(Invalid),
    /// The address does not support this method.
    #[error("this address does not support this method")]
    Method,
    /// The idempotency key was used for another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The route requires a signed-in sender.
    #[error("not signed in")]
    SignInNeeded,
    /// The sender's role may not use the route.
    #[error("the role may not use this route")]
    Forbidden(Access, Role),
    /// Another site sent the write.
    #[error("another site sent the write")]
    CrossSite,
    /// The request did not come through the proxy in front.
    #[error("the request did not come through the proxy")]
    PastProxy,
    /// The server has reached its limit of concurrent requests.
    #[error("too many concurrent requests")]
    Overloaded,
    /// A fault of the program, with details for the log.
    #[error("{0}")]
    Internal(String),
}

impl WebError {
    /// Creates the error of one wrong field.
    pub fn field(field: &str, invalid: &Invalid) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), message: invalid.to_string() }])
    }
}

/// Returns who may use a route, for a sender whose role may not.
fn who_may(access: Access, role: Role) -> &'static str {
    match (access, role) {
        (Access::Administrator, _) => "Only administrators may. Ask one of them.",
        (Access::Agent, Role::Viewer) => "Viewers only read. Ask an administrator for the role agent.",
        (Access::Viewer, _) => "Only viewers, agents and administrators may. Ask an administrator.",
        _ => "Only agents and administrators may. Ask an administrator.",
    }
}

impl IntoProblem for WebError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        match self {
            WebError::Malformed(detail) => {
                Problem::new(S::BAD_REQUEST, "malformed", "The request cannot be read", detail)
            }
            WebError::Invalid(fields) => Problem::invalid(&fields),
            WebError::MediaType(expected) => Problem::new(
                S::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The body is of another type",
                format!("Send {expected}, and say so in Content-Type."),
            ),
            WebError::TooLong => {
                Problem::new(S::PAYLOAD_TOO_LARGE, "too-long", "The body is too long", "Send less at once.")
            }
            WebError::VersionMissing => Problem::new(
                S::PRECONDITION_REQUIRED,
                "version-missing",
                "The change does not say which version it is of",
                "Send the version last seen, as the field `version` or the header If-Match.",
            ),
            WebError::NotFound => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is nothing here",
                "The address leads nowhere, or what stood here is gone.",
            ),
            WebError::NoSuchId(invalid) => {
                Problem::new(S::NOT_FOUND, "not-found", "There is nothing here", invalid.to_string())
            }
            WebError::Method => Problem::new(
                S::METHOD_NOT_ALLOWED,
                "method",
                "This address does not know this method",
                "The Allow header lists those that it knows.",
            ),
            WebError::SignInNeeded => Problem::new(
                S::UNAUTHORIZED,
                "sign-in",
                "Sign in first",
                "Send a session or a token: Authorization: Bearer ….",
            ),
            WebError::Forbidden(access, role) => {
                Problem::new(S::FORBIDDEN, "forbidden", "Your account may not do this", who_may(access, role))
            }
            WebError::CrossSite => Problem::new(
                S::FORBIDDEN,
                "cross-site",
                "This write came from another site",
                "Open Holdfast itself and try again there. A program sends a token, or its Origin with a session.",
            ),
            WebError::KeyReused(_) => Problem::key_reused(),
            WebError::PastProxy => Problem::new(
                S::FORBIDDEN,
                "wrong-address",
                "Holdfast is not opened at this address",
                "Open it at its public address, which its administrator knows.",
            ),
            WebError::Overloaded => Problem::busy(
                "Too many requests run at this moment. Nothing was done; trying again in a moment is safe.",
            ),
            WebError::Internal(_) => Problem::unknown(&self),
        }
    }
}
