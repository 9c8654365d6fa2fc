//! How long a call is tried again, and what is left of one that was given up.

use std::time::Duration;

use super::StoreError;

/// How long a request may take, and an attempt of a call.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// One attempt of one call.
    pub attempt: Duration,
    /// One request with all its calls, their attempts, and the waits between them.
    pub request: Duration,
    /// The end of a request's time, in which a write is not tried again: it is for finding out what became of an attempt
    /// that was not answered.
    pub reserve: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new(Duration::from_secs(3), Duration::from_secs(20))
    }
}

impl RetryPolicy {
    /// So long for an attempt and for a request, whose reserve is an attempt, or a quarter of the request.
    pub fn new(attempt: Duration, request: Duration) -> Self {
        Self { attempt, request, reserve: attempt.min(request / 4) }
    }

    /// The reserve of a request that has so much time.
    pub(super) fn reserve_of(&self, budget: Duration) -> Duration {
        if budget < self.request { self.reserve.min(budget / 4) } else { self.reserve }
    }

    /// The least time that an attempt is begun with. In less it is seldom answered, and then its outcome is unknown.
    pub(super) fn shortest_attempt(&self) -> Duration {
        (self.attempt / 4).min(self.request / 10)
    }
}

/// A call was given up: its time ended before an attempt succeeded.
#[derive(Debug)]
pub(super) struct GaveUp {
    pub(super) operation: &'static str,
    pub(super) attempts: u32,
    pub(super) last: String,
    /// Whether an attempt was sent and not answered, so that it may have happened or may still happen.
    pub(super) unanswered: bool,
}

impl From<GaveUp> for StoreError {
    fn from(GaveUp { operation, attempts, last, .. }: GaveUp) -> Self {
        Self::Unavailable { operation, attempts, last }
    }
}
