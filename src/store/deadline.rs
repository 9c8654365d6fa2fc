//! One request, one deadline: every attempt of every call and every loop of a request ends by it.
//!
//! The deadline belongs to the task and is not an argument. Work outside of a request (the stream, a sweep, a command)
//! has no deadline. There, each call and each loop gets the time of a whole request.

use std::cell::Cell;
use std::time::Duration;

use super::Dynamo;
use super::budget::{BUDGET, Budget, Deadline, DeadlineExceeded};

impl Dynamo {
    /// Runs the work of one request within the configured time, or within `left` if that is less.
    pub async fn within<F: Future>(&self, left: Option<Duration>, work: F) -> F::Output {
        let whole = left.map_or(self.policy.request, |left| left.min(self.policy.request));
        let end = Cell::new(self.clock.ticks().saturating_add(whole));
        BUDGET.scope(Budget { whole, end, fences: Cell::new(false) }, work).await
    }

    /// Runs work that may take this much of the request's time at most.
    pub async fn at_most<F: Future>(&self, time: Duration, work: F) -> F::Output {
        let now = self.clock.ticks();
        let left = self.deadline().0.saturating_sub(now);
        self.within(Some(left.min(time)), work).await
    }

    /// Restarts the request's time, because the time that a client takes to send the body does not count.
    pub fn restart_deadline(&self) {
        // This fails outside of a request, where there is no deadline.
        let _ = BUDGET.try_with(|budget| budget.end.set(self.clock.ticks().saturating_add(budget.whole)));
    }

    /// Adds a record to every write of this request, so that its outcome can always be found. Requests from pages use
    /// this, because a person cannot look up an unknown outcome.
    pub fn fence_writes(&self) {
        let _ = BUDGET.try_with(|budget| budget.fences.set(true));
    }

    pub(super) fn fences_writes(&self) -> bool {
        BUDGET.try_with(|budget| budget.fences.get()).unwrap_or(false)
    }

    /// Returns the deadline of the current work: the request's, or a whole request's time from now.
    pub(super) fn deadline(&self) -> Deadline {
        let of_request = BUDGET.try_with(|budget| budget.end.get());
        Deadline(of_request.unwrap_or_else(|_| self.clock.ticks().saturating_add(self.policy.request)))
    }

    /// Returns the deadline for the attempts of a write. It leaves time to find the outcome of an unanswered attempt.
    pub(super) fn deadline_of_write(&self) -> Deadline {
        Deadline(self.deadline().0.saturating_sub(self.reserve()))
    }

    fn reserve(&self) -> Duration {
        let whole = BUDGET.try_with(|budget| budget.whole);
        self.policy.reserve_of(whole.unwrap_or(self.policy.request))
    }

    /// Returns the time left until a deadline, or zero after it.
    pub(super) fn left(&self, deadline: Deadline) -> Duration {
        deadline.0.saturating_sub(self.clock.ticks())
    }

    /// Whether the time left for writes is shorter than the reserve after it. It is then too short for work of many
    /// steps.
    pub fn time_is_short(&self) -> bool {
        self.left(self.deadline_of_write()) < self.reserve()
    }

    /// Starts the attempts of a change that other changes can prevent.
    pub fn retries(&self) -> Retries<'_> {
        Retries { dynamo: self, attempts: 0, deadline: self.deadline_of_write() }
    }
}

/// The attempts of a change that other changes at the same time can prevent.
#[derive(Debug)]
pub struct Retries<'a> {
    dynamo: &'a Dynamo,
    attempts: u32,
    deadline: Deadline,
}

impl Retries<'_> {
    /// Returns how many attempts have failed.
    pub fn failed(&self) -> u32 {
        self.attempts
    }

    /// Waits before the next attempt, with full jitter.
    ///
    /// # Errors
    /// [`DeadlineExceeded`] if the wait would reach the deadline.
    pub async fn backoff(&mut self) -> Result<(), DeadlineExceeded> {
        self.attempts = self.attempts.saturating_add(1);
        let wait = self.dynamo.contention_wait(self.attempts);
        if wait >= self.dynamo.left(self.deadline) {
            return Err(DeadlineExceeded { attempts: self.attempts });
        }
        self.dynamo.sleep(wait).await;
        Ok(())
    }
}
