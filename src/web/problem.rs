//! Problems: failures in the form that clients see, and the trait that converts each feature's error to one.
//!
//! Unknown failures are logged once with their cause. The client sees no details of them.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::base::fields::FieldError;
use crate::base::telemetry::metrics;
use crate::store::idempotency::KeyReused;
use crate::store::{CursorError, StoreError, WriteError};

/// An error that clients can see. Each feature's error implements it, so `?` converts it to a [`Problem`].
pub trait IntoProblem: std::error::Error {
    /// Converts the error to a problem. It logs unknown failures once.
    fn into_problem(self) -> Problem;
}

impl<E: IntoProblem> From<E> for Problem {
    fn from(error: E) -> Self {
        error.into_problem()
    }
}

/// The name of the problem of a write that may have happened.
pub const OUTCOME_UNKNOWN: &str = "outcome-unknown";

/// Its title.
pub const NOT_CONFIRMED: &str = "We couldn't confirm this change";

/// Says how to go on after a write that may have happened: what a repetition does, and how to find out.
pub fn how_to_repeat(has_key: bool) -> &'static str {
    if has_key {
        "Send it again with the same Idempotency-Key; it won't be done twice."
    } else {
        "Check the current data before you try again, or it may be done twice."
    }
}

/// A failure in the form that clients see.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    /// The seconds after which a retry may help, if the status alone does not imply them.
    retry_after: Option<u64>,
}

impl Problem {
    /// Creates a problem with its status, name (the end of its `type`), title and detail.
    pub fn new(
        status: StatusCode,
        name: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, name, title, detail: detail.into(), more: Map::new(), retry_after: None }
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// Sets the seconds after which a retry may help.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Creates the problem of an idempotency key that belongs to another request.
    pub fn key_reused() -> Problem {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "This Idempotency-Key was used for another request",
            "A key can repeat only the same request: method, address, precondition, and body. Use a new key for another request.",
        )
    }

    /// Creates the problem of too much contention or a slow store: a retry may help.
    pub fn busy(detail: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy right now", detail)
    }

    /// Creates the problem of a write that may have happened.
    pub fn outcome_unknown() -> Problem {
        Self::may_have_happened(false)
    }

    fn may_have_happened(has_key: bool) -> Problem {
        let words = "The database didn't answer in time, so the change may have been saved.";
        let detail = format!("{words} {}", how_to_repeat(has_key));
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, OUTCOME_UNKNOWN, NOT_CONFIRMED, detail)
    }

    /// Adapts the advice to a request with an idempotency key, which is safe to repeat.
    #[must_use]
    pub fn of_keyed_request(self) -> Problem {
        if self.name == OUTCOME_UNKNOWN { Self::may_have_happened(true) } else { self }
    }

    /// Logs an unexpected error with its cause, and creates a problem without details.
    pub fn unknown(error: &dyn std::error::Error) -> Problem {
        tracing::error!(%error, "a request failed");
        Self::internal()
    }

    pub(super) fn internal() -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong",
            "The error was logged. Try again in a moment.",
        )
    }

    pub(super) fn invalid(fields: &[FieldError]) -> Problem {
        let errors: Vec<Value> =
            fields.iter().map(|error| json!({ "field": error.field, "message": error.message })).collect();
        let detail: Vec<String> =
            fields.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "Some fields need attention",
            detail.join(" "),
        )
        .with("errors", errors.into())
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the name: the end of its `type`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the title.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Returns the detail: what is wrong, where, and what would be right.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the seconds after which a retry may help, if the status alone does not imply them.
    pub fn seconds(&self) -> Option<u64> {
        self.retry_after
    }

    /// Returns title and detail in one line, for plain-text answers.
    pub fn words(&self) -> String {
        format!("{}. {}", self.title, self.detail)
    }

    pub(super) fn document(&self) -> Value {
        let mut document = Map::from_iter([
            ("type".to_owned(), format!("urn:holdfast:problem:{}", self.name).into()),
            ("title".to_owned(), self.title.into()),
            ("status".to_owned(), self.status.as_u16().into()),
            ("detail".to_owned(), self.detail.clone().into()),
        ]);
        document.extend(self.more.clone());
        Value::Object(document)
    }
}

/// Answers with only the status. The layer [`present()`](super::present::present) adds the rest.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        metrics::problem(self.name);
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoProblem for StoreError {
    fn into_problem(self) -> Problem {
        match &self {
            Self::Unavailable { .. } => {
                tracing::warn!(error = %self, "the store is unavailable");
                Problem::busy("The database didn't answer in time. Nothing was saved; try again in a moment.")
            }
            Self::OutcomeUnknown { .. } => {
                tracing::warn!(error = %self, "the outcome of a write is unknown");
                Problem::outcome_unknown()
            }
            Self::Full { .. } => {
                tracing::error!(error = %self, "the disk is full; free some space, no restart is needed");
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "disk-full",
                    "The disk is full",
                    "Free some space on the disk with Holdfast's data, then try again. No restart is needed.",
                )
            }
            _ => Problem::unknown(&self),
        }
    }
}

impl IntoProblem for CursorError {
    fn into_problem(self) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad-cursor", "The cursor can't be used", self.to_string())
    }
}

impl IntoProblem for KeyReused {
    fn into_problem(self) -> Problem {
        Problem::key_reused()
    }
}

impl IntoProblem for WriteError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Store(error) => error.into_problem(),
            Self::Refused(refusal) => {
                tracing::error!(?refusal, "no rule explains the refusal of a write");
                Problem::internal()
            }
        }
    }
}
