//! The time that a request has. It goes with the task and not through arguments.

use std::cell::Cell;
use std::time::Duration;

use super::StoreError;

tokio::task_local! {
    pub(super) static BUDGET: Budget;
}

/// What a request has, and when that ends on the clock's ticks.
pub(super) struct Budget {
    pub(super) whole: Duration,
    pub(super) end: Cell<Duration>,
    pub(super) fences: Cell<bool>,
}

/// When work must end, on the clock's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub(super) Duration);

/// The time of a request ended before others let its change happen. The change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("others changed the same things until the deadline, through {attempts} attempts")]
pub struct DeadlineExceeded {
    /// How often it was tried.
    pub attempts: u32,
}

impl From<DeadlineExceeded> for StoreError {
    fn from(error: DeadlineExceeded) -> Self {
        let DeadlineExceeded { attempts } = error;
        Self::Unavailable { operation: "TransactWriteItems", attempts, last: error.to_string() }
    }
}
