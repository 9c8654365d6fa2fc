//! Search for products by words.

use super::domain::Product;
use super::error::InventoryError;
use super::items::product_key;
use super::search::{Searched, WORDS};
use super::service::Inventory;
use super::store::{Order, ProductPage};
use crate::shared::search::SearchQuery;
use crate::store::{Key, from_item};

impl Inventory {
    /// A page of products: those that a query finds, or all, low stock first. Two calls.
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

    /// A page of the products that a query finds, in the order of the words that it finds.
    async fn found(
        &self,
        query: &SearchQuery,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<ProductPage, InventoryError> {
        let (items, next) = WORDS.find::<InventoryError>(&self.dynamo, query, None, limit, cursor).await?;
        let found = items.into_iter().map(from_item).collect::<Result<Vec<Searched>, _>>()?;
        let keys: Vec<Key> = found.iter().map(|found| product_key(&found.sku)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let products = items.into_iter().map(from_item).collect::<Result<Vec<Product>, _>>()?;
        Ok(ProductPage { products, next })
    }
}
