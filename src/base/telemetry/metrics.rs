//! Counts what one request or batch does.
//!
//! The counts belong to the task and are not an argument, because counting must not influence the work. Nothing is
//! counted outside of a request or batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;

use super::TraceId;
use crate::base::identity::Role;

tokio::task_local! {
    static CURRENT: RequestMetrics;
}

/// The counts of one request or batch. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct RequestMetrics {
    counts: Arc<Mutex<Counts>>,
    trace: Option<TraceId>,
}

/// The counts so far. [`Report`](super::Report) explains the fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) route: Option<&'static str>,
    pub(super) role: Option<Role>,
    pub(super) problem: Option<&'static str>,
    pub(super) rule_violation: bool,
    pub(super) calls: u32,
    pub(super) retries: u32,
    pub(super) read_units: f64,
    pub(super) write_units: f64,
    pub(super) message_dead_letters: u32,
    pub(super) dead_letters: u32,
    pub(super) ignored_fields: u32,
}

impl RequestMetrics {
    /// Creates empty counts for work that belongs to this trace.
    pub fn new(trace: Option<TraceId>) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Runs work and counts what it does.
    pub async fn over<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    pub(super) fn trace(&self) -> Option<&TraceId> {
        self.trace.as_ref()
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(change: impl FnOnce(&mut Counts)) {
    // This fails outside of a request, where nothing is counted.
    let _ = CURRENT.try_with(|metrics| change(&mut metrics.lock()));
}

/// Returns the trace of the current work.
pub(crate) fn current_trace() -> Option<TraceId> {
    CURRENT.try_with(|metrics| metrics.trace.clone()).ok().flatten()
}

/// Records the request's route.
pub(crate) fn route(path: &'static str) {
    count(|counts| counts.route = Some(path));
}

/// Records the sender's role.
pub(crate) fn role(role: Role) {
    count(|counts| counts.role = Some(role));
}

/// Records the problem in the answer.
pub(crate) fn problem(name: &'static str) {
    count(|counts| counts.problem = Some(name));
}

/// Records that a part of the batch could not be finished and must be delivered again.
pub fn unfinished() {
    problem("unfinished");
}

/// Records that a business rule forbade the request.
pub(crate) fn rule_violation() {
    count(|counts| counts.rule_violation = true);
}

/// Counts messages that became dead letters.
pub(crate) fn message_dead_letters(messages: usize) {
    count(|counts| counts.message_dead_letters += u32::try_from(messages).unwrap_or(u32::MAX));
}

/// Counts a stream record that became a dead letter.
pub(crate) fn dead_letter() {
    count(|counts| counts.dead_letters += 1);
}

/// Counts unknown fields of messages.
pub(crate) fn ignored_fields(fields: usize) {
    count(|counts| {
        counts.ignored_fields =
            counts.ignored_fields.saturating_add(u32::try_from(fields).unwrap_or(u32::MAX));
    });
}

/// Counts a finished DynamoDB call and its attempts.
pub(crate) fn call(attempts: u32) {
    count(|counts| {
        counts.calls += 1;
        counts.retries += attempts.saturating_sub(1);
    });
}

/// Adds the capacity that a read consumed.
pub(crate) fn read<'a>(capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
    let units: f64 = capacity.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
    count(|counts| counts.read_units += units);
}

/// Adds the capacity that a transaction consumed. Its checks count as writes too, because DynamoDB bills them as
/// writes.
pub(crate) fn written(capacity: &[ConsumedCapacity]) {
    let read: f64 = capacity.iter().filter_map(ConsumedCapacity::read_capacity_units).sum();
    let all: f64 = capacity.iter().filter_map(ConsumedCapacity::capacity_units).sum();
    count(|counts| {
        counts.read_units += read;
        counts.write_units += (all - read).max(0.0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(units: f64) -> ConsumedCapacity {
        ConsumedCapacity::builder().capacity_units(units).build()
    }

    #[tokio::test]
    async fn counts_go_to_the_innermost_work() {
        let (one, other) = (RequestMetrics::new(None), RequestMetrics::new(None));
        let work = async {
            call(3);
            read([&used(0.5), &used(2.0)]);
            other
                .over(async {
                    call(1);
                    message_dead_letters(2);
                })
                .await;
            written(&[used(6.0)]);
        };
        one.over(work).await;
        let (one, other) = (one.counts(), other.counts());
        assert_eq!((one.calls, one.retries, one.message_dead_letters), (1, 2, 0));
        assert_eq!((one.read_units, one.write_units), (2.5, 6.0));
        assert_eq!((other.calls, other.retries, other.message_dead_letters), (1, 0, 2));
    }

    #[test]
    fn nothing_is_counted_outside_of_a_request() {
        call(1);
        rule_violation();
        assert_eq!(current_trace(), None);
    }
}
