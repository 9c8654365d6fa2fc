//! The number of free leads of each state, as pages of orders show it.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::base::values::UsState;
use crate::store::StoreError;

/// The number of free leads of each state. It is slightly late.
#[derive(Debug, Clone)]
pub struct FreeLeads {
    /// The time of the last counted change.
    pub as_of: Option<Timestamp>,
    /// How far the counts are behind the changes, as text: `12 seconds`.
    pub late: Option<String>,
    /// The number of free leads of each state.
    pub by_state: Vec<(UsState, u64)>,
}

impl FreeLeads {
    /// Returns the number of free leads of a state.
    pub fn in_state(&self, state: UsState) -> u64 {
        self.by_state.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count)
    }
}

/// Counts the free leads of each state. Statistics, which are above orders, implement it. Orders call it for pages that
/// show the stock.
pub trait StockCounts: Send + Sync {
    /// Returns the number of free leads of each state.
    fn free_leads(&self) -> BoxFuture<'_, Result<FreeLeads, StoreError>>;
}
