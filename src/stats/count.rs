//! Counts changes exactly once: each transaction writes the counters together with what was counted for each record.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::items::{
    AS_OF, BY_STATE, GENERATION, RECOUNT, REVISION, cause_attribute, day_key, next_attribute,
    state_attribute, stats_key,
};
use super::projection::{Projection, Sums};
use super::stream_record::{Counted, Shape, StreamRecord};
use crate::stats::Statistics;
use crate::store::schema::TTL;
use crate::store::stream::{Change, Sequence};
use crate::store::{
    Condition, GuardedWrite, Item, Key, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

/// The sort key of the item that says what was counted for a record.
const COUNTED: &str = "COUNTED";
/// The number of records whose counted state one call reads.
const READ_BATCH: usize = 100;
/// The number of concurrent calls.
const CONCURRENCY: usize = 32;
/// The most attributes of states that one transaction changes. DynamoDB limits an expression to 4 KB, and each
/// attribute takes about 20 bytes of it.
const STATE_ATTRIBUTES: usize = 100;
/// How long the counted state of a deleted record is kept, in seconds. No stream delivers a change after that time.
const DELETED_RETENTION_SECS: i64 = 30 * 24 * 60 * 60;

/// The first change that was not counted, and why.
#[derive(Debug, thiserror::Error)]
#[error("the change was not counted: {cause}")]
pub struct ProjectionError {
    /// The change's position in the stream.
    pub sequence: Sequence,
    /// The failure.
    #[source]
    pub cause: StoreError,
    /// Whether this change is unreadable. Otherwise writing a group of changes failed.
    pub is_unreadable: bool,
}

impl Statistics {
    /// Counts changes of leads and orders. Each change counts once, however often the stream delivers it.
    ///
    /// # Errors
    /// [`ProjectionError`]: all changes before the named one are counted. It is safe to count all of them again.
    pub async fn count(&self, changes: &[Change]) -> Result<(), ProjectionError> {
        let (stream_records, broken) = stream_records(changes);
        if let Some(first) = stream_records.first() {
            let sequence = first.sequence.clone();
            let counted = self.count_all(&stream_records).await;
            counted.map_err(|cause| ProjectionError { sequence, cause, is_unreadable: false })?;
        }
        broken.map_or(Ok(()), Err)
    }
}

/// Reads the changes of leads and orders, in stream order, up to the first unreadable one.
fn stream_records(changes: &[Change]) -> (Vec<StreamRecord>, Option<ProjectionError>) {
    let (mut stream_records, mut broken) = (Vec::new(), None);
    for change in changes {
        match StreamRecord::of(change) {
            Ok(change) => stream_records.extend(change),
            Err(cause) => {
                let sequence = change.sequence.clone();
                broken = Some(ProjectionError { sequence, cause, is_unreadable: true });
                break;
            }
        }
    }
    stream_records.sort_by(|one, other| one.sequence.cmp(&other.sequence));
    (stream_records, broken)
}

impl Statistics {
    async fn count_all(&self, stream_records: &[StreamRecord]) -> Result<(), StoreError> {
        let mut retries = self.background.retries();
        loop {
            if self.try_to_count(stream_records).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Counts what is not counted yet. Returns false if another worker counted the same records at the same time.
    async fn try_to_count(&self, stream_records: &[StreamRecord]) -> Result<bool, StoreError> {
        let records = group_by_record(stream_records);
        let epoch = Epoch::read(self).await?;
        let pks: Vec<&str> = records.iter().map(|record| record.pk).collect();
        let known = self.read_counted(&pks).await?;
        let as_of = stream_records.iter().map(|record| record.at).max();
        let steps = join(records.iter().filter_map(|record| Step::of(record, known.get(record.pk), &epoch)));
        let Some((last, others)) = steps.split_last() else { return Ok(true) };
        // The steps write different records, and the counters can be added to in any order.
        let concurrency = if self.background.conflicts() { 1 } else { CONCURRENCY };
        let writes: Vec<_> = others.iter().map(|step| step.write(self, &epoch, None)).collect();
        let written: Vec<bool> = stream::iter(writes).buffer_unordered(concurrency).try_collect().await?;
        if written.contains(&false) {
            return Ok(false);
        }
        // The last step sets the time of the statistics, because all changes are counted only then.
        last.write(self, &epoch, as_of).await
    }
}

/// The changes of one record, in order.
struct RecordChanges<'a> {
    pk: &'a str,
    changes: Vec<&'a StreamRecord>,
}

/// Groups changes by record, in the order of each record's first change.
fn group_by_record(stream_records: &[StreamRecord]) -> Vec<RecordChanges<'_>> {
    let mut records: Vec<RecordChanges<'_>> = Vec::new();
    let mut indexes: HashMap<&str, usize> = HashMap::new();
    for change in stream_records {
        let index = *indexes.entry(&change.pk).or_insert(records.len());
        match records.get_mut(index) {
            Some(record) => record.changes.push(change),
            None => records.push(RecordChanges { pk: &change.pk, changes: vec![change] }),
        }
    }
    records
}

fn counted_key(pk: &str) -> Key {
    Key::new(pk, COUNTED)
}

/// The current generation of the statistics and the running recount. The counters include each record counted in this
/// generation, and each record that the recount before it included. When a recount has included all records, its
/// counters replace the statistics and start the next generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Epoch {
    /// The id of the last completed recount, or `None` before the first.
    pub generation: Option<String>,
    /// The id of the running recount.
    pub recount: Option<String>,
}

impl Epoch {
    /// Reads the epoch from the table in one call.
    pub async fn read(statistics: &Statistics) -> Result<Self, StoreError> {
        let items = statistics.background.get_parts(&[stats_key()], &[GENERATION, RECOUNT]).await?;
        Ok(items.first().map(Self::of).unwrap_or_default())
    }

    /// Reads the epoch from the statistics item.
    pub fn of(item: &Item) -> Self {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        Self { generation: text(GENERATION), recount: text(RECOUNT) }
    }

    /// Returns the shape that the counters include for a record.
    fn in_counters(&self, counted: Option<&Counted>) -> Option<Shape> {
        let has = |counted: &&Counted| {
            counted.generation == self.generation
                || (self.generation.is_some() && counted.recount == self.generation)
        };
        counted.filter(has).map(|counted| counted.shape)
    }

    /// Returns the shape that the recount includes for a record.
    fn in_recount(&self, counted: Option<&Counted>) -> Option<Shape> {
        let has = |counted: &&Counted| self.recount.is_some() && counted.recount == self.recount;
        counted.filter(has).map(|counted| counted.shape)
    }

    /// Returns the condition that the statistics have this epoch and count by state.
    fn unchanged(&self) -> Result<Condition, StoreError> {
        let text = |text: &Option<String>| text.clone().map(AttributeValue::S);
        Ok(Condition::Same(vec![
            (BY_STATE.to_owned(), Some(to_attribute(true)?)),
            (GENERATION.to_owned(), text(&self.generation)),
            (RECOUNT.to_owned(), text(&self.recount)),
        ]))
    }
}

impl Statistics {
    /// Reads what was counted for the records in these partitions, by partition.
    pub(super) async fn read_counted(&self, pks: &[&str]) -> Result<HashMap<String, Counted>, StoreError> {
        let keys: Vec<Key> = pks.iter().map(|pk| counted_key(pk)).collect();
        let reads: Vec<_> = keys.chunks(READ_BATCH).map(|keys| self.background.get_all(keys)).collect();
        let items: Vec<Vec<Item>> = stream::iter(reads).buffer_unordered(CONCURRENCY).try_collect().await?;
        let pair = |item: Item| {
            let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
            from_item(item).map(|counted| (pk, counted))
        };
        items.into_iter().flatten().map(pair).collect()
    }
}

/// Joins steps of different records into as few transactions as possible.
pub(super) fn join(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut joined: Vec<Step> = Vec::new();
    for one in steps {
        match joined.last_mut().filter(|step| step.fits(&one)) {
            Some(step) => step.add(one),
            None => joined.push(one),
        }
    }
    joined
}

/// One transaction that counts changes of one or more records.
#[derive(Debug)]
pub(super) struct Step {
    projection: Projection,
    /// For each record: its partition, what was counted before, and what is counted now.
    records: Vec<(String, Option<Counted>, Counted)>,
}

impl Step {
    /// Returns the step that counts a record's new changes, or `None` if all are counted.
    fn of(record: &RecordChanges<'_>, known: Option<&Counted>, epoch: &Epoch) -> Option<Self> {
        let (mut projection, mut last) = (Projection::default(), known.cloned());
        let mut in_counters = epoch.in_counters(known);
        for change in &record.changes {
            if last.as_ref().is_some_and(|counted| !counted.is_before(change)) {
                continue;
            }
            let shape = change.shape();
            projection.add(last.as_ref().map(|counted| counted.shape), in_counters, change);
            in_counters = Some(shape);
            last = Some(Counted {
                sequence: change.sequence.clone(),
                revision: Some(change.after),
                shape,
                generation: epoch.generation.clone(),
                recount: epoch.recount.clone(),
            });
        }
        let after = last?;
        let same = |known: &Counted| known.revision == after.revision && known.shape == after.shape;
        if known.is_some_and(same) {
            return None;
        }
        if epoch.recount.is_some() {
            projection.recount.add(epoch.in_recount(known), after.shape);
        }
        Some(Self { projection, records: vec![(record.pk.to_owned(), known.cloned(), after)] })
    }

    /// Returns the step that includes a record's current state in a recount, or `None` if it is already included.
    pub fn of_recount(now: &StreamRecord, known: Option<&Counted>, epoch: &Epoch) -> Option<Self> {
        let (mut projection, shape) = (Projection::default(), now.shape());
        let (counted, in_counters) = (known.map(|known| known.shape), epoch.in_counters(known));
        let in_recount = epoch.in_recount(known);
        if in_recount == Some(shape) && in_counters == Some(shape) {
            return None;
        }
        // Changes that were never counted still belong to a day.
        projection.add(counted, in_counters, now);
        projection.recount.add(in_recount, shape);
        let sequence = known.map(|known| known.sequence.clone()).unwrap_or_default();
        let (generation, recount) = (epoch.generation.clone(), epoch.recount.clone());
        let after = Counted { sequence, revision: Some(now.after), shape, generation, recount };
        Some(Self { projection, records: vec![(now.pk.clone(), known.cloned(), after)] })
    }

    /// Returns whether the step changes the statistics themselves, and not only the recount.
    pub fn corrects(&self) -> bool {
        !self.projection.totals.is_zero()
            || self.projection.states.values().any(|state| !state.sums.is_zero())
            || self.projection.days.values().any(|day| !day.is_zero())
    }

    /// Returns whether another record's step can join this transaction.
    fn fits(&self, other: &Self) -> bool {
        let items =
            self.records.len() + other.records.len() + self.projection.items() + other.projection.items();
        let attributes = self.projection.state_attributes() + other.projection.state_attributes();
        items <= GuardedWrite::MAX_ACTIONS && attributes <= STATE_ATTRIBUTES
    }

    fn add(&mut self, other: Self) {
        self.projection.add_all(other.projection);
        self.records.extend(other.records);
    }

    /// Writes the step. Returns false if another worker changed one of its items at the same time.
    pub async fn write(
        &self,
        statistics: &Statistics,
        epoch: &Epoch,
        as_of: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let mut write = statistics.background.guarded_write();
        for (pk, before, after) in &self.records {
            let same = match before {
                Some(counted) => unchanged(counted)?,
                None => Condition::Absent,
            };
            let mut item = to_item(&counted_key(pk), after)?;
            if after.shape == Shape::Gone {
                let until = statistics.clock.now().as_second() + DELETED_RETENTION_SECS;
                item.insert(TTL.to_owned(), to_attribute(until)?);
            }
            write = write.put("counted", item, same);
        }
        match statistics.background.write(add_counters(write, &self.projection, epoch, as_of)?).await {
            Ok(()) => Ok(true),
            Err(WriteError::Refused(refusal)) => {
                let is_legacy = |item: Option<&Item>| item.is_none_or(|item| !item.contains_key(BY_STATE));
                if refusal.of("stats") && is_legacy(refusal.item("stats")) {
                    statistics.migrate().await?;
                }
                Ok(false)
            }
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}

/// Returns the condition that nothing was counted for a record since `counted`.
fn unchanged(counted: &Counted) -> Result<Condition, StoreError> {
    let text = |text: &Option<String>| text.clone().map(AttributeValue::S);
    Ok(Condition::Same(vec![
        ("sequence".to_owned(), Some(AttributeValue::S(counted.sequence.as_str().to_owned()))),
        ("revision".to_owned(), counted.revision.map(to_attribute).transpose()?),
        ("generation".to_owned(), text(&counted.generation)),
        ("recount".to_owned(), text(&counted.recount)),
    ]))
}

fn add_counters(
    mut write: GuardedWrite,
    projection: &Projection,
    epoch: &Epoch,
    as_of: Option<Timestamp>,
) -> Result<GuardedWrite, StoreError> {
    let sums =
        |sums: &Sums| sums.changed().fold(Update::default(), |update, (name, by)| update.add(name, by));
    // Each step raises the revision, so that a recount notices a write since it read the counters.
    let mut stats = sums(&projection.totals).add(REVISION, 1);
    for (name, by) in projection.recount.totals.changed() {
        stats = stats.add(&next_attribute(name), by);
    }
    for (state, sums) in &projection.recount.states {
        for (stock, by) in sums.changed() {
            stats = stats.add(&next_attribute(&state_attribute(stock, *state)), by);
        }
    }
    if let Some(as_of) = as_of {
        stats = stats.set(AS_OF, to_attribute(as_of)?);
    }
    for (state, projection) in projection.states.iter().filter(|(_, projection)| !projection.sums.is_zero()) {
        for (stock, by) in projection.sums.changed() {
            stats = stats.add(&state_attribute(stock, *state), by);
        }
        let cause = cause_attribute(*state);
        stats = match &projection.cause {
            Some(rule) => stats.set(&cause, to_attribute(rule)?),
            None => stats.remove(&cause),
        };
    }
    write = write.update("stats", &stats_key(), &stats, epoch.unchanged()?);
    for (date, projection) in projection.days.iter().filter(|(_, projection)| !projection.is_zero()) {
        write = write.update_derived("day", &day_key(*date), &sums(projection));
    }
    Ok(write)
}
