//! Reservations: leads of a large order, which takes more than one transaction to write.
//!
//! A reserved lead says which order has it, and that order says what the lead is to readers. Readers therefore see all
//! leads of an order change at one moment, whatever is still to be written. This room knows ids, an order's phase, and
//! what a reserved lead is; it knows neither leads nor orders.

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::Actor;
use crate::base::values::OrderId;
use crate::store::{Dynamo, Item, Key, StoreError, from_item};

/// The sort key of every order's own item.
pub const ORDER: &str = "ORDER";
/// The attribute with an order's phase.
pub const PHASE: &str = "stage";

/// How far an order is written. Readers see open and fulfilled ones alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Its leads are being reserved.
    Preparing,
    /// Its reservation was given up; its leads are being given back.
    Aborted,
    /// It is there, with all its leads.
    Open,
    /// It is fulfilled, with all its leads.
    Fulfilled,
    /// It was deleted, with many leads; they are being written back.
    Deleted,
}

impl Phase {
    /// The name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "PREPARING",
            Self::Aborted => "ABORTED",
            Self::Open => "OPEN",
            Self::Fulfilled => "FULFILLED",
            Self::Deleted => "DELETED",
        }
    }

    /// Whether readers see an order in this phase.
    pub fn is_visible(self) -> bool {
        matches!(self, Self::Open | Self::Fulfilled)
    }
}

/// The key of an order's item.
pub fn order_key(id: OrderId) -> Key {
    Key::new(format!("ORDER#{id}"), ORDER)
}

/// The mark of a lead in a large order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The part of the order's leads in which it stands.
    pub part: u32,
    /// When the lead was changed last before the order.
    pub updated_at: Timestamp,
    /// By whom.
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

/// What an order says about its reserved leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservationState {
    /// The order is not there yet, or was aborted: the lead is as free as it was.
    Pending,
    /// The order is open: the lead is in it.
    Open,
    /// The order ended.
    Ended {
        /// How.
        end: OrderEnd,
        /// When.
        at: Timestamp,
        /// Who ended it.
        by: Actor,
    },
}

/// The part of an order's item that decides about its reserved leads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderHead {
    id: OrderId,
    stage: Phase,
    updated_at: Timestamp,
    updated_by: Actor,
}

/// What an order's item says about its reserved leads.
///
/// # Errors
/// [`StoreError::Malformed`] if it is no order's item.
pub fn state_of(item: Item) -> Result<(OrderId, ReservationState), StoreError> {
    let OrderHead { id, stage, updated_at: at, updated_by: by } = from_item(item)?;
    let state = match stage {
        Phase::Preparing | Phase::Aborted => ReservationState::Pending,
        Phase::Open => ReservationState::Open,
        Phase::Fulfilled => ReservationState::Ended { end: OrderEnd::Fulfilled, at, by },
        Phase::Deleted => ReservationState::Ended { end: OrderEnd::Deleted, at, by },
    };
    Ok((id, state))
}

/// What orders say about a reserved lead's order, read from the table.
///
/// # Errors
/// [`StoreError`] if the store failed.
pub async fn state(dynamo: &Dynamo, order: OrderId) -> Result<Option<ReservationState>, StoreError> {
    dynamo.get(&order_key(order)).await?.map(|item| Ok(state_of(item)?.1)).transpose()
}

/// The same for many orders, by one call for each hundred. Orders that are gone are left out.
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

/// Writes the leads of orders as the orders say. Orders implement it; leads call it where a change of a lead must wait
/// for its order.
pub trait Reconcile: Send + Sync {
    /// Writes the reserved leads of one part of an order: as its end made them, or free again if it was aborted.
    fn reconcile_part(&self, order: OrderId, part: u32) -> BoxFuture<'_, Result<(), StoreError>>;
}
