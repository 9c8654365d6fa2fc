//! Why a rule operation failed.

use http::StatusCode;

use super::domain::{Rule, RuleId};
use super::run::{Run, RunId};
use crate::base::values::Invalid;
use crate::shared::problems::{not_found, stale};
use crate::store::idempotency::KeyReused;
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
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The cursor belongs to another list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for RuleError {
    fn into_problem(self) -> Problem {
        match self {
            Self::NotFound(_) => not_found("Rule not found", "It was deleted or never existed."),
            Self::NoSuchRun(_) => {
                not_found("Run not found", "It never existed or expired. Runs are kept for 30 days.")
            }
            Self::Conflict(fresh) => stale("This rule has changed", &fresh),
            Self::RunConflict(fresh) => stale("This run has changed", &fresh),
            Self::NotToRepeat => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not-to-repeat",
                "This run can't be run again",
                "Only failed runs can be run again.",
            ),
            Self::Validation { field, invalid } => WebError::field(field, &invalid).into_problem(),
            Self::TooMany => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "too-many-rules",
                "Too many rules",
                "There can be at most 100. Delete one you don't need, or combine two.",
            ),
            Self::KeyReused(error) => error.into_problem(),
            Self::Cursor(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}
