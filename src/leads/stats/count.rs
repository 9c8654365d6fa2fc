//! Counts changes: each once, in transactions of what was counted of the records and the counters.

use std::collections::HashMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::tally::{Counted, Shape, Sighting, Sums, Tally};
use super::{AS_OF, BY_STATE, cause_attribute, day_key, former, state_attribute, stats_key};
use crate::app::App;
use crate::dynamo::schema::TTL;
use crate::dynamo::stream::{Change, Sequence};
use crate::dynamo::{
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
    let (sightings, broken) = sightings(changes);
    if let Some(first) = sightings.first() {
        let sequence = first.sequence.clone();
        all(app, &sightings).await.map_err(|cause| Uncounted { sequence, cause })?;
    }
    broken.map_or(Ok(()), Err)
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
    let mut retries = app.background.retries();
    loop {
        if try_all(app, sightings).await? {
            return Ok(());
        }
        retries.backoff().await?;
    }
}

/// Counts what is not counted yet; says whether nobody else counted the same meanwhile.
async fn try_all(app: &App, sightings: &[Sighting]) -> Result<bool, StoreError> {
    let records = by_record(sightings);
    let known = read(app, &records).await?;
    let as_of = sightings.iter().map(|sighting| sighting.at).max();
    let steps = steps(&records, &known);
    let Some((last, others)) = steps.split_last() else { return Ok(true) };
    // Their records differ, and what they add to the counters can be added in any order.
    let at_once = if app.background.conflicts() { 1 } else { AT_ONCE };
    let writes: Vec<_> = others.iter().map(|step| step.write(app, None)).collect();
    let written: Vec<bool> = stream::iter(writes).buffer_unordered(at_once).try_collect().await?;
    if written.contains(&false) {
        return Ok(false);
    }
    // Only now do the statistics stand for the time of the last change.
    last.write(app, as_of).await
}

/// The sightings of one record, in order.
struct Record<'a> {
    pk: &'a str,
    sightings: Vec<&'a Sighting>,
}

/// The sightings by record, in the order of the records' first.
fn by_record(sightings: &[Sighting]) -> Vec<Record<'_>> {
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

/// What was counted of the records, by their partitions.
async fn read(app: &App, records: &[Record<'_>]) -> Result<HashMap<String, Counted>, StoreError> {
    let keys: Vec<Key> = records.iter().map(|record| counted_key(record.pk)).collect();
    let reads: Vec<_> = keys.chunks(READ_TOGETHER).map(|keys| app.background.get_all(keys)).collect();
    let items: Vec<Vec<Item>> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
    let pair = |item: Item| {
        let pk = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned().unwrap_or_default();
        from_item(item).map(|counted| (pk, counted))
    };
    items.into_iter().flatten().map(pair).collect()
}

/// The transactions that count what is not counted yet, each of other records.
fn steps(records: &[Record<'_>], known: &HashMap<String, Counted>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for record in records {
        let Some(one) = Step::of(record, known.get(record.pk)) else { continue };
        match steps.last_mut().filter(|step| step.fits(&one)) {
            Some(step) => step.add(one),
            None => steps.push(one),
        }
    }
    steps
}

/// One transaction of counting.
struct Step {
    tally: Tally,
    /// Of each record, what was counted when the step began, and what is now.
    records: Vec<(String, Option<Sequence>, Counted)>,
}

impl Step {
    /// What is new of a record, if anything is.
    fn of(record: &Record<'_>, known: Option<&Counted>) -> Option<Self> {
        let (mut tally, mut last) = (Tally::default(), known.cloned());
        let is_new = |sighting: &&&Sighting| known.is_none_or(|known| known.sequence < sighting.sequence);
        for sighting in record.sightings.iter().filter(is_new) {
            tally.add(last.as_ref().map(|counted| counted.shape), sighting);
            last = Some(Counted { sequence: sighting.sequence.clone(), shape: sighting.shape() });
        }
        let before = known.map(|known| known.sequence.clone());
        let after = last.filter(|after| before.as_ref() != Some(&after.sequence))?;
        Some(Self { tally, records: vec![(record.pk.to_owned(), before, after)] })
    }

    /// Whether another record's step can become part of this one.
    fn fits(&self, other: &Self) -> bool {
        let items = self.records.len() + other.records.len() + self.tally.items() + other.tally.items();
        let attributes = self.tally.state_attributes() + other.tally.state_attributes();
        items <= GuardedWrite::MAX_ACTIONS && attributes <= STATE_ATTRIBUTES
    }

    fn add(&mut self, other: Self) {
        self.tally.add_all(other.tally);
        self.records.extend(other.records);
    }

    async fn write(&self, app: &App, as_of: Option<Timestamp>) -> Result<bool, StoreError> {
        let mut write = app.background.guarded_write();
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
        match app.background.write(add_counters(write, &self.tally, as_of)?).await {
            Ok(()) => Ok(true),
            Err(WriteError::Refused(refusal)) => {
                if refusal.of("stats") {
                    former::take_over(app).await?;
                }
                Ok(false)
            }
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}

fn add_counters(
    mut write: GuardedWrite,
    tally: &Tally,
    as_of: Option<Timestamp>,
) -> Result<GuardedWrite, StoreError> {
    let sums =
        |sums: &Sums| sums.changed().fold(Update::default(), |update, (name, by)| update.add(name, by));
    let mut stats = sums(&tally.desk);
    if let Some(as_of) = as_of {
        stats = stats.set(AS_OF, to_attribute(as_of)?);
    }
    for (state, tally) in tally.states.iter().filter(|(_, tally)| !tally.sums.is_nothing()) {
        for (stock, by) in tally.sums.changed() {
            stats = stats.add(&state_attribute(stock, *state), by);
        }
        let cause = cause_attribute(*state);
        stats = match &tally.cause {
            Some(rule) => stats.set(&cause, to_attribute(rule)?),
            None => stats.remove(&cause),
        };
    }
    let counts_by_state = Condition::Equals(BY_STATE, to_attribute(true)?);
    write = write.update("stats", &stats_key(), &stats, counts_by_state);
    for (date, tally) in tally.days.iter().filter(|(_, tally)| !tally.is_nothing()) {
        write = write.update_derived("day", &day_key(*date), &sums(tally));
    }
    Ok(write)
}
