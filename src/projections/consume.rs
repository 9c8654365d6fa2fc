//! Consumes the table's stream: updates the statistics, and runs rules.
//!
//! Invariant: everything here takes effect once, even if it is repeated for the same changes or runs in several
//! processes.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::dead_letters::domain::FailedRecord;
use crate::leads::items::LEAD;
use crate::leads::purge::is_trash;
use crate::orders::items::CAP;
use crate::projections::Projections;
use crate::raffles::sold;
use crate::reservations::ORDER;
use crate::rules::domain::Rule;
use crate::rules::events::{Event, events_of};
use crate::rules::last;
use crate::stats::{ProjectionError, is_legacy, is_stats};
use crate::store::stream::{Batch, Change, Sequence, Unreadable};
use crate::store::{Key, StoreError};

/// The number of records whose events are handled concurrently.
const MAX_CONCURRENT: usize = 16;
/// This many consecutive failures end the running of rules, because they mean that the store fails and not one
/// rule.
const MAX_CONSECUTIVE_FAILURES: usize = 3;
/// How old a change must be before an outage of the store makes it a dead letter.
const OUTAGE_GRACE: SignedDuration = SignedDuration::from_hours(1);
/// How old a change must be before another failure of the store makes it a dead letter: long enough to renew
/// credentials or create a table.
const ERROR_GRACE: SignedDuration = SignedDuration::from_mins(1);

/// The first change that was not handled, and why. All earlier changes were handled. It is safe to deliver it and
/// all later ones again.
#[derive(Debug, thiserror::Error)]
#[error("a change was not handled: {cause}")]
pub struct ConsumeError {
    /// The sequence number of the change.
    pub sequence: Sequence,
    /// The error.
    #[source]
    pub cause: StoreError,
}

impl ConsumeError {
    fn of(change: &Change, cause: StoreError) -> Self {
        Self { sequence: change.sequence.clone(), cause }
    }

    fn earlier(self, other: Self) -> Self {
        if other.sequence < self.sequence { other } else { self }
    }
}

/// Returns whether the stream's changes of this key have any effect here.
pub fn is_relevant(key: &Key) -> bool {
    matches!(key.sk.as_str(), LEAD | ORDER | CAP) || is_stats(key) || is_legacy(key) || is_projected(key)
}

/// Returns whether changes of this key change other items besides the statistics.
fn is_projected(key: &Key) -> bool {
    sold::is_block(key) || last::is_run(key) || is_trash(key)
}

impl Projections {
    /// Stores the unreadable records of a batch as dead letters, and [consumes](Self::consume) its changes.
    ///
    /// # Errors
    /// [`ConsumeError`] with the first change that was not handled.
    pub async fn consume_batch(&self, batch: &Batch) -> Result<(), ConsumeError> {
        for unreadable in &batch.unreadable {
            let (cause, id) = (&unreadable.cause, &unreadable.id);
            tracing::error!(cause, id, "a record of the stream cannot be read");
            let added = self.add_dead_letter(&FailedRecord::from(unreadable)).await;
            added.map_err(|cause| ConsumeError { sequence: redelivery_start(unreadable, batch), cause })?;
        }
        self.consume(&batch.changes).await
    }
}

/// Returns where redelivery must start if an unreadable record could not be stored: at the beginning of the batch.
fn redelivery_start(unreadable: &Unreadable, batch: &Batch) -> Sequence {
    let changes = batch.changes.iter().map(|change| &change.sequence);
    let first = changes.chain(&unreadable.sequence).min();
    first.cloned().unwrap_or_default()
}

impl Projections {
    /// Counts the changes, and then runs the rules that answer them: in order for the changes of one record,
    /// concurrently for different records. A change that cannot be counted, or whose rule fails, becomes a dead
    /// letter when its retries are used up, and does not block the others.
    ///
    /// # Errors
    /// [`ConsumeError`] with the first change that was not handled.
    pub async fn consume(&self, changes: &[Change]) -> Result<(), ConsumeError> {
        let mut failed = self.count_all(changes).await.err();
        // A function of an earlier version still counts.
        let legacy = changes.iter().find(|change| is_legacy(&change.key) && change.after.is_some());
        if let (None, Some(legacy)) = (&failed, legacy) {
            failed = self.statistics.migrate().await.err().map(|cause| ConsumeError::of(legacy, cause));
        }
        if failed.is_none() {
            failed = self.project_all(changes).await.err();
        }
        let records = self.events_by_record(changes, failed.as_ref()).await;
        let rules_error = match records {
            Ok(records) => self.run_rules(records).await.err(),
            Err(error) => Some(error),
        };
        if let Some(failed) = failed.into_iter().chain(rules_error).reduce(ConsumeError::earlier) {
            return Err(failed);
        }
        self.statistics.observe_recounts(changes);
        Ok(())
    }

    /// Applies all effects of one change, and returns any failure. Used to retry a dead letter.
    ///
    /// # Errors
    /// [`StoreError`] of the first failure.
    pub async fn apply(&self, change: &Change) -> Result<(), StoreError> {
        self.statistics.count(std::slice::from_ref(change)).await.map_err(|error| error.cause)?;
        if is_legacy(&change.key) && change.after.is_some() {
            self.statistics.migrate().await?;
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

    /// Stores a failed change as a dead letter, unless a retry may help: an error in the change itself is final,
    /// and the store gets some time to recover. Writing the dead letter proves that the store works.
    async fn dead_letter_or_fail(&self, change: &Change, cause: StoreError) -> Result<(), ConsumeError> {
        let age = self.clock.now().duration_since(change.at);
        let is_final = match &cause {
            StoreError::Malformed { .. } | StoreError::OtherSchema { .. } => true,
            cause if cause.is_outage() => age > OUTAGE_GRACE,
            _ => age > ERROR_GRACE,
        };
        if !is_final || self.add_dead_letter(&FailedRecord::change(change, &cause)).await.is_err() {
            return Err(ConsumeError::of(change, cause));
        }
        let id = &change.id;
        tracing::error!(id, %cause, "a change of the stream cannot be applied");
        Ok(())
    }

    /// Counts all changes. Those that cannot be counted become dead letters.
    async fn count_all(&self, changes: &[Change]) -> Result<(), ConsumeError> {
        let mut rest = changes;
        while let Err(error) = self.statistics.count(rest).await {
            if !error.is_unreadable {
                return self.count_each(rest, error).await;
            }
            // The changes before this one are counted; those after it are not.
            let Some(place) = rest.iter().position(|change| change.sequence == error.sequence) else {
                return Err(ConsumeError { sequence: error.sequence, cause: error.cause });
            };
            self.dead_letter_or_fail(&rest[place], error.cause).await?;
            rest = &rest[place + 1..];
        }
        Ok(())
    }

    /// Updates what lists show, the sold tickets of raffles and the last runs of rules, and deletes what is left of leads
    /// that left the trash.
    async fn project(&self, changes: &[&Change]) -> Result<(), StoreError> {
        let matching = |is: fn(&Key) -> bool| -> Vec<&Change> {
            changes.iter().copied().filter(|change| is(&change.key)).collect()
        };
        self.raffles.count_sold(&matching(sold::is_block)).await?;
        self.rules.record_last_runs(&matching(last::is_run)).await?;
        for change in matching(is_trash) {
            self.leads.purge(change).await?;
        }
        Ok(())
    }

    /// Updates what lists show. Changes that cannot be applied become dead letters.
    async fn project_all(&self, changes: &[Change]) -> Result<(), ConsumeError> {
        let changes: Vec<&Change> = changes.iter().filter(|change| is_projected(&change.key)).collect();
        let Some(first) = changes.first() else { return Ok(()) };
        let Err(batch_error) = self.project(&changes).await else { return Ok(()) };
        if batch_error.is_outage() && changes.iter().all(|change| self.is_recent(change)) {
            return Err(ConsumeError::of(first, batch_error));
        }
        for change in changes {
            if let Err(cause) = self.project(&[change]).await {
                self.dead_letter_or_fail(change, cause).await?;
            }
        }
        Ok(())
    }

    /// Counts changes one by one after they failed together, to find the one that fails.
    async fn count_each(&self, changes: &[Change], batch_error: ProjectionError) -> Result<(), ConsumeError> {
        if batch_error.cause.is_outage() && changes.iter().all(|change| self.is_recent(change)) {
            return Err(ConsumeError { sequence: batch_error.sequence, cause: batch_error.cause });
        }
        for change in changes {
            if let Err(error) = self.statistics.count(std::slice::from_ref(change)).await {
                self.dead_letter_or_fail(change, error.cause).await?;
            }
        }
        Ok(())
    }

    fn is_recent(&self, change: &Change) -> bool {
        self.clock.now().duration_since(change.at) <= OUTAGE_GRACE
    }
}

/// The events of a record, in order.
type RecordEvents<'a> = Vec<(&'a Change, Event)>;

impl Projections {
    /// Returns the events before the change that failed, by record, in order of their first event. A change
    /// whose events cannot be read becomes a dead letter.
    async fn events_by_record<'a>(
        &self,
        changes: &'a [Change],
        error: Option<&ConsumeError>,
    ) -> Result<Vec<RecordEvents<'a>>, ConsumeError> {
        let mut records: BTreeMap<&str, RecordEvents<'a>> = BTreeMap::new();
        let counted = |change: &&Change| error.is_none_or(|error| change.sequence < error.sequence);
        for change in changes.iter().filter(counted) {
            match events_of(change) {
                Ok(events) => {
                    let events = events.into_iter().map(|event| (change, event));
                    records.entry(&change.key.pk).or_default().extend(events);
                }
                Err(cause) => self.dead_letter_or_fail(change, cause).await?,
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
    /// Runs the rules that answer these events. Reads the rules only if there are events. A record whose rules fail
    /// does not block the others, unless the store fails for all.
    async fn run_rules(&self, mut records: Vec<RecordEvents<'_>>) -> Result<(), ConsumeError> {
        let Some((first, _)) = records.first().and_then(|events| events.first()) else { return Ok(()) };
        let rules = &self.rules.all().await.map_err(|cause| ConsumeError::of(first, cause))?;
        let mut concurrency = MAX_CONCURRENT;
        if self.dynamo.conflicts() {
            // Rules that compete for the same item would cancel each other's changes.
            let mut events: RecordEvents<'_> = records.into_iter().flatten().collect();
            events.sort_by_key(|(change, _)| &change.sequence);
            (records, concurrency) = (vec![events], 1);
        }
        let mut failed: Option<ConsumeError> = None;
        while !records.is_empty() {
            let group: Vec<_> = records.drain(..concurrency.min(records.len())).collect();
            let started = group.len();
            // Boxed, because each of these futures is large.
            let results =
                join_all(group.into_iter().map(|events| self.run_rules_for_record(rules, events).boxed()))
                    .await;
            let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
            let all_failed = failures.len() == started && started >= MAX_CONSECUTIVE_FAILURES;
            failed = failed.into_iter().chain(failures).reduce(ConsumeError::earlier);
            if all_failed {
                break;
            }
        }
        let Some(failed) = failed else { return Ok(()) };
        // Records that were not started must be delivered again too.
        match records.first().and_then(first_of).filter(|next| **next < failed.sequence) {
            Some(next) => Err(ConsumeError { sequence: next.clone(), ..failed }),
            None => Err(failed),
        }
    }

    /// Runs the rules that answer some events, in order. If rules fail for an event, later events of its record
    /// wait, but not those of other records.
    async fn run_rules_for_record(
        &self,
        rules: &[Rule],
        events: RecordEvents<'_>,
    ) -> Result<(), ConsumeError> {
        let mut failed: Option<ConsumeError> = None;
        let (mut waiting, mut consecutive) = (BTreeSet::new(), 0);
        for (change, event) in &events {
            if waiting.contains(&change.key.pk) {
                continue;
            }
            match self.run_rules_for_event(rules, change, event).await {
                Ok(()) => consecutive = 0,
                Err(error) => {
                    waiting.insert(&change.key.pk);
                    consecutive += 1;
                    failed = failed.or(Some(error));
                }
            }
            if consecutive >= MAX_CONSECUTIVE_FAILURES {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Runs all rules that answer an event. A rule that fails does not block the others.
    async fn run_rules_for_event(
        &self,
        rules: &[Rule],
        change: &Change,
        event: &Event,
    ) -> Result<(), ConsumeError> {
        let mut failed = None;
        for rule in rules.iter().filter(|rule| rule.answers(event)) {
            let Err(cause) = self.rules.run(rule, event).await else { continue };
            if let Err(error) = self.dead_letter_or_fail(change, cause).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
