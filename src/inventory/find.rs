//! Searching products by words.

use super::domain::Product;
use super::error::InventoryError;
use super::items::product_key;
use super::search::{SearchItem, WORDS};
use super::service::Inventory;
use super::store::{Order, ProductPage};
use crate::shared::search::SearchQuery;
use crate::store::{Key, from_item};

impl Inventory {
    /// Lists the products that match a query, or all products, low stock first. Two calls.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list.
    pub async fn find_some(
        &self,
        query: Option<&SearchQuery>,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<ProductPage, InventoryError> {
        match query {
            Some(query) => self.found(query, limit, cursor).await,
            None => self.list(Order::LowFirst, limit, cursor).await,
        }
    }

    /// Lists the products that match a query, ordered by the matched words.
    async fn found(
        &self,
        query: &SearchQuery,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<ProductPage, InventoryError> {
        let (items, next) = WORDS.find::<InventoryError>(&self.dynamo, query, None, limit, cursor).await?;
        let found = items.into_iter().map(from_item).collect::<Result<Vec<SearchItem>, _>>()?;
        let keys: Vec<Key> = found.iter().map(|found| product_key(&found.sku)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let products = items.into_iter().map(from_item).collect::<Result<Vec<Product>, _>>()?;
        Ok(ProductPage { products, next })
    }
}
