//! Counts changes: each once, in transactions of what was counted of the records and the counters.

use std::collections::HashMap;

use super::super::items::COUNTED;
use super::tally::{Counted, Shape, Sighting, Sums, Tally};
use super::{AS_OF, day_key, desk_key, state_key};
use crate::app::App;
use crate::dynamo::schema::TTL;
use crate::dynamo::stream::{Change, Sequence};
use crate::dynamo::{
    Condition, GuardedWrite, Item, Key, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

/// Records that are counted together: their keys fit into one read.
const TOGETHER: usize = 100;
/// How often a count is tried again because another one counts the same.
const ATTEMPTS: u32 = 20;
/// How long it is remembered that a record went: longer than any stream tells of it, in seconds.
const GONE_FOR: i64 = 30 * 24 * 60 * 60;

/// From which change on nothing was counted, and why.
#[derive(Debug, thiserror::Error)]
#[error("the change was not counted: {cause}")]
pub struct Uncounted {
    /// The place of the change.
    pub sequence: Sequence,
    /// What failed.
    #[source]
    pub cause: StoreError,
}

/// Counts what changes of leads and orders make of the statistics: each change once, however often it is told.
///
/// # Errors
/// [`Uncounted`]: all changes before that one are counted. Counting them all again is right.
pub async fn count(app: &App, changes: &[Change]) -> Result<(), Uncounted> {
    for chunk in changes.chunks(TOGETHER) {
        let (sightings, broken) = sightings(chunk);
        if let Some(first) = sightings.first() {
            let sequence = first.sequence.clone();
            all(app, &sightings).await.map_err(|cause| Uncounted { sequence, cause })?;
        }
        broken.map_or(Ok(()), Err)?;
    }
    Ok(())
}

/// What counts of some changes in the order in which they happened, up to the first that cannot be read.
fn sightings(changes: &[Change]) -> (Vec<Sighting>, Option<Uncounted>) {
    let (mut sightings, mut broken) = (Vec::new(), None);
    for change in changes {
        match Sighting::of(change) {
            Ok(sighting) => sightings.extend(sighting),
            Err(cause) => {
                broken = Some(Uncounted { sequence: change.sequence.clone(), cause });
                break;
            }
        }
    }
    sightings.sort_by(|one, other| one.sequence.cmp(&other.sequence));
    (sightings, broken)
}

async fn all(app: &App, sightings: &[Sighting]) -> Result<(), StoreError> {
    for attempt in 0..ATTEMPTS {
        if try_all(app, sightings).await? {
            return Ok(());
        }
        app.dynamo.pause(attempt).await;
    }
    Err(StoreError::contradiction("TransactWriteItems", &desk_key()))
}

/// Counts what is not counted yet; says whether nobody else counted the same meanwhile.
async fn try_all(app: &App, sightings: &[Sighting]) -> Result<bool, StoreError> {
    let mut known = read(app, sightings).await?;
    let mut step = Step::default();
    for sighting in sightings {
        let counted = known.get(&sighting.pk);
        if counted.is_some_and(|counted| counted.sequence >= sighting.sequence) {
            continue;
        }
        if step.is_full() && !std::mem::take(&mut step).write(app).await? {
            return Ok(false);
        }
        let after = Counted { sequence: sighting.sequence.clone(), shape: sighting.shape() };
        step.add(counted, sighting, after.clone());
        known.insert(sighting.pk.clone(), after);
    }
    step.write(app).await
}

fn counted_key(pk: &str) -> Key {
    Key::new(pk, COUNTED)
}

/// What was counted of the records, by their partitions.
async fn read(app: &App, sightings: &[Sighting]) -> Result<HashMap<String, Counted>, StoreError> {
    let mut partitions: Vec<&str> = sightings.iter().map(|sighting| sighting.pk.as_str()).collect();
    partitions.sort_unstable();
    partitions.dedup();
    let keys: Vec<Key> = partitions.into_iter().map(counted_key).collect();
    let items = app.dynamo.get_all(&keys).await?.into_iter();
    let pair = |item: Item| {
        let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
        from_item(item).map(|counted| (pk, counted))
    };
    items.map(pair).collect()
}

/// One transaction of counting.
#[derive(Default)]
struct Step {
    tally: Tally,
    /// Of each record, what was counted when the step began, and what is now.
    records: Vec<(String, Option<Sequence>, Counted)>,
}

impl Step {
    fn is_full(&self) -> bool {
        let next = 1 + Tally::OF_ONE_CHANGE;
        self.records.len() + self.tally.counters() + next > GuardedWrite::MAX_ACTIONS
    }

    fn add(&mut self, counted: Option<&Counted>, sighting: &Sighting, after: Counted) {
        self.tally.add(counted.map(|counted| counted.shape), sighting);
        match self.records.iter_mut().find(|(pk, ..)| *pk == sighting.pk) {
            Some((_, _, record)) => *record = after,
            None => {
                let before = counted.map(|counted| counted.sequence.clone());
                self.records.push((sighting.pk.clone(), before, after));
            }
        }
    }

    async fn write(self, app: &App) -> Result<bool, StoreError> {
        if self.records.is_empty() {
            return Ok(true);
        }
        let mut write = app.dynamo.guarded_write();
        for (pk, before, after) in &self.records {
            let same = match before {
                Some(sequence) => Condition::is("sequence", sequence.as_str()),
                None => Condition::Absent,
            };
            let mut item = to_item(&counted_key(pk), after)?;
            if after.shape == Shape::Gone {
                let until = app.clock.now().as_second() + GONE_FOR;
                item.insert(TTL.to_owned(), to_attribute(until)?);
            }
            write = write.put("counted", item, same);
        }
        match app.dynamo.write(add_counters(write, &self.tally)?).await {
            Ok(()) => Ok(true),
            Err(WriteError::Refused(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}

fn add_counters(mut write: GuardedWrite, tally: &Tally) -> Result<GuardedWrite, StoreError> {
    let sums =
        |sums: &Sums| sums.changed().fold(Update::default(), |update, (name, by)| update.add(name, by));
    let as_of = to_attribute(tally.as_of)?;
    let desk = sums(&tally.desk).set(AS_OF, as_of.clone());
    write = write.update_derived("desk", &desk_key(), &desk);
    for (state, tally) in tally.states.iter().filter(|(_, tally)| !tally.sums.is_nothing()) {
        let update = sums(&tally.sums).set(AS_OF, as_of.clone());
        let update = match &tally.cause {
            Some(cause) => update.set("cause", to_attribute(cause)?),
            None => update.remove("cause"),
        };
        write = write.update_derived("state", &state_key(*state), &update);
    }
    for (date, tally) in tally.days.iter().filter(|(_, tally)| !tally.is_nothing()) {
        write = write.update_derived("day", &day_key(*date), &sums(tally));
    }
    Ok(write)
}
