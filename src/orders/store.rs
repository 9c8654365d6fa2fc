//! Orders in the table: what is read of them, and one function per use case.
//!
//! What always holds: an order is read consistently with all its parts in one query; its leads are read as every reader
//! sees them.

use futures_util::future::try_join;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{DefaultCap, Fingerprint, Given, Order, StateCap};
use super::error::OrderError;
use super::items::{
    ENTRIES, ORDER, PARTS, Part, PartLead, StoredOrder, entry_key, is_part, order_key, part_key, stored_order,
};
use super::reserve::PART_LEADS;
use crate::app::App;
use crate::dynamo::{Cursor, CursorError, Select, StoreError, from_item};
use crate::leads::domain::{Actor, Lead, LeadId, Reason};
use crate::leads::store::read_all;
use crate::values::{OrderId, Version};

pub use super::caps::{caps, set_cap, set_default_cap};
pub use super::close::{delete, fulfill};
pub use super::create::{create, preview};
pub use super::release::release;
pub use super::settle::{Found, help};

/// An order with its leads, as JSON shows it: the order's fields, and `leads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDetail {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Its leads, state by state, oldest first; of a large order the first [`OrderDetail::MOST_LEADS`].
    pub leads: Vec<Lead>,
    /// Where its further leads begin, for [`leads`].
    pub leads_next: Option<String>,
}

impl OrderDetail {
    /// The most leads that come with an order.
    pub const MOST_LEADS: usize = 100;
}

/// What an order would be given, as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// What each state gives, and why that many.
    pub given: Vec<Given>,
    /// How many leads it would be given.
    pub lead_count: usize,
    /// The first [`OrderDetail::MOST_LEADS`] of them.
    pub leads: Vec<Lead>,
    /// What confirms exactly these leads, all of them.
    pub fingerprint: Fingerprint,
}

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderAction {
    /// Created, with its leads.
    Created,
    /// Fulfilled, with all its leads.
    Fulfilled,
    /// Deleted; its leads went back to stock.
    Deleted,
    /// A lead was released, and another one took its place if there was one.
    Released,
}

/// One accepted change of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEntry {
    /// The version that the change made.
    pub version: Version,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What.
    pub action: OrderAction,
    /// Why, where the change asks for a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The lead that was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<LeadId>,
    /// The lead that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<LeadId>,
}

/// What a release came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// The order as it is now.
    pub order: Order,
    /// The lead that was released, as it is now.
    pub released: Lead,
    /// The lead that took its place, if the cap and the stock allowed one.
    pub replacement: Option<Lead>,
}

/// All caps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// Of every state that has none of its own.
    pub default: DefaultCap,
    /// Of each state, in the order of the codes.
    pub states: Vec<StateCap>,
}

/// One page of leads of an order.
#[derive(Debug)]
pub struct OrderLeads {
    /// The leads.
    pub leads: Vec<Lead>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// An order as the table has it, with all its parts.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub stored: StoredOrder,
    pub parts: Vec<Part>,
}

/// An order that readers see, with its parts.
pub(super) async fn read_whole(app: &App, id: OrderId) -> Result<Whole, OrderError> {
    let (pk, mut first) = (order_key(id).pk, PARTS.to_owned());
    let mut parts: Vec<Part> = Vec::new();
    loop {
        let page = app.dynamo.select(&Select::partition(&*pk, 1_000).between(&*first, ORDER)).await?;
        let more = page.more;
        for item in page.items {
            if is_part(&item) {
                let part: Part = from_item(item)?;
                first = part_key(id, part.number + 1).sk;
                parts.push(part);
                continue;
            }
            let stored = stored_order(item)?;
            if stored.writing.stage.is_visible() {
                return Ok(Whole { stored, parts });
            }
        }
        if !more {
            return Err(OrderError::NotFound(id));
        }
    }
}

/// An order with the first of its leads.
pub(super) async fn detail_of(app: &App, whole: &Whole) -> Result<OrderDetail, OrderError> {
    let order = whole.stored.order.clone();
    let OrderLeads { leads, next } = page_of(app, &whole.parts, OrderDetail::MOST_LEADS, 0).await?;
    Ok(OrderDetail { order, leads, leads_next: next })
}

/// An order with its leads, read consistently.
///
/// # Errors
/// [`OrderError::NotFound`].
pub async fn find(app: &App, id: OrderId) -> Result<OrderDetail, OrderError> {
    let most = OrderDetail::MOST_LEADS;
    let (order, (parts, behind)) = try_join(find_order(app, id), some_parts(app, id, 0, most)).await?;
    let OrderLeads { leads, next } = page_of(app, &parts, most, 0).await?;
    Ok(OrderDetail { order, leads, leads_next: next.or(behind) })
}

/// The parts from this one on that hold about `most` leads, and the cursor behind them.
async fn some_parts(
    app: &App,
    id: OrderId,
    first: u32,
    most: usize,
) -> Result<(Vec<Part>, Option<String>), OrderError> {
    // Parts are full but for leads that were released; a page that comes short has a cursor all the same.
    let limit = i32::try_from(most / PART_LEADS + 3).unwrap_or(i32::MAX);
    let range =
        Select::partition(order_key(id).pk, limit).between(part_key(id, first).sk, part_key(id, 99_999).sk);
    let page = app.dynamo.select(&range).await?;
    let parts = page.items.into_iter().map(from_item::<Part>).collect::<Result<Vec<_>, _>>()?;
    let behind = parts.last().map(|part| cursor_at(part.number + 1, 0)).filter(|_| page.more);
    Ok((parts, behind))
}

/// An order without its leads, read consistently.
///
/// # Errors
/// [`OrderError::NotFound`].
pub async fn find_order(app: &App, id: OrderId) -> Result<Order, OrderError> {
    let item = app.dynamo.get(&order_key(id)).await?.ok_or(OrderError::NotFound(id))?;
    let stored = stored_order(item)?;
    if stored.writing.stage.is_visible() { Ok(stored.order) } else { Err(OrderError::NotFound(id)) }
}

const LEADS_LIST: &str = "order-leads";

/// The cursor at the lead with this index in this part.
pub(super) fn cursor_at(part: u32, index: usize) -> String {
    Cursor::after([part.to_string(), index.to_string()]).encode(LEADS_LIST)
}

/// One page of an order's leads.
///
/// # Errors
/// [`OrderError::NotFound`], [`OrderError::Cursor`].
pub async fn leads(
    app: &App,
    id: OrderId,
    limit: u16,
    cursor: Option<&str>,
) -> Result<OrderLeads, OrderError> {
    let (part, index) = match cursor {
        None => (0, 0),
        Some(text) => {
            let cursor = Cursor::<2>::decode(LEADS_LIST, text)?;
            let [part, index] = cursor.parts();
            let part: u32 = part.parse().map_err(|_| CursorError)?;
            (part.min(99_999), index.parse().map_err(|_| CursorError)?)
        }
    };
    let parts = some_parts(app, id, part, limit.into());
    let (_, (parts, behind)) = try_join(find_order(app, id), parts).await?;
    let OrderLeads { leads, next } = page_of(app, &parts, limit.into(), index).await?;
    Ok(OrderLeads { leads, next: next.or(behind) })
}

/// Up to `most` leads of some parts, behind the first `skip` of the first part.
async fn page_of(app: &App, parts: &[Part], most: usize, skip: usize) -> Result<OrderLeads, OrderError> {
    let places = parts.iter().enumerate().flat_map(|(nth, part)| {
        let skip = if nth == 0 { skip } else { 0 };
        part.leads.iter().enumerate().skip(skip).map(|(index, lead)| (part.number, index, *lead))
    });
    let mut places: Vec<(u32, usize, PartLead)> = places.take(most + 1).collect();
    let next = places.get(most).map(|(part, index, _)| cursor_at(*part, *index));
    places.truncate(most);
    let ids: Vec<LeadId> = places.iter().map(|(_, _, lead)| lead.id).collect();
    Ok(OrderLeads { leads: read_all(app, &ids).await?, next })
}

/// One page of an order's history, newest first.
#[derive(Debug, Clone)]
pub struct OrderHistory {
    /// The entries.
    pub entries: Vec<OrderEntry>,
    /// Where the next page begins.
    pub next: Option<String>,
}

const HISTORY_LIST: &str = "order-history";

/// What happened to an order, newest first. A deleted order still has its history.
///
/// # Errors
/// [`OrderError::NotFound`] if there never was one, [`OrderError::Cursor`].
pub async fn history(
    app: &App,
    id: OrderId,
    limit: u16,
    cursor: Option<&str>,
) -> Result<OrderHistory, OrderError> {
    let mut range = Select::partition(order_key(id).pk, limit.into()).begins_with(ENTRIES).backwards();
    if let Some(text) = cursor {
        let cursor = Cursor::<1>::decode(HISTORY_LIST, text)?;
        let version: Version = cursor.parts()[0].parse().map_err(|_| CursorError)?;
        let key = entry_key(id, version);
        range = range.after(&key.sk, &key);
    }
    let page = app.dynamo.select(&range).await?;
    let entries: Vec<OrderEntry> =
        page.items.into_iter().map(from_item).collect::<Result<_, StoreError>>()?;
    if entries.is_empty() && cursor.is_none() {
        return Err(OrderError::NotFound(id));
    }
    let next = entries.last().filter(|_| page.more);
    let next = next.map(|entry| Cursor::after([entry.version.to_string()]).encode(HISTORY_LIST));
    Ok(OrderHistory { entries, next })
}
