//! The time budget of a request. It belongs to the task and is not an argument.

use std::cell::Cell;
use std::time::Duration;

use super::StoreError;

tokio::task_local! {
    pub(super) static BUDGET: Budget;
}

pub(super) struct Budget {
    pub(super) whole: Duration,
    /// When the budget ends, in ticks of the clock.
    pub(super) end: Cell<Duration>,
    /// Whether each write of the request gets a record.
    pub(super) fences: Cell<bool>,
}

/// When work must end, in ticks of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub(super) Duration);

/// Other changes prevented the request's change until its deadline. The change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("other changes to the same records prevented this one until the deadline, in {attempts} attempts")]
pub struct DeadlineExceeded {
    /// The number of attempts.
    pub attempts: u32,
}

impl From<DeadlineExceeded> for StoreError {
    fn from(error: DeadlineExceeded) -> Self {
        let DeadlineExceeded { attempts } = error;
        Self::Unavailable { operation: "TransactWriteItems", attempts, last: error.to_string() }
    }
}
