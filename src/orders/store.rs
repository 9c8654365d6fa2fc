//! Reads orders from the table.
//!
//! Invariants: an order and all its shards are read consistently in one query. Leads of an order are read as
//! every other reader sees them.

use futures_util::future::try_join;

use super::domain::{Order, OrderDetail, OrderEntry};
use super::error::OrderError;
use super::items::{ENTRIES, SHARD_LEADS, Shard, ShardLead, StoredOrder, entry_key, shard_key, stored_order};
use super::shards::order_and_shards;
use crate::base::values::OrderId;
use crate::leads::domain::{Lead, LeadId};
use crate::orders::Orders;
use crate::reservations::order_key;
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::{Cursor, CursorError, Item, Select, StoreError, from_item};
use crate::web::lists::Listed;

/// An order as stored, with all its shards.
#[derive(Debug, Clone)]
pub(super) struct OrderWithShards {
    pub stored: StoredOrder,
    pub shards: Vec<Shard>,
}

impl OrderWithShards {
    /// Returns the shard that contains a lead, and the lead's index in it.
    pub fn place_of(&self, lead: LeadId) -> Option<(Shard, usize)> {
        self.shards.iter().find_map(|shard| {
            let index = shard.leads.iter().position(|one| one.id == lead)?;
            Some((shard.clone(), index))
        })
    }
}

impl Orders {
    /// Reads an order that readers see, with its shards.
    pub(super) async fn read_with_shards(&self, id: OrderId) -> Result<OrderWithShards, OrderError> {
        let (item, shards) = order_and_shards(&self.dynamo, id).await?;
        Ok(OrderWithShards { stored: visible_order(id, item)?, shards })
    }

    /// Returns an order with the first page of its leads.
    pub(super) async fn detail_of(&self, current: &OrderWithShards) -> Result<OrderDetail, OrderError> {
        let order = current.stored.order.clone();
        let page = self.leads_page(&current.shards, OrderDetail::MOST_LEADS, 0).await?;
        Ok(OrderDetail { order, leads: page.items, leads_next: page.next })
    }

    /// Reads an order with its leads, consistently.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub async fn find(&self, id: OrderId) -> Result<OrderDetail, OrderError> {
        let most = OrderDetail::MOST_LEADS;
        let (order, (shards, next_shard)) =
            try_join(self.find_order(id), self.some_shards(id, 0, most)).await?;
        let page = self.leads_page(&shards, most, 0).await?;
        Ok(OrderDetail { order, leads: page.items, leads_next: page.next.or(next_shard) })
    }

    /// Reads the shards from `first` on that contain about `most` leads. Returns the cursor after them.
    async fn some_shards(
        &self,
        id: OrderId,
        first: u32,
        most: usize,
    ) -> Result<(Vec<Shard>, Option<String>), OrderError> {
        // Shards are full except for released leads. If a page has too few leads, its cursor leads to the
        // rest.
        let limit = i32::try_from(most / SHARD_LEADS + 3).unwrap_or(i32::MAX);
        let range = Select::partition(order_key(id).pk, limit)
            .between(shard_key(id, first).sk, shard_key(id, 99_999).sk);
        let page = self.dynamo.select(&range).await?;
        let shards = page.items.into_iter().map(from_item::<Shard>).collect::<Result<Vec<_>, _>>()?;
        let next_shard = shards.last().map(|shard| cursor_at(shard.number + 1, 0)).filter(|_| page.more);
        Ok((shards, next_shard))
    }

    /// Reads an order without its leads, consistently.
    ///
    /// # Errors
    /// [`OrderError::NotFound`].
    pub async fn find_order(&self, id: OrderId) -> Result<Order, OrderError> {
        Ok(visible_order(id, self.dynamo.get(&order_key(id)).await?)?.order)
    }
}

/// Returns the order of an item, if there is one and readers see it.
fn visible_order(id: OrderId, item: Option<Item>) -> Result<StoredOrder, OrderError> {
    let stored = item.map(stored_order).transpose()?;
    stored.filter(|stored| stored.progress.phase.is_visible()).ok_or(OrderError::NotFound(id))
}

const LEADS_LIST: &str = "order-leads";

/// Returns the cursor of the lead at this index of this shard.
pub(super) fn cursor_at(shard: u32, index: usize) -> String {
    Cursor::after([shard.to_string(), index.to_string()]).encode(LEADS_LIST)
}

impl Orders {
    /// Returns one page of an order's leads.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], [`OrderError::Cursor`].
    pub async fn leads_of(
        &self,
        id: OrderId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Lead>, OrderError> {
        let (shard, index) = match cursor {
            None => (0, 0),
            Some(text) => {
                let cursor = Cursor::<2>::decode(LEADS_LIST, text)?;
                let [shard, index] = cursor.parts();
                let shard: u32 = shard.parse().map_err(|_| CursorError)?;
                (shard.min(99_999), index.parse().map_err(|_| CursorError)?)
            }
        };
        let shards = self.some_shards(id, shard, limit.into());
        let (_, (shards, next_shard)) = try_join(self.find_order(id), shards).await?;
        let page = self.leads_page(&shards, limit.into(), index).await?;
        Ok(Listed { next: page.next.or(next_shard), ..page })
    }

    /// Reads up to `most` leads of some shards, after the first `skip` leads of the first shard.
    async fn leads_page(
        &self,
        shards: &[Shard],
        most: usize,
        skip: usize,
    ) -> Result<Listed<Lead>, OrderError> {
        let places = shards.iter().enumerate().flat_map(|(nth, shard)| {
            let skip = if nth == 0 { skip } else { 0 };
            shard.leads.iter().enumerate().skip(skip).map(|(index, lead)| (shard.number, index, *lead))
        });
        let mut places: Vec<(u32, usize, ShardLead)> = places.take(most + 1).collect();
        let next = places.get(most).map(|(shard, index, _)| cursor_at(*shard, *index));
        places.truncate(most);
        let ids: Vec<LeadId> = places.iter().map(|(_, _, lead)| lead.id).collect();
        Ok(Listed { items: self.leads.read_all(&ids).await?, next })
    }
}

const HISTORY_LIST: &str = "order-history";

impl Orders {
    /// Returns the history of an order, newest first. A deleted order still has its history.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] if the order never existed, [`OrderError::Cursor`].
    pub async fn history(
        &self,
        id: OrderId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<OrderEntry>, OrderError> {
        let mut range = Select::partition(order_key(id).pk, limit.into()).begins_with(ENTRIES).backwards();
        if let Some(version) = start_after(HISTORY_LIST, cursor)? {
            let key = entry_key(id, version);
            range = range.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&range).await?;
        let entries =
            page.items.into_iter().map(from_item).collect::<Result<Vec<OrderEntry>, StoreError>>()?;
        if entries.is_empty() && cursor.is_none() {
            return Err(OrderError::NotFound(id));
        }
        let last = entries.last().filter(|_| page.more);
        let next = last.map(|entry| cursor_after(HISTORY_LIST, entry.version));
        Ok(Listed { items: entries, next })
    }
}
