//! What is made of the table's stream: the statistics, and the runs of rules.
//!
//! What always holds: everything here may be done again for the same changes, by several at once, and has its effect
//! once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::dead_letters::domain::Failed;
use crate::leads::items::LEAD;
use crate::orders::items::CAP;
use crate::projections::Projections;
use crate::raffles::sold;
use crate::reservations::ORDER;
use crate::rules::domain::Rule;
use crate::rules::events::{Event, events_of};
use crate::rules::last;
use crate::stats::{ProjectionError, is_former, is_stats};
use crate::store::stream::{Batch, Change, Sequence, Unreadable};
use crate::store::{Key, StoreError};

/// Records whose events are answered at the same time.
const AT_ONCE: usize = 16;
/// How many failures in a row end the running of rules: then it is the store that fails, and not one rule.
const MOST_FAILURES: usize = 3;
/// How old a change is before an outage of the store alone makes a dead letter of it.
const OUTAGE: SignedDuration = SignedDuration::from_hours(1);
/// How old a change is before another failure of the store does: credentials are renewed and tables are made in less.
const REFUSAL: SignedDuration = SignedDuration::from_mins(1);

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

impl Unconsumed {
    fn of(change: &Change, cause: StoreError) -> Self {
        Self { sequence: change.sequence.clone(), cause }
    }

    fn earlier(self, other: Self) -> Self {
        if other.sequence < self.sequence { other } else { self }
    }
}

/// Whether anything is made of changes of the item under a key.
pub fn is_relevant(key: &Key) -> bool {
    matches!(key.sk.as_str(), LEAD | ORDER | CAP)
        || is_stats(key)
        || is_former(key)
        || sold::is_block(key)
        || last::is_run(key)
}

impl Projections {
    /// Keeps the records of a batch that cannot be read as dead letters, and [consumes](consume) its changes.
    ///
    /// # Errors
    /// [`Unconsumed`]: the first change that was not dealt with.
    pub async fn consume_batch(&self, batch: &Batch) -> Result<(), Unconsumed> {
        for unreadable in &batch.unreadable {
            let (cause, id) = (&unreadable.cause, &unreadable.id);
            tracing::error!(cause, id, "a record of the stream cannot be read");
            let added = self.add_dead_letter(&Failed::from(unreadable)).await;
            added.map_err(|cause| Unconsumed { sequence: place_of(unreadable, batch), cause })?;
        }
        self.consume(&batch.changes).await
    }
}

/// From where a batch is to be delivered again when a record without a place in it could not be kept: its beginning.
fn place_of(unreadable: &Unreadable, batch: &Batch) -> Sequence {
    let changes = batch.changes.iter().map(|change| &change.sequence);
    let first = changes.chain(&unreadable.sequence).min();
    first.cloned().unwrap_or_default()
}

impl Projections {
    /// Counts the changes, then runs the rules that answer them: those of one record in the order of its changes, those of
    /// different records side by side. A change that cannot be counted, or that a rule fails for, becomes a dead letter once
    /// waiting does not help, and holds up none of the others.
    ///
    /// # Errors
    /// [`Unconsumed`]: the first change that was not dealt with.
    pub async fn consume(&self, changes: &[Change]) -> Result<(), Unconsumed> {
        let mut failed = self.count_all(changes).await.err();
        // A function of an earlier version still counts.
        let former = changes.iter().find(|change| is_former(&change.key) && change.after.is_some());
        if let (None, Some(former)) = (&failed, former) {
            failed = self.statistics.take_over().await.err().map(|cause| Unconsumed::of(former, cause));
        }
        if failed.is_none() {
            failed = self.project_all(changes).await.err();
        }
        let records = self.events_by_record(changes, failed.as_ref()).await;
        let answered = match records {
            Ok(records) => self.answer_all(records).await,
            Err(unread) => Err(unread),
        };
        match (failed, answered) {
            (None, answered) => answered,
            (Some(failed), Ok(())) => Err(failed),
            (Some(failed), Err(unanswered)) => Err(failed.earlier(unanswered)),
        }
    }

    /// Does all that one change should bring about, and takes every failure for one: for the retry of a dead letter.
    ///
    /// # Errors
    /// [`StoreError`] of the first thing that failed.
    pub async fn apply(&self, change: &Change) -> Result<(), StoreError> {
        self.statistics.count(std::slice::from_ref(change)).await.map_err(|error| error.cause)?;
        if is_former(&change.key) && change.after.is_some() {
            self.statistics.take_over().await?;
        }
        self.project(&[change]).await?;
        let events = events_of(change)?;
        if events.is_empty() {
            return Ok(());
        }
        let rules = self.rules.all().await?;
        for event in &events {
            for rule in rules.iter().filter(|rule| rule.answers(event)) {
                self.rules.run(rule, event).await?;
            }
        }
        Ok(())
    }

    /// Keeps a change that failed as a dead letter, unless trying it again may help: what is wrong with the change itself
    /// stays wrong, and the store gets some time. That the dead letter can be written shows that the store works.
    async fn keep_or_fail(&self, change: &Change, cause: StoreError) -> Result<(), Unconsumed> {
        let age = self.clock.now().duration_since(change.at);
        let is_final = match &cause {
            StoreError::Malformed { .. } | StoreError::OtherSchema { .. } => true,
            cause if cause.is_outage() => age > OUTAGE,
            _ => age > REFUSAL,
        };
        if !is_final || self.add_dead_letter(&Failed::change(change, &cause)).await.is_err() {
            return Err(Unconsumed::of(change, cause));
        }
        let id = &change.id;
        tracing::error!(id, %cause, "a change of the stream cannot be applied");
        Ok(())
    }

    /// Counts all changes. Those that cannot be counted become dead letters.
    async fn count_all(&self, changes: &[Change]) -> Result<(), Unconsumed> {
        let mut rest = changes;
        while let Err(uncounted) = self.statistics.count(rest).await {
            if !uncounted.is_unreadable {
                return self.count_each(rest, uncounted).await;
            }
            // Those before it are counted, and those behind it are not.
            let Some(place) = rest.iter().position(|change| change.sequence == uncounted.sequence) else {
                return Err(Unconsumed { sequence: uncounted.sequence, cause: uncounted.cause });
            };
            self.keep_or_fail(&rest[place], uncounted.cause).await?;
            rest = &rest[place + 1..];
        }
        Ok(())
    }

    /// Brings up to date what lists show: what is sold of raffles, and the last runs of rules.
    async fn project(&self, changes: &[&Change]) -> Result<(), StoreError> {
        let some = |is: fn(&Key) -> bool| -> Vec<&Change> {
            changes.iter().copied().filter(|change| is(&change.key)).collect()
        };
        self.raffles.count_sold(&some(sold::is_block)).await?;
        self.rules.note_last_runs(&some(last::is_run)).await
    }

    /// Brings up to date what lists show. Changes that cannot be part of that become dead letters.
    async fn project_all(&self, changes: &[Change]) -> Result<(), Unconsumed> {
        let projected = |change: &&Change| sold::is_block(&change.key) || last::is_run(&change.key);
        let changes: Vec<&Change> = changes.iter().filter(projected).collect();
        let Some(first) = changes.first() else { return Ok(()) };
        let Err(together) = self.project(&changes).await else { return Ok(()) };
        if together.is_outage() && changes.iter().all(|change| self.is_young(change)) {
            return Err(Unconsumed::of(first, together));
        }
        for change in changes {
            if let Err(cause) = self.project(&[change]).await {
                self.keep_or_fail(change, cause).await?;
            }
        }
        Ok(())
    }

    /// Counts changes one by one, since they cannot be counted together: so the one shows that is at fault.
    async fn count_each(&self, changes: &[Change], together: ProjectionError) -> Result<(), Unconsumed> {
        if together.cause.is_outage() && changes.iter().all(|change| self.is_young(change)) {
            return Err(Unconsumed { sequence: together.sequence, cause: together.cause });
        }
        for change in changes {
            if let Err(uncounted) = self.statistics.count(std::slice::from_ref(change)).await {
                self.keep_or_fail(change, uncounted.cause).await?;
            }
        }
        Ok(())
    }

    fn is_young(&self, change: &Change) -> bool {
        self.clock.now().duration_since(change.at) <= OUTAGE
    }
}

/// What happened to a record, in order.
type RecordEvents<'a> = Vec<(&'a Change, Event)>;

impl Projections {
    /// The events before the first change that was not counted, by record in the order of their first. A change whose events
    /// cannot be read becomes a dead letter.
    async fn events_by_record<'a>(
        &self,
        changes: &'a [Change],
        uncounted: Option<&Unconsumed>,
    ) -> Result<Vec<RecordEvents<'a>>, Unconsumed> {
        let mut records: BTreeMap<&str, RecordEvents<'a>> = BTreeMap::new();
        let counted = |change: &&Change| uncounted.is_none_or(|first| change.sequence < first.sequence);
        for change in changes.iter().filter(counted) {
            match events_of(change) {
                Ok(events) => {
                    let events = events.into_iter().map(|event| (change, event));
                    records.entry(&change.key.pk).or_default().extend(events);
                }
                Err(cause) => self.keep_or_fail(change, cause).await?,
            }
        }
        let mut records: Vec<_> = records.into_values().filter(|events| !events.is_empty()).collect();
        records.sort_by(|one, other| first_of(one).cmp(&first_of(other)));
        Ok(records)
    }
}

fn first_of<'a>(events: &RecordEvents<'a>) -> Option<&'a Sequence> {
    events.first().map(|(change, _)| &change.sequence)
}

impl Projections {
    /// Runs the rules that answer these events. They are read only if there are events. A record whose rules fail holds up
    /// none of the others, unless the store fails for all.
    async fn answer_all(&self, mut records: Vec<RecordEvents<'_>>) -> Result<(), Unconsumed> {
        let Some((first, _)) = records.first().and_then(|events| events.first()) else { return Ok(()) };
        let rules = &self.rules.all().await.map_err(|cause| Unconsumed::of(first, cause))?;
        let mut at_once = AT_ONCE;
        if self.dynamo.conflicts() {
            // Rules that compete for the same item would cancel each other's changes.
            let mut events: RecordEvents<'_> = records.into_iter().flatten().collect();
            events.sort_by_key(|(change, _)| &change.sequence);
            (records, at_once) = (vec![events], 1);
        }
        let mut failed: Option<Unconsumed> = None;
        while !records.is_empty() {
            let some: Vec<_> = records.drain(..at_once.min(records.len())).collect();
            let begun = some.len();
            // In boxes, since each of these futures is large.
            let answers = join_all(some.into_iter().map(|events| self.answer(rules, events).boxed())).await;
            let failures: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
            let all_failed = failures.len() == begun && begun >= MOST_FAILURES;
            for one in failures {
                failed = Some(match failed {
                    Some(failed) => failed.earlier(one),
                    None => one,
                });
            }
            if all_failed {
                break;
            }
        }
        let Some(failed) = failed else { return Ok(()) };
        // What was not begun is handed over again as well.
        match records.first().and_then(first_of).filter(|next| **next < failed.sequence) {
            Some(next) => Err(Unconsumed { sequence: next.clone(), ..failed }),
            None => Err(failed),
        }
    }

    /// Runs the rules that answer some events, in their order. Where rules fail for one, the later events of its record wait
    /// and those of other records do not.
    async fn answer(&self, rules: &[Rule], events: RecordEvents<'_>) -> Result<(), Unconsumed> {
        let mut failed: Option<Unconsumed> = None;
        let (mut waiting, mut in_a_row) = (BTreeSet::new(), 0);
        for (change, event) in &events {
            if waiting.contains(&change.key.pk) {
                continue;
            }
            match self.answer_one(rules, change, event).await {
                Ok(()) => in_a_row = 0,
                Err(error) => {
                    waiting.insert(&change.key.pk);
                    in_a_row += 1;
                    failed = failed.or(Some(error));
                }
            }
            if in_a_row >= MOST_FAILURES {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Runs all rules that answer an event. One that fails does not keep the others from it.
    async fn answer_one(&self, rules: &[Rule], change: &Change, event: &Event) -> Result<(), Unconsumed> {
        let mut failed = None;
        for rule in rules.iter().filter(|rule| rule.answers(event)) {
            let Err(cause) = self.rules.run(rule, event).await else { continue };
            if let Err(error) = self.keep_or_fail(change, cause).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// What is done every half minute: large orders that were cut off are settled, failed runs tried again, and the rules
    /// run whose time has come. What fails keeps none of the others back.
    ///
    /// # Errors
    /// The last failure of the store; doing it again is right.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let helped = self.orders.reconciler().reconcile_all().await.map(drop);
        let rules = match (self.rules.all().await, &helped) {
            (Ok(rules), _) => rules,
            (Err(error), Ok(())) => return Err(error),
            (Err(_), Err(_)) => return helped,
        };
        let fired = self.rules.fire_due(&rules).await;
        let retried = self.rules.retry_due(&rules).await;
        helped.and(fired).and(retried)
    }
}
