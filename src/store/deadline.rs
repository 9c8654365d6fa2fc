//! One request, one deadline: every attempt of every call and every loop of a request ends by it.
//!
//! The deadline goes with the task and not through arguments. Work outside of a request (the stream, a sweep, a command)
//! has none; there each call and each loop has the budget of a request for itself.

use std::cell::Cell;
use std::time::Duration;

use super::Dynamo;
use super::budget::{BUDGET, Budget, Deadline, DeadlineExceeded};

impl Dynamo {
    /// Does the work of one request within the time of the configuration, or within `left` if that is less.
    pub async fn within<F: Future>(&self, left: Option<Duration>, work: F) -> F::Output {
        let whole = left.map_or(self.policy.request, |left| left.min(self.policy.request));
        let end = Cell::new(self.clock.ticks().saturating_add(whole));
        BUDGET.scope(Budget { whole, end, fences: Cell::new(false) }, work).await
    }

    /// Gives the request its whole time again: what a client takes to send the body does not count.
    pub fn restart_deadline(&self) {
        // Outside of a request there is none.
        let _ = BUDGET.try_with(|budget| budget.end.set(self.clock.ticks().saturating_add(budget.whole)));
    }

    /// Has every write of this request put a record, so that its outcome can always be found out. Forms of pages ask for
    /// it: a person cannot be left to find out.
    pub fn fence_writes(&self) {
        let _ = BUDGET.try_with(|budget| budget.fences.set(true));
    }

    pub(super) fn fences_writes(&self) -> bool {
        BUDGET.try_with(|budget| budget.fences.get()).unwrap_or(false)
    }

    /// When the work of now must end: with its request, or after the time of one.
    pub(super) fn deadline(&self) -> Deadline {
        let of_request = BUDGET.try_with(|budget| budget.end.get());
        Deadline(of_request.unwrap_or_else(|_| self.clock.ticks().saturating_add(self.policy.request)))
    }

    /// When the attempts of a write must end: early enough to find out what became of one that was not answered.
    pub(super) fn deadline_of_write(&self) -> Deadline {
        Deadline(self.deadline().0.saturating_sub(self.reserve()))
    }

    fn reserve(&self) -> Duration {
        let whole = BUDGET.try_with(|budget| budget.whole);
        self.policy.reserve_of(whole.unwrap_or(self.policy.request))
    }

    /// How much time is left; none once it has passed.
    pub(super) fn left(&self, deadline: Deadline) -> Duration {
        deadline.0.saturating_sub(self.clock.ticks())
    }

    /// Whether no more than the last quarter of the time for writes is left: too little for work of many steps.
    pub fn time_is_short(&self) -> bool {
        self.left(self.deadline_of_write()) < self.reserve()
    }

    /// The attempts of something that others can make impossible.
    pub fn retries(&self) -> Retries<'_> {
        Retries { dynamo: self, attempts: 0, deadline: self.deadline_of_write() }
    }
}

/// The attempts of something that others can make impossible: a change of what they change at the same moment.
#[derive(Debug)]
pub struct Retries<'a> {
    dynamo: &'a Dynamo,
    attempts: u32,
    deadline: Deadline,
}

impl Retries<'_> {
    /// How many attempts have failed.
    pub fn failed(&self) -> u32 {
        self.attempts
    }

    /// Waits before the next attempt, with full jitter.
    ///
    /// # Errors
    /// [`DeadlineExceeded`] if no time would be left for it.
    pub async fn backoff(&mut self) -> Result<(), DeadlineExceeded> {
        self.attempts = self.attempts.saturating_add(1);
        let wait = self.dynamo.wait_in_race(self.attempts);
        if wait >= self.dynamo.left(self.deadline) {
            return Err(DeadlineExceeded { attempts: self.attempts });
        }
        self.dynamo.sleep(wait).await;
        Ok(())
    }
}
