//! Reservations: leads of a large order, which takes more than one transaction to write.
//!
//! A reserved lead names its order, and the order's phase decides how readers see the lead. Readers therefore see all
//! leads of an order change at the same time, even while the leads are still being written. This module knows ids, an
//! order's phase, and the state of a reserved lead; it knows neither leads nor orders.

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::Actor;
use crate::base::values::{OrderId, text_enum};
use crate::store::{Dynamo, Item, Key, StoreError, from_item};

/// The sort key of every order's own item.
pub const ORDER: &str = "ORDER";
/// The attribute with an order's phase.
pub const PHASE: &str = "stage";

text_enum! {
    /// How far an order is written. Readers see only open and fulfilled orders.
    pub enum Phase, "The phase must be PREPARING, ABORTED, OPEN, FULFILLED, or DELETED.";
    /// Its leads are being reserved.
    Preparing = "PREPARING",
    /// The reservation was aborted. Its leads are being released.
    Aborted = "ABORTED",
    /// The order is open, with all its leads.
    Open = "OPEN",
    /// The order is fulfilled, with all its leads.
    Fulfilled = "FULFILLED",
    /// The order was deleted, and its many leads are still being released.
    Deleted = "DELETED",
}

impl Phase {
    /// Whether readers see an order in this phase.
    pub fn is_visible(self) -> bool {
        matches!(self, Self::Open | Self::Fulfilled)
    }
}

/// Returns the key of an order's item.
pub fn order_key(id: OrderId) -> Key {
    Key::new(format!("ORDER#{id}"), ORDER)
}

/// The attributes of a lead that a large order reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The number of the order's shard that contains the lead.
    #[serde(rename = "part")]
    pub shard: u32,
    /// When the lead was last changed before the reservation.
    pub updated_at: Timestamp,
    /// Who made that change.
    pub updated_by: Actor,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEnd {
    /// It was fulfilled: its leads are sold.
    Fulfilled,
    /// It was deleted: its leads are free again.
    Deleted,
}

/// The state of an order's reserved leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservationState {
    /// The order is not written yet, or was aborted: the lead is as available as before.
    Pending,
    /// The order is open and contains the lead.
    Open,
    /// The order ended.
    Ended {
        /// How it ended.
        end: OrderEnd,
        /// When it ended.
        at: Timestamp,
        /// Who ended it.
        by: Actor,
    },
}

/// The part of an order's item that decides the state of its reserved leads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderHead {
    id: OrderId,
    #[serde(rename = "stage")]
    phase: Phase,
    updated_at: Timestamp,
    updated_by: Actor,
}

/// Returns an order's id and the state of its reserved leads, from the order's item.
///
/// # Errors
/// [`StoreError::Malformed`] if it is not an order's item.
pub fn state_of(item: Item) -> Result<(OrderId, ReservationState), StoreError> {
    let OrderHead { id, phase, updated_at: at, updated_by: by } = from_item(item)?;
    let state = match phase {
        Phase::Preparing | Phase::Aborted => ReservationState::Pending,
        Phase::Open => ReservationState::Open,
        Phase::Fulfilled => ReservationState::Ended { end: OrderEnd::Fulfilled, at, by },
        Phase::Deleted => ReservationState::Ended { end: OrderEnd::Deleted, at, by },
    };
    Ok((id, state))
}

/// Reads the state of an order's reserved leads, or `None` if the order is gone.
///
/// # Errors
/// [`StoreError`] if the store failed.
pub async fn state(dynamo: &Dynamo, order: OrderId) -> Result<Option<ReservationState>, StoreError> {
    dynamo.get(&order_key(order)).await?.map(|item| Ok(state_of(item)?.1)).transpose()
}

/// Reads the states of many orders, with one call for each hundred. Orders that are gone are left out.
///
/// # Errors
/// [`StoreError`] if the store failed.
pub async fn states(
    dynamo: &Dynamo,
    mut orders: Vec<OrderId>,
) -> Result<HashMap<OrderId, ReservationState>, StoreError> {
    orders.sort_unstable();
    orders.dedup();
    let mut states = HashMap::new();
    for orders in orders.chunks(100) {
        let keys: Vec<Key> = orders.iter().map(|order| order_key(*order)).collect();
        for item in dynamo.get_all(&keys).await? {
            let (order, state) = state_of(item)?;
            states.insert(order, state);
        }
    }
    Ok(states)
}

/// Writes the leads of an order as its phase requires. Orders implement it. Leads call it if a change of a lead must
/// wait for its order.
pub trait Reconcile: Send + Sync {
    /// Writes the reserved leads of one shard of an order: with the final state of the order, or available again if it
    /// was aborted.
    fn reconcile_shard(&self, order: OrderId, shard: u32) -> BoxFuture<'_, Result<(), StoreError>>;
}
