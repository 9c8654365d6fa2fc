//! Statistics: what the table's stream counted of leads and orders, a moment old.
//!
//! What always holds: what is counted of one lead or order stands beside it with the place of the change that was counted
//! last, and is written in one transaction with the counters; so each change counts once, however often and in whatever
//! order the stream tells it, and the counters are the sum of what stands beside the records.

mod count;
mod tally;

pub use count::{Uncounted, count};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::domain::{Status, Stock};
use super::items::{COUNTED, state_partition};
use crate::app::App;
use crate::dynamo::{Item, Key, StoreError};
use crate::values::UsState;

/// What the stream counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The time that it stands for: of the last change that was counted.
    pub as_of: Option<Timestamp>,
    /// All leads.
    pub total: u64,
    /// By status, all of them.
    pub by_status: Vec<StatusCount>,
    /// By stock, all of them.
    pub by_stock: Vec<StockCount>,
    /// By state, all 51; leads without a state are in none.
    pub by_state: Vec<StateCount>,
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

fn desk_key() -> Key {
    Key::new("STATS", "STATS")
}

fn state_key(state: UsState) -> Key {
    Key::new(state_partition(state), COUNTED)
}

fn day_key(date: Date) -> Key {
    Key::new(format!("DAY#{date}"), "DAY")
}

/// What one counter item says of several names; nothing of what it does not name.
struct Counter(Option<Item>);

impl Counter {
    fn take(items: &mut Vec<Item>, key: &Key) -> Self {
        let is = |item: &Item, name: &str, text: &str| {
            item.get(name).and_then(|value| value.as_s().ok()).is_some_and(|value| value == text)
        };
        let found = items.iter().position(|item| is(item, "pk", &key.pk) && is(item, "sk", &key.sk));
        Self(found.map(|index| items.swap_remove(index)))
    }

    fn get(&self, name: &str) -> u64 {
        let number = || self.0.as_ref()?.get(name)?.as_n().ok()?.parse::<i64>().ok();
        // Less than nothing can only be a change that another one, not yet counted, makes up for.
        number().and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
    }

    fn as_of(&self) -> Option<Timestamp> {
        self.0.as_ref()?.get(AS_OF)?.as_s().ok()?.parse().ok()
    }
}

/// The statistics, one read.
///
/// # Errors
/// [`StoreError`].
pub async fn read(app: &App) -> Result<Stats, StoreError> {
    let mut keys: Vec<Key> = UsState::all().map(state_key).collect();
    keys.push(desk_key());
    let mut items = app.dynamo.get_all(&keys).await?;
    let desk = Counter::take(&mut items, &desk_key());
    let of_state = |state| {
        let counter = Counter::take(&mut items, &state_key(state));
        let of = |stock: Stock| counter.get(stock.slug());
        let [unassigned, assigned, fulfilled, withheld] = Stock::ALL.map(of);
        StateCount { state, unassigned, assigned, fulfilled, withheld }
    };
    Ok(Stats {
        as_of: desk.as_of(),
        total: desk.get(tally::TOTAL),
        by_state: UsState::all().map(of_state).collect(),
        by_status: Status::ALL.map(|status| StatusCount { status, count: desk.get(status.slug()) }).into(),
        by_stock: Stock::ALL.map(|stock| StockCount { stock, count: desk.get(stock.slug()) }).into(),
    })
}

/// The days up to `last`, oldest first, `count` of them (at most 31).
///
/// # Errors
/// [`StoreError`].
pub async fn days(app: &App, last: Date, count: u8) -> Result<Vec<Day>, StoreError> {
    let before = |date: &Date| date.yesterday().ok();
    let mut dates: Vec<Date> =
        std::iter::successors(Some(last), before).take(count.min(MOST_DAYS).into()).collect();
    dates.reverse();
    let keys: Vec<Key> = dates.iter().map(|date| day_key(*date)).collect();
    let mut items = app.dynamo.get_all(&keys).await?;
    let day = |date| {
        let counter = Counter::take(&mut items, &day_key(date));
        Day {
            date,
            leads_created: counter.get(tally::LEADS_CREATED),
            leads_qualified: counter.get(tally::LEADS_QUALIFIED),
            leads_converted: counter.get(tally::LEADS_CONVERTED),
            orders_created: counter.get(tally::ORDERS_CREATED),
            orders_fulfilled: counter.get(tally::ORDERS_FULFILLED),
            leads_delivered: counter.get(tally::LEADS_DELIVERED),
        }
    };
    Ok(dates.into_iter().map(day).collect())
}
