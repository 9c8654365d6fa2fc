//! How long a call is retried, and the state of a call whose retries ended.

use std::time::Duration;

use super::StoreError;
use super::line::CallError;

/// How long a request and an attempt of a call may take.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The time limit of one attempt of one call.
    pub attempt: Duration,
    /// The time limit of one request with all its calls, their attempts, and the waits between them.
    pub request: Duration,
    /// The time at the end of a request in which writes are not retried. It is reserved for finding the outcome of an
    /// attempt that was not answered.
    pub reserve: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new(Duration::from_secs(3), Duration::from_secs(20))
    }
}

impl RetryPolicy {
    /// Creates a policy with these limits. The reserve is one attempt, or a quarter of the request if that is less.
    pub fn new(attempt: Duration, request: Duration) -> Self {
        Self { attempt, request, reserve: attempt.min(request / 4) }
    }

    /// Returns the reserve of a request with this budget.
    pub(super) fn reserve_of(&self, budget: Duration) -> Duration {
        if budget < self.request { self.reserve.min(budget / 4) } else { self.reserve }
    }

    /// Returns the least time in which an attempt starts. In less time it is seldom answered, and then its outcome is
    /// unknown.
    pub(super) fn shortest_attempt(&self) -> Duration {
        (self.attempt / 4).min(self.request / 10)
    }
}

/// The attempts of a call ended at the deadline without success.
#[derive(Debug)]
pub(super) struct RetriesExhausted {
    pub(super) operation: &'static str,
    pub(super) attempts: u32,
    pub(super) last: String,
    /// Whether an attempt was sent and not answered, so that it may have happened or may still happen.
    pub(super) unanswered: bool,
}

/// A call failed with an error that a retry cannot help.
#[derive(Debug)]
pub(super) struct FinalError {
    pub(super) error: CallError,
    pub(super) attempts: u32,
    /// Whether an earlier attempt was sent and not answered. The final error says nothing about that attempt.
    pub(super) unanswered: bool,
}

impl From<RetriesExhausted> for StoreError {
    fn from(RetriesExhausted { operation, attempts, last, .. }: RetriesExhausted) -> Self {
        Self::Unavailable { operation, attempts, last }
    }
}
