//! Counts changes: each once, in transactions of what was counted of the records and the counters.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::projection::{Counted, Projection, Shape, StreamRecord, Sums};
use super::{
    AS_OF, BY_STATE, GENERATION, RECOUNT, REVISION, cause_attribute, day_key, next_attribute,
    state_attribute, stats_key,
};
use crate::stats::Statistics;
use crate::store::schema::TTL;
use crate::store::stream::{Change, Sequence};
use crate::store::{
    Condition, GuardedWrite, Item, Key, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

/// The sort key of what was counted of a record.
const COUNTED: &str = "COUNTED";
/// What was counted of so many records is read in one call.
const READ_TOGETHER: usize = 100;
/// Calls that are made at the same time, where that makes sense.
const AT_ONCE: usize = 32;
/// Attributes of states that one transaction changes: DynamoDB's expressions are of 4 KB at most, and a change of a state
/// takes some 20 bytes.
const STATE_ATTRIBUTES: usize = 100;
/// How long it is remembered that a record went: longer than any stream tells of it, in seconds.
const GONE_FOR: i64 = 30 * 24 * 60 * 60;

/// From which change on nothing was counted, and why.
#[derive(Debug, thiserror::Error)]
#[error("the change was not counted: {cause}")]
pub struct ProjectionError {
    /// The place of the change.
    pub sequence: Sequence,
    /// What failed.
    #[source]
    pub cause: StoreError,
    /// Whether it is this change that cannot be read. Otherwise the changes could not be counted together.
    pub is_unreadable: bool,
}

impl Statistics {
    /// Counts what changes of leads and orders make of the statistics: each change once, however often it is told.
    ///
    /// # Errors
    /// [`ProjectionError`]: all changes before that one are counted. Counting them all again is right.
    pub async fn count(&self, changes: &[Change]) -> Result<(), ProjectionError> {
        let (sightings, broken) = sightings(changes);
        if let Some(first) = sightings.first() {
            let sequence = first.sequence.clone();
            let counted = self.count_all(&sightings).await;
            counted.map_err(|cause| ProjectionError { sequence, cause, is_unreadable: false })?;
        }
        broken.map_or(Ok(()), Err)
    }
}

/// What counts of some changes in the order in which they happened, up to the first that cannot be read.
fn sightings(changes: &[Change]) -> (Vec<StreamRecord>, Option<ProjectionError>) {
    let (mut sightings, mut broken) = (Vec::new(), None);
    for change in changes {
        match StreamRecord::of(change) {
            Ok(sighting) => sightings.extend(sighting),
            Err(cause) => {
                let sequence = change.sequence.clone();
                broken = Some(ProjectionError { sequence, cause, is_unreadable: true });
                break;
            }
        }
    }
    sightings.sort_by(|one, other| one.sequence.cmp(&other.sequence));
    (sightings, broken)
}

impl Statistics {
    async fn count_all(&self, sightings: &[StreamRecord]) -> Result<(), StoreError> {
        let mut retries = self.background.retries();
        loop {
            if self.try_to_count(sightings).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Counts what is not counted yet; says whether nobody else counted the same meanwhile.
    async fn try_to_count(&self, sightings: &[StreamRecord]) -> Result<bool, StoreError> {
        let records = by_record(sightings);
        let epoch = Epoch::read(self).await?;
        let known = self.read_counters(&records).await?;
        let as_of = sightings.iter().map(|sighting| sighting.at).max();
        let steps = join(records.iter().filter_map(|record| Step::of(record, known.get(record.pk), &epoch)));
        let Some((last, others)) = steps.split_last() else { return Ok(true) };
        // Their records differ, and what they add to the counters can be added in any order.
        let at_once = if self.background.conflicts() { 1 } else { AT_ONCE };
        let writes: Vec<_> = others.iter().map(|step| step.write(self, &epoch, None)).collect();
        let written: Vec<bool> = stream::iter(writes).buffer_unordered(at_once).try_collect().await?;
        if written.contains(&false) {
            return Ok(false);
        }
        // Only now do the statistics stand for the time of the last change.
        last.write(self, &epoch, as_of).await
    }
}

/// The sightings of one record, in order.
struct Record<'a> {
    pk: &'a str,
    sightings: Vec<&'a StreamRecord>,
}

/// The sightings by record, in the order of the records' first.
fn by_record(sightings: &[StreamRecord]) -> Vec<Record<'_>> {
    let mut records: Vec<Record<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for sighting in sightings {
        let place = *places.entry(&sighting.pk).or_insert(records.len());
        match records.get_mut(place) {
            Some(record) => record.sightings.push(sighting),
            None => records.push(Record { pk: &sighting.pk, sightings: vec![sighting] }),
        }
    }
    records
}

fn counted_key(pk: &str) -> Key {
    Key::new(pk, COUNTED)
}

/// Which records the counters have: those that were counted in this generation, and those that the recount took in
/// which made it. A recount begins a new generation, which replaces the present one once all records are in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Epoch {
    /// What the last recount was called; none before the first.
    pub generation: Option<String>,
    /// What the recount is called that runs now.
    pub recount: Option<String>,
}

impl Epoch {
    /// What the statistics say. One call.
    pub async fn read(statistics: &Statistics) -> Result<Self, StoreError> {
        let items = statistics.background.get_parts(&[stats_key()], &[GENERATION, RECOUNT]).await?;
        Ok(items.first().map(Self::of).unwrap_or_default())
    }

    /// What the statistics item says.
    pub fn of(item: &Item) -> Self {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        Self { generation: text(GENERATION), recount: text(RECOUNT) }
    }

    /// What the counters have of a record.
    fn in_counters(&self, counted: Option<&Counted>) -> Option<Shape> {
        let has = |counted: &&Counted| {
            counted.generation == self.generation
                || (self.generation.is_some() && counted.recount == self.generation)
        };
        counted.filter(has).map(|counted| counted.shape)
    }

    /// What the recount has of a record.
    fn in_recount(&self, counted: Option<&Counted>) -> Option<Shape> {
        let has = |counted: &&Counted| self.recount.is_some() && counted.recount == self.recount;
        counted.filter(has).map(|counted| counted.shape)
    }

    /// That the statistics still say this, and count by state.
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
    /// What was counted of the records, by their partitions.
    async fn read_counters(&self, records: &[Record<'_>]) -> Result<HashMap<String, Counted>, StoreError> {
        let pks: Vec<&str> = records.iter().map(|record| record.pk).collect();
        self.read_counted(&pks).await
    }

    /// What was counted of the records in these partitions.
    pub(super) async fn read_counted(&self, pks: &[&str]) -> Result<HashMap<String, Counted>, StoreError> {
        let keys: Vec<Key> = pks.iter().map(|pk| counted_key(pk)).collect();
        let reads: Vec<_> = keys.chunks(READ_TOGETHER).map(|keys| self.background.get_all(keys)).collect();
        let items: Vec<Vec<Item>> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
        let pair = |item: Item| {
            let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
            from_item(item).map(|counted| (pk, counted))
        };
        items.into_iter().flatten().map(pair).collect()
    }
}

/// Steps of different records, as few transactions as they fit into.
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

/// One transaction of counting.
#[derive(Debug)]
pub(super) struct Step {
    projection: Projection,
    /// Of each record, what was counted when the step began, and what is now.
    records: Vec<(String, Option<Counted>, Counted)>,
}

impl Step {
    /// What is new of a record, if anything is.
    fn of(record: &Record<'_>, known: Option<&Counted>, epoch: &Epoch) -> Option<Self> {
        let (mut projection, mut last) = (Projection::default(), known.cloned());
        let mut in_counters = epoch.in_counters(known);
        for sighting in &record.sightings {
            if last.as_ref().is_some_and(|counted| !counted.is_before(sighting)) {
                continue;
            }
            let shape = sighting.shape();
            projection.add(last.as_ref().map(|counted| counted.shape), in_counters, sighting);
            in_counters = Some(shape);
            last = Some(Counted {
                sequence: sighting.sequence.clone(),
                revision: Some(sighting.after),
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
            projection.next.add(epoch.in_recount(known), after.shape);
        }
        Some(Self { projection, records: vec![(record.pk.to_owned(), known.cloned(), after)] })
    }

    /// Takes a record into a recount as it is now, whatever was counted of it; nothing if it is there already.
    pub fn of_recount(now: &StreamRecord, known: Option<&Counted>, epoch: &Epoch) -> Option<Self> {
        let (mut projection, shape) = (Projection::default(), now.shape());
        let (counted, in_counters) = (known.map(|known| known.shape), epoch.in_counters(known));
        let in_recount = epoch.in_recount(known);
        if in_recount == Some(shape) && in_counters == Some(shape) {
            return None;
        }
        // What happened to it and was never counted belongs to a day.
        projection.add(counted, in_counters, now);
        projection.next.add(in_recount, shape);
        let sequence = known.map(|known| known.sequence.clone()).unwrap_or_default();
        let (generation, recount) = (epoch.generation.clone(), epoch.recount.clone());
        let after = Counted { sequence, revision: Some(now.after), shape, generation, recount };
        Some(Self { projection, records: vec![(now.pk.clone(), known.cloned(), after)] })
    }

    /// Whether the step changes counters, and not only takes records into a recount.
    pub fn corrects(&self) -> bool {
        !self.projection.desk.is_nothing()
            || self.projection.states.values().any(|state| !state.sums.is_nothing())
            || self.projection.days.values().any(|day| !day.is_nothing())
    }

    /// Whether another record's step can become part of this one.
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

    /// Counts, and says whether nothing of it was counted by others in the meantime.
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
                let until = statistics.clock.now().as_second() + GONE_FOR;
                item.insert(TTL.to_owned(), to_attribute(until)?);
            }
            write = write.put("counted", item, same);
        }
        match statistics.background.write(add_counters(write, &self.projection, epoch, as_of)?).await {
            Ok(()) => Ok(true),
            Err(WriteError::Refused(refusal)) => {
                let is_former = |item: Option<&Item>| item.is_none_or(|item| !item.contains_key(BY_STATE));
                if refusal.of("stats") && is_former(refusal.item("stats")) {
                    statistics.take_over().await?;
                }
                Ok(false)
            }
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}

/// That nothing was counted of a record since this was.
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
    // With each step, so that a recount sees whether it read the counters as they are.
    let mut stats = sums(&projection.desk).add(REVISION, 1);
    for (name, by) in projection.next.desk.changed() {
        stats = stats.add(&next_attribute(name), by);
    }
    for (state, sums) in &projection.next.states {
        for (stock, by) in sums.changed() {
            stats = stats.add(&next_attribute(&state_attribute(stock, *state)), by);
        }
    }
    if let Some(as_of) = as_of {
        stats = stats.set(AS_OF, to_attribute(as_of)?);
    }
    for (state, projection) in
        projection.states.iter().filter(|(_, projection)| !projection.sums.is_nothing())
    {
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
    for (date, projection) in projection.days.iter().filter(|(_, projection)| !projection.is_nothing()) {
        write = write.update_derived("day", &day_key(*date), &sums(projection));
    }
    Ok(write)
}
