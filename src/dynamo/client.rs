//! The table at the end of a [`Line`], and the one place where a failure that passes by waiting is waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use futures_util::future::{Either, select};

use super::deadline::Deadline;
use super::line::{CallError, Line, Request};
use super::upgrade::{FORMS, FormToWrite, Forms};
use super::{Key, OLDEST, SCHEMA};
use crate::app::{Clock, Entropy};
use crate::telemetry::tally;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not answer, or was too busy, until the deadline. A write with this failure changed nothing, and never will.
    #[error("{operation} did not succeed before its deadline, after {attempts} attempts: {last}")]
    Unavailable {
        /// The DynamoDB operation.
        operation: &'static str,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt failed of.
        last: String,
    },
    /// A write was sent, and no answer came until the deadline: it may have happened, or may still happen.
    #[error("the outcome of {operation} is unknown after {attempts} attempts: {last}")]
    OutcomeUnknown {
        /// The DynamoDB operation.
        operation: &'static str,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt failed of.
        last: String,
    },
    /// The disk under the embedded engine is full. This call changed nothing, but earlier calls of the same request may
    /// have. Writing resumes once there is space.
    #[error("{operation} failed: the disk is full")]
    Full {
        /// The DynamoDB operation.
        operation: &'static str,
    },
    /// It refused in a way that no waiting mends: a fault of this program or of its set-up.
    #[error("{operation} failed: {cause}")]
    Failed {
        /// The DynamoDB operation.
        operation: &'static str,
        /// What it said.
        cause: String,
    },
    /// An item is of a form that this program does not read: another version wrote it.
    #[error(
        "the item {item} is of schema {found}, and this program reads {OLDEST} and {SCHEMA}: \
         it was rolled back too far, or a version was left out"
    )]
    OtherSchema {
        /// Its key, without what it says of people.
        item: String,
        /// The number that it bears.
        found: String,
    },
    /// An item holds what this program does not understand.
    #[error("the item {item} is malformed: {cause}")]
    Malformed {
        /// Its key, without what it says of people.
        item: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl StoreError {
    pub(super) fn failed(operation: &'static str, error: impl Into<Cause>) -> Self {
        let error: Cause = error.into();
        Self::Failed { operation, cause: error_chain(&*error) }
    }

    /// Whether it passes, if not soon, and is nobody's fault.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::OutcomeUnknown { .. } | Self::Full { .. })
    }

    /// A call failed for good.
    pub(super) fn of_call(operation: &'static str, error: CallError) -> Self {
        if error.is_full() { Self::Full { operation } } else { Self::failed(operation, error) }
    }

    /// A condition was refused, and the item that it guards satisfies it: the table was changed by other means.
    pub fn contradiction(operation: &'static str, key: &Key) -> Self {
        let cause = format!("the refusal of a condition on {} has no cause", discreet(key));
        Self::Failed { operation, cause }
    }

    pub(super) fn other_schema(key: &Key, found: String) -> Self {
        Self::OtherSchema { item: discreet(key), found }
    }

    pub(super) fn malformed(key: &Key, error: impl std::fmt::Display) -> Self {
        Self::Malformed { item: discreet(key), cause: error.to_string() }
    }
}

/// A key for the log. Behind the kind of an item an id may be shown; an e-mail address or a word of a name may not.
fn discreet(key: &Key) -> String {
    let shown = |text: &str| match text.split_once('#') {
        Some((kind, id)) if uuid::Uuid::try_parse(id).is_err() => format!("{kind}#…"),
        _ => text.split(' ').next().unwrap_or_default().to_owned(),
    };
    let sort = if key.pk.starts_with("SEARCH#") { "…".to_owned() } else { shown(&key.sk) };
    format!("{} {sort}", shown(&key.pk))
}

/// What an error and its causes say. Not what they hold: a cancelled transaction holds people's data.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut words: Vec<String> = causes.map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}

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
    fn shortest_attempt(&self) -> Duration {
        (self.attempt / 4).min(self.request / 10)
    }
}

/// A call was given up: its time ended before an attempt succeeded.
#[derive(Debug)]
pub(super) struct GaveUp {
    operation: &'static str,
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

/// The table, and what a call on it needs.
#[derive(Debug, Clone)]
pub struct Dynamo {
    line: Line,
    pub(super) table: Arc<str>,
    pub(super) sleep: SharedAsyncSleep,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
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
        entropy: Entropy,
        policy: RetryPolicy,
    ) -> Self {
        let (forms, form) = (&FORMS, Arc::new(FORMS.at_first()));
        Self { line, table: table.into(), sleep, clock, entropy, policy, forms, form }
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
    pub async fn rest(&self, time: Duration) {
        self.sleep.sleep(time).await;
    }

    /// A wait between nothing and a bound that doubles ("full jitter": Brooker, "Exponential Backoff And Jitter", AWS
    /// Architecture Blog, 2015).
    pub(super) fn jittered(&self, first: Duration, attempts: u32) -> Duration {
        let bound = first.saturating_mul(1 << attempts.min(16)).min(Self::LONGEST_WAIT);
        let random = u32::from_be_bytes(self.entropy.bytes());
        bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_log_shows_ids_and_no_person() {
        let id = "019f0000-0000-7000-8000-000000000000";
        for (pk, sk, shown) in [
            (format!("LEAD#{id}"), "LEAD", format!("LEAD#{id} LEAD")),
            ("EMAIL#ann@example.com".to_owned(), "EMAIL", "EMAIL#… EMAIL".to_owned()),
            ("SEARCH#a".to_owned(), "ann 019f", "SEARCH#… …".to_owned()),
            (format!("LEAD#{id}"), "HISTORY#0000000001", format!("LEAD#{id} HISTORY#…")),
        ] {
            assert_eq!(discreet(&Key::new(pk, sk)), shown);
        }
    }
}
