//! Keys and items of orders and caps: what stands where in the table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Cap, Cause, Order, StateCap};
use super::store::OrderEntry;
use crate::dynamo::schema::{ALL_NEWEST, STATUS_NEWEST, STATUS_SCORE};
use crate::dynamo::{Item, Key, StoreError, Update, from_item, to_attribute, to_item};
use crate::leads::domain::{Actor, Hold, Lead, LeadId, Standing, Stock};
use crate::leads::items::{HOLD, lead_item, state_partition};
use crate::values::{OrderId, UsState, Version};

/// The sort key of every order's own item.
pub(crate) const ORDER: &str = "ORDER";
const PART: &str = "LEADS#";
const HISTORY: &str = "HISTORY#";
const LANE: &str = "LANE#";
/// The attribute that says how far an order is written.
pub(crate) const STAGE: &str = "stage";

/// How far an order is written. Readers see open and fulfilled ones alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Stage {
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

impl Stage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "PREPARING",
            Self::Aborted => "ABORTED",
            Self::Open => "OPEN",
            Self::Fulfilled => "FULFILLED",
            Self::Deleted => "DELETED",
        }
    }

    pub(crate) fn is_visible(self) -> bool {
        matches!(self, Self::Open | Self::Fulfilled)
    }
}

/// What an order's item holds beside the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Writing {
    /// How far it is written.
    pub stage: Stage,
    /// Whether its leads are held: it has too many for one transaction.
    pub large: bool,
    /// How many leads of each state are out in it. An empty map is left out: DynamoDB Local tells one in its stream as
    /// something that no client reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub out: BTreeMap<UsState, u32>,
    /// How many lanes its reservation has.
    #[serde(default)]
    pub lanes: u32,
    /// When its reservation may be given up by anyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

/// An order as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredOrder {
    pub order: Order,
    pub writing: Writing,
}

pub(crate) fn order_key(id: OrderId) -> Key {
    Key::new(format!("ORDER#{id}"), ORDER)
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

/// What an order says of its held leads.
pub(crate) fn standing(item: Item) -> Result<(OrderId, Standing), StoreError> {
    let StoredOrder { order, writing } = stored_order(item)?;
    let over = |stock| Standing::Over { stock, at: order.updated_at, by: order.updated_by.clone() };
    let standing = match writing.stage {
        Stage::Preparing | Stage::Aborted => Standing::Pending,
        Stage::Open => Standing::Open,
        Stage::Fulfilled => over(Stock::Fulfilled),
        Stage::Deleted => over(Stock::Unassigned),
    };
    Ok((order.id, standing))
}

/// One lead in a part of an order: the state is the one that it was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartLead {
    pub id: LeadId,
    pub state: UsState,
}

/// Some of an order's leads: as many as one transaction writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub number: u32,
    pub leads: Vec<PartLead>,
    /// Whether its held leads are written as the order's end made them.
    #[serde(default)]
    pub settled: bool,
}

pub(super) fn part_key(id: OrderId, number: u32) -> Key {
    Key::new(order_key(id).pk, format!("{PART}{number:05}"))
}

pub(super) fn is_part(item: &Item) -> bool {
    item.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk.starts_with(PART))
}

/// What the sort keys of parts begin with.
pub(super) const PARTS: &str = PART;
/// What the sort keys of history entries begin with.
pub(super) const ENTRIES: &str = HISTORY;

pub(super) fn part_item(id: OrderId, part: &Part) -> Result<Item, StoreError> {
    to_item(&part_key(id, part.number), part)
}

/// The right to reserve leads of some of an order's states: who gives the reservation up takes it away.
pub(super) fn lane_key(id: OrderId, number: u32) -> Key {
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

/// A state's cap as the table has it. `room` is what `cap` leaves over what is out and what is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CapItem {
    pub state: UsState,
    pub cap: Cap,
    pub own: bool,
    pub out: u32,
    pub room: i64,
    pub version: Version,
}

impl CapItem {
    /// What holds while nothing is stored.
    pub(super) fn initial(state: UsState) -> Self {
        let cap = Cap::DEFAULT;
        Self { state, cap, own: false, out: 0, room: cap.get().into(), version: Version::FIRST }
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
    hold: Option<&Hold>,
    cause: Option<&Cause>,
) -> Result<Update, StoreError> {
    let update = Update::between(&lead_item(before)?, &lead_item(after)?);
    let update = match hold {
        Some(hold) => update.set(HOLD, to_attribute(hold)?),
        None => update.remove(HOLD),
    };
    with_cause(update, cause)
}

/// Who and when, as one change stamps all that it writes.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    pub at: Timestamp,
    pub actor: Actor,
    pub cause: Option<Cause>,
}
