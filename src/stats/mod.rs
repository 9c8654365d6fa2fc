//! Statistics: counts of leads and orders, projected from the table's stream and slightly late.
//!
//! Invariants: an item next to each lead or order says what was counted for it last, and at which revision. One
//! transaction writes this item and the counters. Each change therefore counts once, regardless of how often and in
//! which order the stream delivers it, and the counters equal the sum over these items. The revision comes from the
//! record itself, so counting continues after a restore from a backup, when the table has a new stream.

pub mod count;
mod legacy;
mod projection;
mod recount;
mod service;
mod stream_record;

pub use count::ProjectionError;
pub use legacy::is_legacy;
pub use recount::{RecountError, Recounted};
pub use service::Statistics;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::base::telemetry::{LATE_SECONDS, late_words};
use crate::base::values::UsState;
use crate::leads::domain::{Status, Stock};
use crate::shared::audit::RuleCause;
use crate::store::{Item, Key, StoreError};

/// The counts of all leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The time of the last counted change.
    pub as_of: Option<Timestamp>,
    /// How many seconds the counts are behind the changes, if known and more than 5.
    pub late_by_seconds: Option<u64>,
    /// The number of leads.
    pub total: u64,
    /// The number of leads of each status.
    pub by_status: Vec<StatusCount>,
    /// The number of leads of each stock.
    pub by_stock: Vec<StockCount>,
    /// The number of leads of each of the 51 states. Leads without a state are not included.
    pub by_state: Vec<StateCount>,
}

impl Stats {
    /// Sets the delay if a change at this time, known from elsewhere, is not counted yet.
    #[must_use]
    pub fn known_changed(self, changed: Option<Timestamp>, now: Timestamp) -> Self {
        let seconds = |from: Timestamp, to: Timestamp| u64::try_from(to.duration_since(from).as_secs());
        let is_pending = |as_of: &Timestamp| {
            changed.is_some_and(|changed| seconds(*as_of, changed).is_ok_and(|by| by > LATE_SECONDS))
        };
        let late = self.as_of.filter(is_pending).and_then(|as_of| seconds(as_of, now).ok());
        Self { late_by_seconds: self.late_by_seconds.or(late), ..self }
    }

    /// Returns the number of free leads of a state.
    pub fn free_in(&self, state: UsState) -> u64 {
        self.by_state.iter().find(|count| count.state == state).map_or(0, |count| count.unassigned)
    }

    /// Returns how far the counts are behind the changes, as text: `12 seconds`.
    pub fn late(&self) -> Option<String> {
        let seconds = i64::try_from(self.late_by_seconds?).unwrap_or(i64::MAX);
        late_words(Some(SignedDuration::from_secs(seconds)))
    }
}

/// The number of leads of one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatusCount {
    /// The status.
    pub status: Status,
    /// The number of leads.
    pub count: u64,
}

/// The number of leads of one stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StockCount {
    /// The stock.
    pub stock: Stock,
    /// The number of leads.
    pub count: u64,
}

/// The number of leads of one state, by stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateCount {
    /// The state.
    pub state: UsState,
    /// Free leads.
    pub unassigned: u64,
    /// Leads in open orders.
    pub assigned: u64,
    /// Leads delivered in fulfilled orders.
    pub fulfilled: u64,
    /// Leads withheld from sale.
    pub withheld: u64,
}

/// The events of one day in America/New_York.
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

/// The most days that one call returns.
const MAX_DAYS: u8 = 31;
/// The attribute with the time of the last counted change.
const AS_OF: &str = "asOf";
/// The attribute that says that the statistics item counts by state. Earlier versions had one item for each state.
const BY_STATE: &str = "byState";
/// The attribute that every write of the statistics increments.
const REVISION: &str = "revision";
/// The attribute with the id of the last completed recount.
const GENERATION: &str = "generation";
/// The attribute with the id of the running recount.
const RECOUNT: &str = "recount";
/// The prefix of a running recount's counter attributes.
const NEXT: &str = "n_";

/// Returns the name of a recount's counter attribute.
fn next_attribute(name: &str) -> String {
    format!("{NEXT}{name}")
}

fn stats_key() -> Key {
    Key::new("STATS", "STATS")
}

/// Returns whether this is the key of the statistics item.
pub fn is_stats(key: &Key) -> bool {
    *key == stats_key()
}

fn day_key(date: Date) -> Key {
    Key::new(format!("DAY#{date}"), "DAY")
}

/// Returns the name of the attribute that counts one stock of a state.
fn state_attribute(stock: &str, state: UsState) -> String {
    format!("{stock}{state}")
}

/// Returns the name of the attribute with the rule that caused the last change of a state's counts.
fn cause_attribute(state: UsState) -> String {
    format!("cause{state}")
}

/// Returns a number attribute, or 0 if the item does not have it.
fn number(item: &Item, name: &str) -> i64 {
    let number = || item.get(name)?.as_n().ok()?.parse().ok();
    number().unwrap_or_default()
}

/// Shows a negative counter as 0. A counter is negative only until a change that is not counted yet makes up for it.
fn at_least_zero(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The counts by state in the statistics item.
pub struct StateCounts<'a>(&'a Item);

impl<'a> StateCounts<'a> {
    /// Wraps the statistics item.
    pub fn of(item: &'a Item) -> Self {
        Self(item)
    }

    /// Returns the number of leads of a state and stock, or `None` if none were ever counted.
    pub fn stored(&self, state: UsState, stock: Stock) -> Option<u64> {
        let name = state_attribute(stock.slug(), state);
        self.0.contains_key(&name).then(|| at_least_zero(number(self.0, &name)))
    }

    /// Returns the rule that caused the last change of a state's counts, if a rule did.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if the attribute cannot be read.
    pub fn cause(&self, state: UsState) -> Result<Option<RuleCause>, StoreError> {
        match self.0.get(&cause_attribute(state)) {
            Some(cause) => RuleCause::of([("cause".to_owned(), cause.clone())].into()),
            None => Ok(None),
        }
    }
}

impl Statistics {
    /// Reads the statistics in one call.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn read(&self) -> Result<Stats, StoreError> {
        let item = self.dynamo.get(&stats_key()).await?;
        // Earlier versions wrote one item for each state besides this item.
        let is_legacy = |item: &Option<Item>| item.as_ref().is_some_and(|item| !item.contains_key(BY_STATE));
        let (mut item, mut legacy) = (item, Vec::new());
        if is_legacy(&item) {
            legacy = legacy::read(&self.dynamo).await?;
            // The items may have been migrated between the two reads.
            item = self.dynamo.get(&stats_key()).await?;
            if !is_legacy(&item) {
                legacy.clear();
            }
        }
        let item = item.unwrap_or_default();
        let of_state = |state| {
            let legacy = legacy.iter().find(|(other, _)| *other == state).map(|(_, item)| item);
            let count = |stock: Stock| {
                let legacy = legacy.map_or(0, |item| number(item, stock.slug()));
                at_least_zero(number(&item, &state_attribute(stock.slug(), state)) + legacy)
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

    /// Returns the last `count` days (at most 31) up to and including `last`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn days(&self, last: Date, count: u8) -> Result<Vec<Day>, StoreError> {
        let before = |date: &Date| date.yesterday().ok();
        let mut dates: Vec<Date> =
            std::iter::successors(Some(last), before).take(count.min(MAX_DAYS).into()).collect();
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
