//! The counts of leads, as they are shown. Pure.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::base::telemetry::{LATE_SECONDS, late_words};
use crate::base::values::UsState;
use crate::leads::domain::{Status, Stock};
use crate::orders::FreeLeads;

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

    /// Returns the number of free leads of each state, as pages of orders show it.
    pub(super) fn free_leads(&self) -> FreeLeads {
        let by_state = self.by_state.iter().map(|count| (count.state, count.unassigned)).collect();
        FreeLeads { as_of: self.as_of, late: self.late(), by_state }
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
