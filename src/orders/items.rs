//! Keys and items of orders and caps in the table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Cap, Order, OrderEntry, StateCap};
use crate::base::identity::Actor;
use crate::base::values::{OrderId, UsState, Version};
use crate::leads::domain::{Lead, LeadId};
use crate::leads::items::{RESERVATION, lead_item, state_partition};
use crate::reservations::{Phase, Reservation, order_key};
use crate::shared::audit::RuleCause;
use crate::store::schema::{ALL_NEWEST, SK, STATUS_NEWEST, STATUS_SCORE};
use crate::store::{Item, Key, StoreError, Update, from_item, to_attribute, to_item};

/// The most leads of one shard: its transaction has the worker item, the shard and three actions per lead.
pub(super) const SHARD_LEADS: usize = 32;
/// The prefix of the sort keys of shards.
pub(super) const SHARDS: &str = "LEADS#";
/// The prefix of the sort keys of history entries.
pub(super) const ENTRIES: &str = "HISTORY#";

/// How far an order is written. These attributes are in the order's item beside the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// The phase of the order.
    #[serde(rename = "stage")]
    pub phase: Phase,
    /// Whether its leads are reserved because they do not fit into one transaction.
    pub large: bool,
    /// How many leads of each state are out in this order. An empty map is left out: DynamoDB Local writes an
    /// empty map to its stream in a form that no client can read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub out: BTreeMap<UsState, u32>,
    /// The number of workers of its reservation.
    #[serde(default, rename = "lanes")]
    pub workers: u32,
    /// When any request may abort its reservation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// An order as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredOrder {
    pub order: Order,
    pub progress: Progress,
}

/// Returns the order's item: its fields, its progress and its index attributes.
pub(super) fn order_item(stored: &StoredOrder) -> Result<Item, StoreError> {
    let StoredOrder { order, progress } = stored;
    let key = order_key(order.id);
    let mut item = to_item(&key, order)?;
    item.extend(to_item(&key, progress)?);
    if progress.phase.is_visible() {
        let mut list = |name: &str, text: String| item.insert(name.to_owned(), AttributeValue::S(text));
        list(ALL_NEWEST.partition, "ORDERS".to_owned());
        list(ALL_NEWEST.sort, order.id.to_string());
        list(STATUS_NEWEST.partition, format!("ORDERS#{}", order.status));
        if let Some(at) = order.fulfilled_at {
            // Always with milliseconds, so that the texts sort by time.
            let at = at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
            list(STATUS_SCORE.sort, format!("{at}#{}", order.id));
        }
    }
    Ok(item)
}

pub(crate) fn stored_order(item: Item) -> Result<StoredOrder, StoreError> {
    Ok(StoredOrder { progress: from_item(item.clone())?, order: from_item(item)? })
}

/// One lead in a shard of an order. The state is the one that the lead was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardLead {
    pub id: LeadId,
    pub state: UsState,
}

/// Some leads of an order: as many as one transaction can write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shard {
    pub number: u32,
    pub leads: Vec<ShardLead>,
    /// Whether its reserved leads are already written after the order ended.
    #[serde(rename = "settled", default)]
    pub reconciled: bool,
}

pub(super) fn shard_key(id: OrderId, number: u32) -> Key {
    Key::new(order_key(id).pk, format!("{SHARDS}{number:05}"))
}

pub(super) fn is_shard(item: &Item) -> bool {
    text_attribute(item, SK).is_some_and(|sort| sort.starts_with(SHARDS))
}

/// Returns a text attribute of an item.
pub(super) fn text_attribute<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn shard_item(id: OrderId, shard: &Shard) -> Result<Item, StoreError> {
    to_item(&shard_key(id, shard.number), shard)
}

/// The key of the item that allows a worker to write shards. Aborting the reservation deletes the item.
pub(super) fn worker_key(id: OrderId, number: u32) -> Key {
    Key::new(order_key(id).pk, format!("LANE#{number:02}"))
}

pub(super) fn entry_item(id: OrderId, entry: &OrderEntry) -> Result<Item, StoreError> {
    to_item(&entry_key(id, entry.version), entry)
}

pub(super) fn entry_key(id: OrderId, version: Version) -> Key {
    Key::new(order_key(id).pk, format!("{ENTRIES}{:010}", version.get()))
}

/// The partition of large orders that are not completely written.
pub(super) const PENDING: &str = "UNSETTLED";

pub(super) fn pending_key(id: OrderId) -> Key {
    Key::new(PENDING, format!("ORDER#{id}"))
}

/// The cap of a state, as stored. `remaining` is `cap` minus the leads that are out or reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CapItem {
    pub state: UsState,
    pub cap: Cap,
    pub own: bool,
    pub out: u32,
    #[serde(rename = "room")]
    pub remaining: i64,
    pub version: Version,
    #[serde(rename = "setBy", default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<Actor>,
}

impl CapItem {
    /// Returns the cap of a state for which nothing is stored.
    pub(super) fn initial(state: UsState) -> Self {
        let cap = Cap::DEFAULT;
        let remaining = cap.get().into();
        Self { state, cap, own: false, out: 0, remaining, version: Version::FIRST, set_by: None }
    }
}

impl From<CapItem> for StateCap {
    fn from(item: CapItem) -> Self {
        let CapItem { state, cap, own, out, version, set_by, .. } = item;
        Self { state, cap, own, out, version, set_by }
    }
}

/// The sort key of caps. It sorts before the queue.
pub(crate) const CAP: &str = "CAP";

pub(super) fn cap_key(state: UsState) -> Key {
    Key::new(state_partition(state), CAP)
}

pub(super) fn default_cap_key() -> Key {
    Key::new("STATE#DEFAULT", CAP)
}

/// Stores the rule that caused a change, or removes the attribute if no rule did.
pub(super) fn with_cause(update: Update, cause: Option<&RuleCause>) -> Result<Update, StoreError> {
    Ok(match cause {
        Some(cause) => update.set("cause", to_attribute(cause)?),
        None => update.remove("cause"),
    })
}

/// Returns the update that turns one lead's item into another's, with the reservation of the new one.
pub(super) fn lead_update(
    before: &Lead,
    after: &Lead,
    reservation: Option<&Reservation>,
    cause: Option<&RuleCause>,
) -> Result<Update, StoreError> {
    let update = Update::between(&lead_item(before)?, &lead_item(after)?);
    let update = match reservation {
        Some(reservation) => update.set(RESERVATION, to_attribute(reservation)?),
        None => update.remove(RESERVATION),
    };
    with_cause(update, cause)
}
