//! Keys and items of orders and caps: what stands where in the table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Cap, Order, StateCap};
use crate::base::values::{OrderId, UsState, Version};
use crate::leads::domain::{Lead, LeadId};
use crate::leads::items::{RESERVATION, lead_item, state_partition};
use crate::orders::domain::OrderEntry;
use crate::reservations::{Phase, Reservation, order_key};
use crate::shared::audit::Cause;
use crate::store::schema::{ALL_NEWEST, STATUS_NEWEST, STATUS_SCORE};
use crate::store::{Item, Key, StoreError, Update, from_item, to_attribute, to_item};

/// Leads of one part: a lane, the part, and three actions for each.
pub(super) const SHARD_LEADS: usize = 32;
const SHARD: &str = "LEADS#";
const HISTORY: &str = "HISTORY#";
const LANE: &str = "LANE#";

/// What an order's item holds beside the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// How far it is written.
    pub stage: Phase,
    /// Whether its leads are held: it has too many for one transaction.
    pub large: bool,
    /// How many leads of each state are out in it. An empty map is left out: DynamoDB Local tells one in its stream as
    /// something that no client reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub out: BTreeMap<UsState, u32>,
    /// How many lanes its reservation has.
    #[serde(default, rename = "lanes")]
    pub workers: u32,
    /// When its reservation may be given up by anyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// An order as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredOrder {
    pub order: Order,
    pub writing: Progress,
}

/// The order's item: its fields, how far it is written, and where the lists find it.
pub(super) fn order_item(stored: &StoredOrder) -> Result<Item, StoreError> {
    let StoredOrder { order, writing } = stored;
    let key = order_key(order.id);
    let mut item = to_item(&key, order)?;
    item.extend(to_item(&key, writing)?);
    if writing.stage.is_visible() {
        let mut list = |name: &str, text: String| item.insert(name.to_owned(), AttributeValue::S(text));
        list(ALL_NEWEST.partition, "ORDERS".to_owned());
        list(ALL_NEWEST.sort, order.id.to_string());
        list(STATUS_NEWEST.partition, format!("ORDERS#{}", order.status));
        if let Some(at) = order.fulfilled_at {
            // Always with milliseconds, so that texts sort as the moments do.
            let at = at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
            list(STATUS_SCORE.sort, format!("{at}#{}", order.id));
        }
    }
    Ok(item)
}

pub(crate) fn stored_order(item: Item) -> Result<StoredOrder, StoreError> {
    Ok(StoredOrder { writing: from_item(item.clone())?, order: from_item(item)? })
}

/// One lead in a part of an order: the state is the one that it was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardLead {
    pub id: LeadId,
    pub state: UsState,
}

/// Some of an order's leads: as many as one transaction writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shard {
    pub number: u32,
    pub leads: Vec<ShardLead>,
    /// Whether its held leads are written as the order's end made them.
    #[serde(default)]
    pub settled: bool,
}

pub(super) fn shard_key(id: OrderId, number: u32) -> Key {
    Key::new(order_key(id).pk, format!("{SHARD}{number:05}"))
}

pub(super) fn is_shard(item: &Item) -> bool {
    item.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk.starts_with(SHARD))
}

/// What the sort keys of parts begin with.
pub(super) const SHARDS: &str = SHARD;
/// What the sort keys of history entries begin with.
pub(super) const ENTRIES: &str = HISTORY;

pub(super) fn shard_item(id: OrderId, part: &Shard) -> Result<Item, StoreError> {
    to_item(&shard_key(id, part.number), part)
}

/// The right to reserve leads of some of an order's states: who gives the reservation up takes it away.
pub(super) fn worker_key(id: OrderId, number: u32) -> Key {
    Key::new(order_key(id).pk, format!("{LANE}{number:02}"))
}

pub(super) fn entry_item(id: OrderId, entry: &OrderEntry) -> Result<Item, StoreError> {
    to_item(&entry_key(id, entry.version), entry)
}

pub(super) fn entry_key(id: OrderId, version: Version) -> Key {
    Key::new(order_key(id).pk, format!("{HISTORY}{:010}", version.get()))
}

/// The partition of large orders that are being written.
pub(super) const UNSETTLED: &str = "UNSETTLED";

pub(super) fn unsettled_key(id: OrderId) -> Key {
    Key::new(UNSETTLED, format!("ORDER#{id}"))
}

/// A state's cap as the table has it. `remaining` is what `cap` leaves over what is out and what is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CapItem {
    pub state: UsState,
    pub cap: Cap,
    pub own: bool,
    pub out: u32,
    #[serde(rename = "room")]
    pub remaining: i64,
    pub version: Version,
}

impl CapItem {
    /// What holds while nothing is stored.
    pub(super) fn initial(state: UsState) -> Self {
        let cap = Cap::DEFAULT;
        Self { state, cap, own: false, out: 0, remaining: cap.get().into(), version: Version::FIRST }
    }
}

impl From<CapItem> for StateCap {
    fn from(item: CapItem) -> Self {
        let CapItem { state, cap, own, out, version, .. } = item;
        Self { state, cap, own, out, version }
    }
}

/// The sort key of caps; it sorts before the queue.
pub(crate) const CAP: &str = "CAP";

pub(super) fn cap_key(state: UsState) -> Key {
    Key::new(state_partition(state), CAP)
}

pub(super) fn default_cap_key() -> Key {
    Key::new("STATE#DEFAULT", CAP)
}

/// The rule that brought a change about, beside what it changed; nothing where it was none.
pub(super) fn with_cause(update: Update, cause: Option<&Cause>) -> Result<Update, StoreError> {
    Ok(match cause {
        Some(cause) => update.set("cause", to_attribute(cause)?),
        None => update.remove("cause"),
    })
}

/// What turns one lead's item into another's, with the hold that the new one has.
pub(super) fn lead_update(
    before: &Lead,
    after: &Lead,
    reservation: Option<&Reservation>,
    cause: Option<&Cause>,
) -> Result<Update, StoreError> {
    let update = Update::between(&lead_item(before)?, &lead_item(after)?);
    let update = match reservation {
        Some(reservation) => update.set(RESERVATION, to_attribute(reservation)?),
        None => update.remove(RESERVATION),
    };
    with_cause(update, cause)
}
