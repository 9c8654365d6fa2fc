//! Why a rule operation failed.

use http::StatusCode;
use serde_json::{Value, json};

use super::domain::{Rule, RuleId};
use crate::base::values::Invalid;
use crate::rules::run::{Run, RunId};
use crate::store::{CursorError, StoreError};
use crate::web::error::WebError;
use crate::web::problem::{IntoProblem, Problem};

/// Why a rule operation failed.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The rule does not exist.
    #[error("there is no rule {0}")]
    NotFound(RuleId),
    /// The run does not exist.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// The rule has changed. Contains the current rule.
    #[error("the rule has changed")]
    Conflict(Box<Rule>),
    /// The run has changed. Contains the current run.
    #[error("the run has changed")]
    RunConflict(Box<Run>),
    /// The run cannot be repeated, because it succeeded or was stopped deliberately.
    #[error("the run was done or stopped")]
    NotToRepeat,
    /// A field is inconsistent with others.
    #[error("{field}: {invalid}")]
    Validation {
        /// The field, as in JSON.
        field: &'static str,
        /// The reason.
        invalid: Invalid,
    },
    /// The maximum number of rules is reached.
    #[error("there are too many rules")]
    TooMany,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor belongs to another list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for RuleError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        let stale = |what: &'static str, fresh: Value| {
            let detail =
                "Nothing was written. `fresh` is as it is now; send the change again with its version.";
            Problem::new(S::CONFLICT, "conflict", what, detail).with("fresh", fresh)
        };
        match self {
            RuleError::NotFound(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such rule",
                "It was deleted, or never was.",
            ),
            RuleError::NoSuchRun(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such run",
                "It never was, or is forgotten by now: runs are kept for 30 days.",
            ),
            RuleError::Conflict(fresh) => stale("The rule has changed since it was read", json!(fresh)),
            RuleError::RunConflict(fresh) => stale("The run has changed since it was read", json!(fresh)),
            RuleError::NotToRepeat => Problem::new(
                S::UNPROCESSABLE_ENTITY,
                "not-to-repeat",
                "This run is not to be repeated",
                "It was done, or stopped because rules set each other off. Only runs that failed are run again.",
            ),
            RuleError::Validation { field, invalid } => WebError::field(field, &invalid).into_problem(),
            RuleError::TooMany => Problem::new(
                S::UNPROCESSABLE_ENTITY,
                "too-many-rules",
                "There are too many rules",
                "There may be 100. Delete one that is not needed, or join two into one.",
            ),
            RuleError::KeyOfAnotherRequest => Problem::key_reused(),
            RuleError::Cursor(error) => error.into_problem(),
            RuleError::Store(error) => error.into_problem(),
        }
    }
}
