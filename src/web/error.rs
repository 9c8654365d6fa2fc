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
    #[error("{} fields need attention", .0.len())]
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
    /// No page or route has this address.
    #[error("no page or route has this address")]
    NotFound,
    /// No page or route has this address, because it contains an invalid id.
    #[error("no page or route has this address: {0}")]
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

impl IntoProblem for WebError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Malformed(detail) => {
                Problem::new(StatusCode::BAD_REQUEST, "malformed", "The request can't be read", detail)
            }
            Self::Invalid(fields) => Problem::invalid(&fields),
            Self::MediaType(expected) => media_type(expected),
            Self::TooLong => too_long(),
            Self::VersionMissing => version_missing(),
            Self::KeyReused(_) => Problem::key_reused(),
            Self::NotFound => not_found("Check the address. The page may have been deleted."),
            Self::NoSuchId(invalid) => not_found(invalid.to_string()),
            Self::Method => method(),
            Self::SignInNeeded => sign_in_needed(),
            Self::Forbidden(access, role) => forbidden("forbidden", needed(access), who_may(access, role)),
            Self::CrossSite => forbidden(
                "cross-site",
                "This request came from another site",
                "Open Holdfast and try again there. Programs send a token, or their Origin with a session.",
            ),
            Self::PastProxy => forbidden(
                "wrong-address",
                "Holdfast isn't available at this address",
                "Use its public address. Ask its administrator.",
            ),
            Self::Overloaded => {
                Problem::busy("Too many requests right now. Nothing was saved; try again in a moment.")
            }
            Self::Internal(_) => Problem::unknown(&self),
        }
    }
}

fn media_type(expected: &str) -> Problem {
    let detail = format!("Send {expected} and set Content-Type.");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Unsupported content type", detail)
}

fn too_long() -> Problem {
    let (title, detail) = ("The request is too large", "Send less at once.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", title, detail)
}

fn version_missing() -> Problem {
    let detail = "Send the version you last saw as the field `version` or the header If-Match.";
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "version-missing", "The version is missing", detail)
}

fn not_found(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "Page not found", detail)
}

fn method() -> Problem {
    let detail = "The Allow header lists the methods of this address.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", detail)
}

fn sign_in_needed() -> Problem {
    let detail = "Send a session or a token: Authorization: Bearer ….";
    Problem::new(StatusCode::UNAUTHORIZED, "sign-in", "Sign in to continue", detail)
}

fn forbidden(name: &'static str, title: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, name, title, detail)
}

/// Returns the title of the problem that a route requires more access than the sender has.
fn needed(access: Access) -> &'static str {
    match access {
        Access::Administrator => "You need administrator access",
        Access::Agent => "You need agent access",
        _ => "You need viewer access",
    }
}

/// Returns who may use a route, for a sender whose role may not.
fn who_may(access: Access, role: Role) -> &'static str {
    match (access, role) {
        (Access::Administrator, _) => "Ask an administrator to do it, or to change your role.",
        (Access::Agent, Role::Viewer) => "Viewers can only read. Ask an administrator for agent access.",
        (Access::Viewer, _) => "Ask an administrator for viewer access.",
        _ => "Ask an administrator for agent access.",
    }
}
