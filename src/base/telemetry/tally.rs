//! What is counted while one request or batch is worked on, by whatever works on it.
//!
//! A tally goes with the task and not through arguments: what is counted is no input of anything. Outside a request
//! nothing is counted.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;

use super::TraceId;
use crate::base::identity::Role;

tokio::task_local! {
    static TALLY: Tally;
}

/// The counts of one request or batch. Clones are the same tally.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: Arc<Mutex<Counts>>,
    trace: Option<TraceId>,
}

/// What was counted so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// The route, as it was added to the router.
    pub(super) route: Option<&'static str>,
    /// Who asks.
    pub(super) role: Option<Role>,
    /// The name of the problem that it is answered with.
    pub(super) problem: Option<&'static str>,
    /// Whether a business rule forbade what was asked.
    pub(super) rule_violation: bool,
    /// Calls of DynamoDB, without their repetitions.
    pub(super) calls: u32,
    /// Attempts of calls beyond the first.
    pub(super) retries: u32,
    /// Read units that DynamoDB says were used.
    pub(super) read_units: f64,
    /// Write units likewise.
    pub(super) write_units: f64,
    /// Messages that were parked.
    pub(super) parked: u32,
    /// Records of the stream that became dead letters.
    pub(super) dead_letters: u32,
    /// Fields of messages that nothing here knows.
    pub(super) ignored_fields: u32,
}

impl Tally {
    /// Nothing counted yet, in work that belongs to this trace.
    pub fn new(trace: Option<TraceId>) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Does some work, and counts what it does here.
    pub async fn over<F: Future>(&self, work: F) -> F::Output {
        TALLY.scope(self.clone(), work).await
    }

    /// The trace that the work belongs to.
    pub(super) fn trace(&self) -> Option<&TraceId> {
        self.trace.as_ref()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn count(change: impl FnOnce(&mut Counts)) {
    // Fails where no request is worked on, and then there is nobody to count for.
    let _ = TALLY.try_with(|tally| change(&mut tally.counts.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// The trace that the work of now belongs to.
pub(super) fn current_trace() -> Option<TraceId> {
    TALLY.try_with(|tally| tally.trace.clone()).ok().flatten()
}

/// The request came to this route.
pub(crate) fn route(path: &'static str) {
    count(|counts| counts.route = Some(path));
}

/// The request is of somebody in this role.
pub(crate) fn role(role: Role) {
    count(|counts| counts.role = Some(role));
}

/// The request is answered with this problem.
pub(crate) fn problem(name: &'static str) {
    count(|counts| counts.problem = Some(name));
}

/// Some of the batch could not be finished and is to come again.
pub fn unfinished() {
    problem("unfinished");
}

/// A business rule forbade what was asked.
pub(crate) fn rule_violation() {
    count(|counts| counts.rule_violation = true);
}

/// So many messages were parked.
pub(crate) fn parked(messages: usize) {
    count(|counts| counts.parked += u32::try_from(messages).unwrap_or(u32::MAX));
}

/// A record of the stream became a dead letter.
pub(crate) fn dead_letter() {
    count(|counts| counts.dead_letters += 1);
}

/// Messages had so many fields that nothing here knows.
pub(crate) fn ignored_fields(fields: usize) {
    count(|counts| {
        counts.ignored_fields =
            counts.ignored_fields.saturating_add(u32::try_from(fields).unwrap_or(u32::MAX));
    });
}

/// One call of DynamoDB ended after so many attempts.
pub(crate) fn call(attempts: u32) {
    count(|counts| {
        counts.calls += 1;
        counts.retries += attempts.saturating_sub(1);
    });
}

/// A call used so much for reading.
pub(crate) fn read<'a>(capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
    let units: f64 = capacity.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
    count(|counts| counts.read_units += units);
}

/// A transaction used so much: its checks and updates count as writes, as DynamoDB bills them.
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
    async fn what_is_counted_goes_to_the_work_that_it_is_done_for() {
        let (one, other) = (Tally::new(None), Tally::new(None));
        let work = async {
            call(3);
            read([&used(0.5), &used(2.0)]);
            other
                .over(async {
                    call(1);
                    parked(2);
                })
                .await;
            written(&[used(6.0)]);
        };
        one.over(work).await;
        let (one, other) = (one.counts(), other.counts());
        assert_eq!((one.calls, one.retries, one.parked), (1, 2, 0));
        assert_eq!((one.read_units, one.write_units), (2.5, 6.0));
        assert_eq!((other.calls, other.retries, other.parked), (1, 0, 2));
    }

    #[test]
    fn outside_of_any_work_nothing_is_counted() {
        call(1);
        rule_violation();
        assert_eq!(current_trace(), None);
    }
}
