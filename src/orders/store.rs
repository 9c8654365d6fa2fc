//! Orders in the table: what is read of them, and one function per use case.
//!
//! What always holds: an order is read consistently with all its parts in one query; its leads are read as every reader
//! sees them.

use futures_util::future::try_join;

use super::domain::Order;
use super::domain::{OrderDetail, OrderEntry, OrderLeads};
use super::error::OrderError;
use super::items::SHARD_LEADS;
use super::items::{
    ENTRIES, SHARDS, Shard, ShardLead, StoredOrder, entry_key, is_shard, shard_key, stored_order,
};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::LeadId;
use crate::orders::Orders;
use crate::reservations::{ORDER, order_key};
use crate::store::{Cursor, CursorError, Select, StoreError, from_item};

/// An order as the table has it, with all its parts.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub stored: StoredOrder,
    pub parts: Vec<Shard>,
}

impl Orders {
    /// An order that readers see, with its parts.
    pub(super) async fn read_whole(&self, id: OrderId) -> Result<Whole, OrderError> {
        let (pk, mut first) = (order_key(id).pk, SHARDS.to_owned());
        let mut parts: Vec<Shard> = Vec::new();
        loop {
            let page = self.dynamo.select(&Select::partition(&*pk, 1_000).between(&*first, ORDER)).await?;
            let more = page.more;
            for item in page.items {
                if is_shard(&item) {
                    let part: Shard = from_item(item)?;
                    first = shard_key(id, part.number + 1).sk;
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
    pub(super) async fn detail_of(&self, whole: &Whole) -> Result<OrderDetail, OrderError> {
        let order = whole.stored.order.clone();
        let OrderLeads { leads, next } = self.leads_page(&whole.parts, OrderDetail::MOST_LEADS, 0).await?;
        Ok(OrderDetail { order, leads, leads_next: next })
    }

    /// An order with its leads, read consistently.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub async fn find(&self, id: OrderId) -> Result<OrderDetail, OrderError> {
        let most = OrderDetail::MOST_LEADS;
        let (order, (parts, behind)) = try_join(self.find_order(id), self.some_shards(id, 0, most)).await?;
        let OrderLeads { leads, next } = self.leads_page(&parts, most, 0).await?;
        Ok(OrderDetail { order, leads, leads_next: next.or(behind) })
    }

    /// The parts from this one on that hold about `most` leads, and the cursor behind them.
    async fn some_shards(
        &self,
        id: OrderId,
        first: u32,
        most: usize,
    ) -> Result<(Vec<Shard>, Option<String>), OrderError> {
        // Parts are full but for leads that were released; a page that comes short has a cursor all the same.
        let limit = i32::try_from(most / SHARD_LEADS + 3).unwrap_or(i32::MAX);
        let range = Select::partition(order_key(id).pk, limit)
            .between(shard_key(id, first).sk, shard_key(id, 99_999).sk);
        let page = self.dynamo.select(&range).await?;
        let parts = page.items.into_iter().map(from_item::<Shard>).collect::<Result<Vec<_>, _>>()?;
        let behind = parts.last().map(|part| cursor_at(part.number + 1, 0)).filter(|_| page.more);
        Ok((parts, behind))
    }

    /// An order without its leads, read consistently.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub async fn find_order(&self, id: OrderId) -> Result<Order, OrderError> {
        let item = self.dynamo.get(&order_key(id)).await?.ok_or(OrderError::NotFound(id))?;
        let stored = stored_order(item)?;
        if stored.writing.stage.is_visible() { Ok(stored.order) } else { Err(OrderError::NotFound(id)) }
    }
}

const LEADS_LIST: &str = "order-leads";

/// The cursor at the lead with this index in this part.
pub(super) fn cursor_at(part: u32, index: usize) -> String {
    Cursor::after([part.to_string(), index.to_string()]).encode(LEADS_LIST)
}

impl Orders {
    /// One page of an order's leads.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], [`OrderError::Cursor`].
    pub async fn leads_of(
        &self,
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
        let parts = self.some_shards(id, part, limit.into());
        let (_, (parts, behind)) = try_join(self.find_order(id), parts).await?;
        let OrderLeads { leads, next } = self.leads_page(&parts, limit.into(), index).await?;
        Ok(OrderLeads { leads, next: next.or(behind) })
    }

    /// Up to `most` leads of some parts, behind the first `skip` of the first part.
    async fn leads_page(&self, parts: &[Shard], most: usize, skip: usize) -> Result<OrderLeads, OrderError> {
        let places = parts.iter().enumerate().flat_map(|(nth, part)| {
            let skip = if nth == 0 { skip } else { 0 };
            part.leads.iter().enumerate().skip(skip).map(|(index, lead)| (part.number, index, *lead))
        });
        let mut places: Vec<(u32, usize, ShardLead)> = places.take(most + 1).collect();
        let next = places.get(most).map(|(part, index, _)| cursor_at(*part, *index));
        places.truncate(most);
        let ids: Vec<LeadId> = places.iter().map(|(_, _, lead)| lead.id).collect();
        Ok(OrderLeads { leads: self.leads.read_all(&ids).await?, next })
    }
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

impl Orders {
    /// What happened to an order, newest first. A deleted order still has its history.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] if there never was one, [`OrderError::Cursor`].
    pub async fn history(
        &self,
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
        let page = self.dynamo.select(&range).await?;
        let entries: Vec<OrderEntry> =
            page.items.into_iter().map(from_item).collect::<Result<_, StoreError>>()?;
        if entries.is_empty() && cursor.is_none() {
            return Err(OrderError::NotFound(id));
        }
        let next = entries.last().filter(|_| page.more);
        let next = next.map(|entry| Cursor::after([entry.version.to_string()]).encode(HISTORY_LIST));
        Ok(OrderHistory { entries, next })
    }
}
