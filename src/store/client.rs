//! The table at the end of a [`Line`], and the one place where a failure that passes by waiting is waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use futures_util::future::{Either, select};

use super::StoreError;
use super::budget::Deadline;
use super::forms::{FORMS, FormToWrite, Forms};
use super::line::{CallError, Line, Request};
use super::retry::{GaveUp, RetryPolicy};
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::tally;

/// The table, and what a call on it needs.
#[derive(Debug, Clone)]
pub struct Dynamo {
    line: Line,
    pub(super) table: Arc<str>,
    pub(super) sleep: SharedAsyncSleep,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) policy: RetryPolicy,
    pub(super) forms: &'static Forms,
    pub(super) form: Arc<FormToWrite>,
}

impl Dynamo {
    pub(super) const FIRST_WAIT: Duration = Duration::from_millis(25);
    /// The first wait on the embedded engine, where a competing transaction has ended by the time a write is refused.
    const FIRST_WAIT_IN_PROCESS: Duration = Duration::from_millis(1);
    const LONGEST_WAIT: Duration = Duration::from_secs(1);

    /// The table with this name at the end of a line.
    pub fn new(
        line: Line,
        table: impl Into<Arc<str>>,
        sleep: SharedAsyncSleep,
        clock: Clock,
        rng: Rng,
        policy: RetryPolicy,
    ) -> Self {
        let (forms, form) = (&FORMS, Arc::new(FORMS.at_first()));
        Self { line, table: table.into(), sleep, clock, rng, policy, forms, form }
    }

    /// The same table at the end of another line.
    #[must_use]
    pub fn over(self, line: Line) -> Self {
        Self { line, ..self }
    }

    /// The same table for a program that knows other forms.
    #[cfg(test)]
    pub(super) fn with_forms(self, forms: &'static Forms) -> Self {
        Self { forms, form: Arc::new(forms.at_first()), ..self }
    }

    /// The same table, by another policy.
    #[must_use]
    pub fn with_policy(self, policy: RetryPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Whether transactions on the same item cancel each other. If so, send them one after another.
    pub fn conflicts(&self) -> bool {
        self.line.conflicts()
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Calls until the answer is a success, a failure that waiting cannot mend (given back as the inner error), or the
    /// deadline has passed. Between two attempts it waits with full jitter.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] at the deadline.
    pub(super) async fn call<R: Request>(
        &self,
        request: &R,
    ) -> Result<Result<R::Output, CallError>, StoreError> {
        let attempt = |limit| self.attempt(request.clone(), limit);
        Ok(self.retry_until(self.deadline(), R::NAME, attempt, CallError::passes).await?)
    }

    /// One attempt, which is given up after `limit`.
    pub(super) async fn attempt<R: Request>(
        &self,
        request: R,
        limit: Duration,
    ) -> Result<R::Output, CallError> {
        let calling = pin!(self.line.call(request));
        match select(calling, self.sleep.sleep(limit)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                Err(CallError::NoAnswer(format!("no answer came within {} ms", limit.as_millis())))
            }
        }
    }

    /// Attempts of a call of another client until one succeeds, fails in a way that waiting cannot mend, or the deadline
    /// has passed.
    pub(super) async fn retry<T, F>(
        &self,
        operation: &'static str,
        mut attempt: impl FnMut() -> F,
        passes: impl Fn(&CallError) -> bool,
    ) -> Result<Result<T, CallError>, StoreError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        Ok(self.retry_until(self.deadline(), operation, |_| attempt(), passes).await?)
    }

    /// Attempts until one succeeds, fails in a way that waiting cannot mend, or the deadline has passed. Each is given the
    /// time that it may take.
    pub(super) async fn retry_until<T, F>(
        &self,
        deadline: Deadline,
        operation: &'static str,
        mut attempt: impl FnMut(Duration) -> F,
        passes: impl Fn(&CallError) -> bool,
    ) -> Result<Result<T, CallError>, GaveUp>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let last = "the time of the request was over".to_owned();
        let mut given_up = GaveUp { operation, attempts: 0, last, unanswered: false };
        loop {
            let left = self.left(deadline);
            if left < self.policy.shortest_attempt() {
                break;
            }
            given_up.attempts += 1;
            let error = match attempt(left.min(self.policy.attempt)).await {
                Err(error) if passes(&error) => error,
                answer => {
                    tally::call(given_up.attempts);
                    return Ok(answer);
                }
            };
            given_up.unanswered |= error.is_unanswered();
            given_up.last = error.to_string();
            let wait = self.jittered(Self::FIRST_WAIT, given_up.attempts);
            if wait >= self.left(deadline) {
                break;
            }
            let GaveUp { attempts, last, .. } = &given_up;
            tracing::debug!(operation, attempts, last, "a call is tried again");
            self.sleep.sleep(wait).await;
        }
        tally::call(given_up.attempts);
        Err(given_up)
    }

    /// The wait before something is tried again that others made impossible: short at first where the competing change
    /// has ended already.
    pub(super) fn wait_in_race(&self, attempts: u32) -> Duration {
        match self.conflicts() {
            true => self.jittered(Self::FIRST_WAIT, attempts.min(4)),
            false => self.jittered(Self::FIRST_WAIT_IN_PROCESS, attempts.min(8)),
        }
    }

    /// Waits, by the same sleep as everything here.
    pub async fn sleep(&self, time: Duration) {
        self.sleep.sleep(time).await;
    }

    /// A wait between nothing and a bound that doubles ("full jitter": Brooker, "Exponential Backoff And Jitter", AWS
    /// Architecture Blog, 2015).
    pub(super) fn jittered(&self, first: Duration, attempts: u32) -> Duration {
        let bound = first.saturating_mul(1 << attempts.min(16)).min(Self::LONGEST_WAIT);
        let random = u32::from_be_bytes(self.rng.bytes());
        bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}
