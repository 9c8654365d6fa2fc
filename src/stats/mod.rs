//! Statistics: what the table's stream counted of leads and orders, a moment old.
//!
//! What always holds: what is counted of one lead or order stands beside it with the revision that was counted last, and
//! is written in one transaction with the counters; so each change counts once, however often and in whatever order the
//! stream delivers it, and the counters are the sum of what stands beside the records. The revision is the record's own:
//! a table that was restored from a backup has another stream, and is counted on all the same.

pub mod count;
mod former;
mod projection;
mod recount;
mod service;

pub use count::ProjectionError;
pub use former::is_former;
pub use recount::{RecountError, Recounted};
pub use service::Statistics;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::base::telemetry::{LATE_SECONDS, late_words};
use crate::base::values::UsState;
use crate::leads::domain::{Status, Stock};
use crate::shared::audit::Cause;
use crate::store::{Item, Key, StoreError, from_item};

/// What the stream counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The time that it stands for: of the last change that was counted.
    pub as_of: Option<Timestamp>,
    /// How many seconds they are behind the changes, if that is known and more than 5.
    pub late_by_seconds: Option<u64>,
    /// All leads.
    pub total: u64,
    /// By status, all of them.
    pub by_status: Vec<StatusCount>,
    /// By stock, all of them.
    pub by_stock: Vec<StockCount>,
    /// By state, all 51; leads without a state are in none.
    pub by_state: Vec<StateCount>,
}

impl Stats {
    /// The same, where readers know of a change at this time that may not be counted.
    #[must_use]
    pub fn known_changed(self, changed: Option<Timestamp>, now: Timestamp) -> Self {
        let seconds = |from: Timestamp, to: Timestamp| u64::try_from(to.duration_since(from).as_secs());
        let uncounted = |as_of: &Timestamp| {
            changed.is_some_and(|changed| seconds(*as_of, changed).is_ok_and(|by| by > LATE_SECONDS))
        };
        let late = self.as_of.filter(uncounted).and_then(|as_of| seconds(as_of, now).ok());
        Self { late_by_seconds: self.late_by_seconds.or(late), ..self }
    }

    /// How far they are behind the changes, in words: `12 seconds`.
    pub fn late(&self) -> Option<String> {
        let seconds = i64::try_from(self.late_by_seconds?).unwrap_or(i64::MAX);
        late_words(Some(SignedDuration::from_secs(seconds)))
    }
}

/// Leads of one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatusCount {
    /// The status.
    pub status: Status,
    /// How many.
    pub count: u64,
}

/// Leads of one stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StockCount {
    /// The stock.
    pub stock: Stock,
    /// How many.
    pub count: u64,
}

/// Leads of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateCount {
    /// The state.
    pub state: UsState,
    /// Free.
    pub unassigned: u64,
    /// Out in open orders.
    pub assigned: u64,
    /// Delivered.
    pub fulfilled: u64,
    /// Kept back.
    pub withheld: u64,
}

/// What happened on one day in New York.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Day {
    /// The day.
    pub date: Date,
    /// Leads created or imported.
    pub leads_created: u64,
    /// Leads that became QUALIFIED.
    pub leads_qualified: u64,
    /// Leads that became CONVERTED.
    pub leads_converted: u64,
    /// Orders created.
    pub orders_created: u64,
    /// Orders fulfilled.
    pub orders_fulfilled: u64,
    /// Leads delivered in fulfilled orders.
    pub leads_delivered: u64,
}

/// The most days that are read at once.
const MOST_DAYS: u8 = 31;
/// The attribute that says for which time a counter stands.
const AS_OF: &str = "asOf";
/// The attribute that says that the statistics count by state as well. Before, each state had an item.
const BY_STATE: &str = "byState";
/// The attribute that grows with every change of the statistics.
const REVISION: &str = "revision";
/// The attribute that names the last recount.
const GENERATION: &str = "generation";
/// The attribute that names the recount that runs.
const RECOUNT: &str = "recount";
/// What the attributes of its counters begin with.
const NEXT: &str = "n_";

/// The attribute of a recount's counter.
fn next_attribute(name: &str) -> String {
    format!("{NEXT}{name}")
}

fn stats_key() -> Key {
    Key::new("STATS", "STATS")
}

/// Whether this is the key of the statistics.
pub fn is_stats(key: &Key) -> bool {
    *key == stats_key()
}

fn day_key(date: Date) -> Key {
    Key::new(format!("DAY#{date}"), "DAY")
}

/// The attribute that counts one stock of a state.
fn state_attribute(stock: &str, state: UsState) -> String {
    format!("{stock}{state}")
}

/// The attribute that says which rule was behind the last change of a state's counts.
fn cause_attribute(state: UsState) -> String {
    format!("cause{state}")
}

/// A number of an item, 0 where it has none.
fn number(item: &Item, name: &str) -> i64 {
    let number = || item.get(name)?.as_n().ok()?.parse().ok();
    number().unwrap_or_default()
}

/// Less than nothing can only be a change that another one, not yet counted, makes up for.
fn at_least_zero(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Counts by state in the statistics item.
pub struct StateCounts<'a>(&'a Item);

impl<'a> StateCounts<'a> {
    /// Wraps the statistics item.
    pub fn of(item: &'a Item) -> Self {
        Self(item)
    }

    /// How many leads of a state there are of a stock, if that was ever counted.
    pub fn stored(&self, state: UsState, stock: Stock) -> Option<u64> {
        let name = state_attribute(stock.slug(), state);
        self.0.contains_key(&name).then(|| at_least_zero(number(self.0, &name)))
    }

    /// What was behind the last change of a state's counts, if it was a rule.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if it cannot be read.
    pub fn cause(&self, state: UsState) -> Result<Option<Cause>, StoreError> {
        let cause = self.0.get(&cause_attribute(state)).cloned();
        cause
            .map(|cause| from_item::<Caused>([("cause".to_owned(), cause)].into()))
            .transpose()
            .map(|caused| caused.map(|Caused { cause }| cause))
    }
}

#[derive(Deserialize)]
struct Caused {
    cause: Cause,
}

impl Statistics {
    /// The statistics, one read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(&self) -> Result<Stats, StoreError> {
        let item = self.dynamo.get(&stats_key()).await?;
        // Earlier versions wrote the one item with those of states.
        let is_former = |item: &Option<Item>| item.as_ref().is_some_and(|item| !item.contains_key(BY_STATE));
        let (mut item, mut former) = (item, Vec::new());
        if is_former(&item) {
            former = former::read(&self.dynamo).await?;
            // They may have been taken over between the two reads.
            item = self.dynamo.get(&stats_key()).await?;
            if !is_former(&item) {
                former.clear();
            }
        }
        let item = item.unwrap_or_default();
        let of_state = |state| {
            let former = former.iter().find(|(other, _)| *other == state).map(|(_, item)| item);
            let count = |stock: Stock| {
                let former = former.map_or(0, |item| number(item, stock.slug()));
                at_least_zero(number(&item, &state_attribute(stock.slug(), state)) + former)
            };
            let [unassigned, assigned, fulfilled, withheld] = Stock::ALL.map(count);
            StateCount { state, unassigned, assigned, fulfilled, withheld }
        };
        let count = |name| at_least_zero(number(&item, name));
        let age = self.heartbeats.stream_age(self.clock.now());
        let late = age.and_then(|age| u64::try_from(age.as_secs()).ok()).filter(|late| *late > LATE_SECONDS);
        Ok(Stats {
            late_by_seconds: late,
            as_of: item.get(AS_OF).and_then(|value| value.as_s().ok()?.parse().ok()),
            total: count(projection::TOTAL),
            by_state: UsState::all().map(of_state).collect(),
            by_status: Status::ALL.map(|status| StatusCount { status, count: count(status.slug()) }).into(),
            by_stock: Stock::ALL.map(|stock| StockCount { stock, count: count(stock.slug()) }).into(),
        })
    }

    /// The days up to `last`, oldest first, `count` of them (at most 31).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn days(&self, last: Date, count: u8) -> Result<Vec<Day>, StoreError> {
        let before = |date: &Date| date.yesterday().ok();
        let mut dates: Vec<Date> =
            std::iter::successors(Some(last), before).take(count.min(MOST_DAYS).into()).collect();
        dates.reverse();
        let keys: Vec<Key> = dates.iter().map(|date| day_key(*date)).collect();
        let items = self.dynamo.get_all(&keys).await?;
        let day = |date| {
            let key = day_key(date);
            let is_day = |item: &&Item| item.get("pk").and_then(|pk| pk.as_s().ok()) == Some(&key.pk);
            let item = items.iter().find(is_day);
            let count = |name| at_least_zero(item.map_or(0, |item| number(item, name)));
            Day {
                date,
                leads_created: count(projection::LEADS_CREATED),
                leads_qualified: count(projection::LEADS_QUALIFIED),
                leads_converted: count(projection::LEADS_CONVERTED),
                orders_created: count(projection::ORDERS_CREATED),
                orders_fulfilled: count(projection::ORDERS_FULFILLED),
                leads_delivered: count(projection::LEADS_DELIVERED),
            }
        };
        Ok(dates.into_iter().map(day).collect())
    }
}
