//! The table behind a [`Line`]. This is the only place that retries temporary failures.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use futures_util::future::{Either, select};

use super::StoreError;
use super::budget::Deadline;
use super::line::{CallError, Line, Request};
use super::retry::{FinalError, RetriesExhausted, RetryPolicy};
use super::schema_versions::{SCHEMA_VERSIONS, SchemaToWrite, SchemaVersions};
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::metrics;

/// The table, and everything that its calls need.
#[derive(Debug, Clone)]
pub struct Dynamo {
    line: Line,
    pub(super) table: Arc<str>,
    pub(super) sleep: SharedAsyncSleep,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) policy: RetryPolicy,
    pub(super) schema_versions: &'static SchemaVersions,
    pub(super) schema_to_write: Arc<SchemaToWrite>,
}

impl Dynamo {
    pub(super) const FIRST_WAIT: Duration = Duration::from_millis(25);
    /// The first wait on the embedded engine. There a competing transaction has ended by the time a write is refused.
    const FIRST_WAIT_IN_PROCESS: Duration = Duration::from_millis(1);
    const LONGEST_WAIT: Duration = Duration::from_secs(1);

    /// Creates the table with this name at the end of a line.
    pub fn new(
        line: Line,
        table: impl Into<Arc<str>>,
        sleep: SharedAsyncSleep,
        clock: Clock,
        rng: Rng,
        policy: RetryPolicy,
    ) -> Self {
        let schema_to_write = Arc::new(SCHEMA_VERSIONS.initial_schema_to_write());
        let schema_versions = &SCHEMA_VERSIONS;
        Self { line, table: table.into(), sleep, clock, rng, policy, schema_versions, schema_to_write }
    }

    /// Returns the same table at the end of another line.
    #[must_use]
    pub fn over(self, line: Line) -> Self {
        Self { line, ..self }
    }

    /// Returns the same table for a program that knows other schemas.
    #[cfg(test)]
    pub(super) fn with_schema_versions(self, schema_versions: &'static SchemaVersions) -> Self {
        Self { schema_versions, schema_to_write: Arc::new(schema_versions.initial_schema_to_write()), ..self }
    }

    /// Returns the same table with another retry policy.
    #[must_use]
    pub fn with_policy(self, policy: RetryPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Whether transactions on the same item cancel each other. If they do, send them one after another.
    pub fn conflicts(&self) -> bool {
        self.line.conflicts()
    }

    /// Returns the table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Repeats a call, with full jitter between attempts, until it succeeds or fails with an error that a retry cannot
    /// help (the inner error).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] at the deadline.
    pub(super) async fn call<R: Request>(
        &self,
        request: &R,
    ) -> Result<Result<R::Output, CallError>, StoreError> {
        let attempt = |limit| self.attempt(request.clone(), limit);
        let called = self.retry_until(self.deadline(), R::NAME, attempt, CallError::is_retryable).await?;
        Ok(called.map_err(|failed| failed.error))
    }

    /// Calls like [`call`](Self::call). An error that a retry cannot help is [`StoreError::Failed`].
    pub(super) async fn output<R: Request>(&self, request: &R) -> Result<R::Output, StoreError> {
        self.call(request).await?.map_err(|error| StoreError::failed(R::NAME, error))
    }

    /// Makes one attempt, which ends after `limit`.
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

    /// Repeats a call of another client in the same way.
    #[cfg(feature = "local")]
    pub(super) async fn retry<T, F>(
        &self,
        operation: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<Result<T, CallError>, StoreError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let attempt = |_| attempt();
        let called = self.retry_until(self.deadline(), operation, attempt, CallError::is_retryable).await?;
        Ok(called.map_err(|failed| failed.error))
    }

    /// Repeats `attempt` until it succeeds, fails with an error that a retry cannot help, or reaches the deadline. The
    /// argument of `attempt` is the time that it may take.
    pub(super) async fn retry_until<T, F>(
        &self,
        deadline: Deadline,
        operation: &'static str,
        mut attempt: impl FnMut(Duration) -> F,
        is_retryable: impl Fn(&CallError) -> bool,
    ) -> Result<Result<T, FinalError>, RetriesExhausted>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let last = "the request's deadline had passed".to_owned();
        let mut exhausted = RetriesExhausted { operation, attempts: 0, last, unanswered: false };
        loop {
            let left = self.left(deadline);
            if left < self.policy.shortest_attempt() {
                break;
            }
            exhausted.attempts += 1;
            let error = match attempt(left.min(self.policy.attempt)).await {
                Err(error) if is_retryable(&error) => error,
                answer => {
                    let RetriesExhausted { attempts, unanswered, .. } = exhausted;
                    metrics::call(attempts);
                    return Ok(answer.map_err(|error| FinalError { error, attempts, unanswered }));
                }
            };
            exhausted.unanswered |= error.is_unanswered();
            exhausted.last = error.to_string();
            let wait = self.jittered(Self::FIRST_WAIT, exhausted.attempts);
            if wait >= self.left(deadline) {
                break;
            }
            let RetriesExhausted { attempts, last, .. } = &exhausted;
            tracing::debug!(operation, attempts, last, "retrying a call");
            self.sleep.sleep(wait).await;
        }
        metrics::call(exhausted.attempts);
        Err(exhausted)
    }

    /// Returns the wait before the next attempt of a change that another change prevented. It starts short on the
    /// embedded engine, where the other change has already ended.
    pub(super) fn contention_wait(&self, attempts: u32) -> Duration {
        match self.conflicts() {
            true => self.jittered(Self::FIRST_WAIT, attempts.min(4)),
            false => self.jittered(Self::FIRST_WAIT_IN_PROCESS, attempts.min(8)),
        }
    }

    /// Sleeps with the same timer as all retries.
    pub async fn sleep(&self, time: Duration) {
        self.sleep.sleep(time).await;
    }

    /// Returns a random wait between zero and a bound that doubles ("full jitter": Brooker, "Exponential Backoff And
    /// Jitter", AWS Architecture Blog, 2015).
    pub(super) fn jittered(&self, first: Duration, attempts: u32) -> Duration {
        let bound = first.saturating_mul(1 << attempts.min(16)).min(Self::LONGEST_WAIT);
        let random = u32::from_be_bytes(self.rng.bytes());
        bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}
