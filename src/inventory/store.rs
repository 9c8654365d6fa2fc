//! Products in the table: read, list, search and adjust. See `apply.rs` for messages and `dead_letters.rs` for dead
//! letters.

use super::apply::put_product;
use super::domain::{
    Channel, Delivery, Kind, LowMark, Message, MessageId, Movement, Outcome, Product, ProductName, Reference,
    Sku, Source, Units,
};
use super::error::InventoryError;
use super::items::{IdempotencyRecord, MOVEMENTS, PRODUCTS, movement_key, product_key};
use super::search::{SearchItem, WORDS};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::shared::cursors::{cursor_after, next_in_index, start_after, start_in_index};
use crate::shared::search::SearchQuery;
use crate::store::idempotency::{Done, Idempotency, KeyReused};
use crate::store::schema::{ALL_NEWEST, ALL_SCORE, Index, PK};
use crate::store::{Item, Key, Select, StoreError, WriteError, from_item};
use crate::web::lists::Listed;

const MOVEMENT_LIST: &str = "movements";

impl Inventory {
    /// Reads a product, consistently.
    ///
    /// # Errors
    /// [`InventoryError::NotFound`].
    pub async fn find(&self, sku: &Sku) -> Result<Product, InventoryError> {
        self.read(sku).await?.ok_or_else(|| InventoryError::NotFound(sku.clone()))
    }
}

/// The order of a list of products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Low stock first, then by sku.
    #[default]
    LowFirst,
    /// By sku alone. This order does not change while a reader pages through it.
    BySku,
}

impl Order {
    /// Returns the index for this order, and the name of its cursors.
    fn index(self) -> (Index, &'static str) {
        match self {
            Self::LowFirst => (ALL_SCORE, "products"),
            Self::BySku => (ALL_NEWEST, "products by sku"),
        }
    }
}

impl Inventory {
    /// Lists products. Two calls.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list.
    pub async fn list(
        &self,
        order: Order,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Product>, InventoryError> {
        let (index, name) = order.index();
        let select = Select::index(index, PRODUCTS, i32::from(limit));
        let select = start_in_index(select, name, cursor, |sku: Sku| product_key(&sku))?;
        let page = self.dynamo.select(&select).await?;
        let keys: Vec<Key> = page.items.iter().filter_map(sku_of).map(|sku| product_key(&sku)).collect();
        let items = self.read_all(&keys).await?;
        Ok(Listed { items, next: next_in_index(name, index, &page, sku_of) })
    }

    /// Lists the products that match a query, ordered by the matched words; or all products, low stock first. Two
    /// calls.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list.
    pub async fn find_some(
        &self,
        query: Option<&SearchQuery>,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Product>, InventoryError> {
        let Some(query) = query else { return self.list(Order::LowFirst, limit, cursor).await };
        let (found, next) = WORDS.find::<InventoryError>(&self.dynamo, query, None, limit, cursor).await?;
        let found = found.into_iter().map(from_item).collect::<Result<Vec<SearchItem>, _>>()?;
        let keys: Vec<Key> = found.iter().map(|found| product_key(&found.sku)).collect();
        Ok(Listed { items: self.read_all(&keys).await?, next })
    }

    async fn read_all(&self, keys: &[Key]) -> Result<Vec<Product>, StoreError> {
        self.dynamo.get_all(keys).await?.into_iter().map(from_item).collect()
    }
}

fn sku_of(item: &Item) -> Option<Sku> {
    item.get(PK)?.as_s().ok()?.strip_prefix("PRODUCT#")?.parse().ok()
}

impl Inventory {
    /// Lists a product's movements, newest first.
    ///
    /// # Errors
    /// [`InventoryError::NotFound`], [`InventoryError::Cursor`].
    pub async fn movements(
        &self,
        sku: &Sku,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Movement>, InventoryError> {
        let select = Select::partition(product_key(sku).pk, i32::from(limit)).begins_with(MOVEMENTS);
        let mut select = select.backwards();
        if let Some(version) = start_after(MOVEMENT_LIST, cursor)? {
            let key = movement_key(sku, version);
            select = select.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&select).await?;
        if page.items.is_empty() {
            // Every product has at least the movement that created it.
            self.find(sku).await?;
        }
        let items = page.items.into_iter().map(from_item).collect::<Result<Vec<Movement>, _>>()?;
        let next = items.last().filter(|_| page.more).map(|last| cursor_after(MOVEMENT_LIST, last.version));
        Ok(Listed { items, next })
    }
}

/// A manual adjustment of a stock.
#[derive(Debug, Clone)]
pub struct Adjustment {
    /// The product's version that the person saw.
    pub version: Version,
    /// The new stock.
    pub stock: Units,
    /// The reason.
    pub reason: Option<Reference>,
    /// The id that makes a repeated request count once.
    pub message_id: MessageId,
}

impl Inventory {
    /// Adjusts a product's stock by hand, as a COUNT message based on the version that the person saw.
    ///
    /// # Errors
    /// [`InventoryError::NotFound`], [`InventoryError::Conflict`] with the product as it is now,
    /// [`InventoryError::KeyReused`].
    pub async fn adjust(
        &self,
        sku: &Sku,
        adjustment: Adjustment,
        by: &Actor,
    ) -> Result<Product, InventoryError> {
        let Adjustment { version, stock, reason, message_id } = adjustment;
        let message = Message {
            message_id,
            sku: sku.clone(),
            kind: Kind::Count,
            quantity: stock,
            occurred_at: self.clock.now(),
            reference: reason,
            name: None,
            version: Some(version),
        };
        let delivery = Delivery { message, source: Source::of(Channel::Page), raw: Vec::new(), ignored: 0 };
        let outcome = self.apply_or_refuse(&delivery, by).await?;
        let now = self.find(sku).await?;
        if matches!(outcome, Outcome::Applied(_)) {
            return Ok(now);
        }
        // A count is refused only if its version is not the product's. If the same request changed the version
        // earlier, it succeeded.
        match self.same_adjustment(&delivery.message).await? {
            Some(true) => Ok(now),
            Some(false) => Err(KeyReused.into()),
            None => Err(InventoryError::Conflict(Box::new(now))),
        }
    }

    /// Returns whether an earlier request with this id made the same count, or `None` if it made no movement. The
    /// time is not compared, because each request sets it.
    async fn same_adjustment(&self, message: &Message) -> Result<Option<bool>, InventoryError> {
        let record = self.idempotency_record(&message.message_id).await?;
        let Some(IdempotencyRecord { sku, version: Some(version), .. }) = record else { return Ok(None) };
        let item = self.dynamo.get(&movement_key(&sku, version)).await?;
        let movement: Option<Movement> = item.map(from_item).transpose()?;
        let same = |movement: Movement| {
            let of_same_version = message.version.is_none_or(|version| movement.version == version.next());
            of_same_version && movement.after == message.quantity && movement.reason == message.reference
        };
        Ok(Some(sku == message.sku && movement.is_some_and(same)))
    }
}

/// A change of a product's details.
#[derive(Debug, Clone, Default)]
pub struct DetailsChange {
    /// The new name.
    pub name: Option<ProductName>,
    /// The new low-stock mark.
    pub low_mark: Option<LowMark>,
}

impl DetailsChange {
    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.low_mark.is_none()
    }
}

impl Inventory {
    /// Changes a product's name or low-stock mark. `version` is the details version that the person saw. Concurrent
    /// movements do not conflict.
    ///
    /// # Errors
    /// [`InventoryError::NotFound`], [`InventoryError::Conflict`] with the product as it is now.
    pub async fn change_details(
        &self,
        sku: &Sku,
        version: Version,
        change: &DetailsChange,
        idempotency: Option<&Idempotency<'_, Product>>,
    ) -> Result<Done<Product>, InventoryError> {
        let change = self.write_details(sku, version, change, idempotency);
        Idempotency::run(idempotency, &self.dynamo, change).await
    }

    async fn write_details(
        &self,
        sku: &Sku,
        version: Version,
        change: &DetailsChange,
        idempotency: Option<&Idempotency<'_, Product>>,
    ) -> Result<Product, InventoryError> {
        let mut retries = self.dynamo.retries();
        loop {
            let before = self.find(sku).await?;
            if before.details_version != version {
                return Err(InventoryError::Conflict(Box::new(before)));
            }
            let after = Product {
                name: change.name.clone().unwrap_or_else(|| before.name.clone()),
                low_mark: change.low_mark.unwrap_or(before.low_mark),
                details_version: version.next(),
                ..before.clone()
            };
            let write = put_product(self.dynamo.guarded_write(), Some(&before), &after)?;
            match self.dynamo.write(Idempotency::record(idempotency, write, &after)?).await {
                Ok(()) => return Ok(after),
                Err(WriteError::Store(error)) => return Err(error.into()),
                // The stock has moved, or the details have changed. The next read tells which.
                Err(WriteError::Refused(_)) => retries.backoff().await?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::items::list_sort;

    #[test]
    fn low_stock_comes_first() {
        let product = |sku: &str, stock: u64| {
            let product: Product = serde_json::from_value(serde_json::json!({
                "sku": sku, "name": sku, "stock": stock, "version": 1, "lowMark": 5, "detailsVersion": 1,
                "createdAt": "2026-11-22T00:00:00Z", "updatedAt": "2026-11-22T00:00:00Z",
            }))
            .unwrap();
            list_sort(&product)
        };
        assert!(product("Z", 5) < product("A", 6) && product("A", 1) < product("B", 0));
    }
}
