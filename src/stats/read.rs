//! Reads the statistics.

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, try_join};
use jiff::civil::Date;

use super::domain::{Day, StateCount, Stats, StatusCount, StockCount};
use super::error::StatisticsError;
use super::items::{AS_OF, BY_STATE, at_least_zero, day_key, number, state_attribute, stats_key};
use super::{legacy, projection};
use crate::base::telemetry::LATE_SECONDS;
use crate::base::values::UsState;
use crate::leads::domain::{Status, Stock};
use crate::orders::domain::Caps;
use crate::orders::{FreeLeads, Orders, StockCounts};
use crate::stats::Statistics;
use crate::store::{Item, Key, StoreError};

/// The most days that one call returns.
const MAX_DAYS: u8 = 31;

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

    /// Returns all caps and the statistics, read at the same time.
    pub(super) async fn read_with_caps(&self, orders: &Orders) -> Result<(Caps, Stats), StatisticsError> {
        let caps = async { orders.caps().await.map_err(StatisticsError::from) };
        let stats = async { self.read().await.map_err(StatisticsError::from) };
        try_join(caps, stats).await
    }
}

impl StockCounts for Statistics {
    fn free_leads(&self) -> BoxFuture<'_, Result<FreeLeads, StoreError>> {
        async { self.read().await.map(|stats| stats.free_leads()) }.boxed()
    }
}
