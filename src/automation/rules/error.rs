//! Why something about rules was not done.

use super::domain::{Rule, RuleId};
use super::runs::{Run, RunId};
use crate::dynamo::{CursorError, StoreError};
use crate::values::Invalid;

/// Why something about rules was not done.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// There is no such rule.
    #[error("there is no rule {0}")]
    NotFound(RuleId),
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// The rule has changed: this is it now.
    #[error("the rule has changed")]
    Conflict(Box<Rule>),
    /// The run has changed: this is it now.
    #[error("the run has changed")]
    RunConflict(Box<Run>),
    /// The run cannot be repeated: it was done, or stopped on purpose.
    #[error("the run was done or stopped")]
    NotToRepeat,
    /// A field does not fit the others.
    #[error("{field}: {invalid}")]
    Misfit {
        /// The field, as in JSON.
        field: &'static str,
        /// Why, in words.
        invalid: Invalid,
    },
    /// There are as many rules as there may be.
    #[error("there are too many rules")]
    TooMany,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor is none of this list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
