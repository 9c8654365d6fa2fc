//! What is made of the table's stream: the statistics, and the runs of rules.
//!
//! What always holds: everything here may be done again for the same changes, by several at once, and has its effect
//! once.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::events::{Event, events_of};
use super::rules::domain::Rule;
use super::rules::{running, store};
use crate::app::App;
use crate::dynamo::stream::{Change, Sequence};
use crate::dynamo::{Key, StoreError};
use crate::leads::items::LEAD;
use crate::leads::stats::{count, is_former, is_stats, take_over};
use crate::orders;
use crate::orders::items::{CAP, ORDER};

/// Records whose events are answered at the same time.
const AT_ONCE: usize = 16;

/// The first change that was not dealt with, and why. Those before it were; telling it and all behind it again is right.
#[derive(Debug, thiserror::Error)]
#[error("a change was not dealt with: {cause}")]
pub struct Unconsumed {
    /// Its place.
    pub sequence: Sequence,
    /// What failed.
    #[source]
    pub cause: StoreError,
}

/// Whether anything is made of changes of the item under a key.
pub fn is_relevant(key: &Key) -> bool {
    matches!(key.sk.as_str(), LEAD | ORDER | CAP) || is_stats(key) || is_former(key)
}

/// Counts the changes, then runs the rules that answer them: those of one record in the order of its changes, those of
/// different records side by side.
///
/// # Errors
/// [`Unconsumed`]: the first change that was not dealt with.
pub async fn consume(app: &App, changes: &[Change]) -> Result<(), Unconsumed> {
    let uncounted = count(app, changes).await.err();
    let mut uncounted = uncounted.map(|error| Unconsumed { sequence: error.sequence, cause: error.cause });
    // A function of an earlier version still counts.
    let former = changes.iter().find(|change| is_former(&change.key) && change.after.is_some());
    if let (None, Some(former)) = (&uncounted, former) {
        let sequence = former.sequence.clone();
        uncounted = take_over(app).await.err().map(|cause| Unconsumed { sequence, cause });
    }
    let (records, unread) = events_by_record(changes, uncounted.as_ref());
    let unanswered = answer_all(app, records).await.err();
    let failed = [uncounted, unread, unanswered].into_iter().flatten();
    failed.min_by(|one, other| one.sequence.cmp(&other.sequence)).map_or(Ok(()), Err)
}

/// What happened to a record, in order.
type RecordEvents<'a> = Vec<(&'a Sequence, Event)>;

/// The events before the first change that was not counted, by record in the order of their first, and the first change
/// that cannot be read.
fn events_by_record<'a>(
    changes: &'a [Change],
    uncounted: Option<&Unconsumed>,
) -> (Vec<RecordEvents<'a>>, Option<Unconsumed>) {
    let mut records: BTreeMap<&str, RecordEvents<'a>> = BTreeMap::new();
    let mut unread = None;
    let counted = |change: &&Change| uncounted.is_none_or(|first| change.sequence < first.sequence);
    for change in changes.iter().filter(counted) {
        match events_of(change) {
            Ok(events) => {
                let events = events.into_iter().map(|event| (&change.sequence, event));
                records.entry(&change.key.pk).or_default().extend(events);
            }
            Err(cause) => {
                unread = Some(Unconsumed { sequence: change.sequence.clone(), cause });
                break;
            }
        }
    }
    let mut records: Vec<_> = records.into_values().filter(|events| !events.is_empty()).collect();
    records.sort_by(|one, other| first_of(one).cmp(&first_of(other)));
    (records, unread)
}

fn first_of<'a>(events: &RecordEvents<'a>) -> Option<&'a Sequence> {
    events.first().map(|(sequence, _)| *sequence)
}

/// Runs the rules that answer these events, until a record's fail. They are read only if there are events.
async fn answer_all(app: &App, mut records: Vec<RecordEvents<'_>>) -> Result<(), Unconsumed> {
    let Some(first) = records.first().and_then(first_of) else { return Ok(()) };
    let unread = |cause| Unconsumed { sequence: first.clone(), cause };
    let rules = &store::all(app).await.map_err(unread)?;
    let mut at_once = AT_ONCE;
    if app.dynamo.conflicts() {
        // Rules that compete for the same item would cancel each other's changes.
        let mut events: RecordEvents<'_> = records.into_iter().flatten().collect();
        events.sort_by_key(|(sequence, _)| *sequence);
        (records, at_once) = (vec![events], 1);
    }
    while !records.is_empty() {
        let some: Vec<_> = records.drain(..at_once.min(records.len())).collect();
        // In boxes, since each of these futures is large.
        let answers = join_all(some.into_iter().map(|events| answer(app, rules, events).boxed())).await;
        let failed = answers.into_iter().filter_map(Result::err);
        if let Some(mut failed) = failed.min_by(|one, other| one.sequence.cmp(&other.sequence)) {
            // What was not begun is handed over again as well.
            let next = records.first().and_then(first_of).filter(|next| **next < failed.sequence);
            failed.sequence = next.unwrap_or(&failed.sequence).clone();
            return Err(failed);
        }
    }
    Ok(())
}

/// Runs the rules that answer the events of one record.
async fn answer(app: &App, rules: &[Rule], events: RecordEvents<'_>) -> Result<(), Unconsumed> {
    for (sequence, event) in &events {
        for rule in rules.iter().filter(|rule| rule.answers(event)) {
            let failed = |cause| Unconsumed { sequence: (*sequence).clone(), cause };
            running::run(app, rule, event).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// What is done every half minute: large orders that were cut off are settled, failed runs tried again, and the rules
/// run whose time has come. What fails keeps none of the others back.
///
/// # Errors
/// The last failure of the store; doing it again is right.
pub async fn sweep(app: &App) -> Result<(), StoreError> {
    let helped = orders::store::help(app).await.map(drop);
    let rules = store::all(app).await?;
    let fired = running::fire_due(app, &rules).await;
    let retried = running::retry_due(app, &rules).await;
    helped.and(fired).and(retried)
}
