//! Whether every stock is the sum of its movements: what anyone may recompute at any time.
//!
//! What always holds: a step reads a bounded number of movements and says where the next one goes on; a product that
//! moves meanwhile is checked up to the version at which it was first read.

use serde::Serialize;

use super::domain::{Movement, Product, Sku, Units};
use super::error::InventoryError;
use super::items::{movement_key, product_key};
use super::store::{Order, ProductPage};
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::store::{Cursor, CursorError, Select, from_item};

/// The products of one step, and the movements that are read at once.
const PRODUCTS: u16 = 25;
const MOVEMENTS: u64 = 500;
/// After so many movements a step ends.
const MOST_MOVEMENTS: u64 = 2_000;
const LIST: &str = "check";
/// In a cursor: the products go on behind, none is half-way.
const NONE: &str = "-";

/// A product whose stock is not what its movements say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The product.
    pub sku: Sku,
    /// The stock that it has.
    pub stock: Units,
    /// What its movements come to.
    pub sum: i64,
    /// What is wrong, in words.
    pub words: String,
}

/// What one step has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// How many products were checked to their end.
    pub products: u64,
    /// How many movements were read.
    pub movements: u64,
    /// What does not fit.
    pub differences: Vec<Difference>,
    /// Where the next step goes on.
    pub next: Option<String>,
}

/// Where a step goes on: behind a page of products, within one of its products.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    page: Option<String>,
    /// The product that is being summed up: its place on the page, how far, and the sum until there.
    within: Option<Within>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Within {
    sku: Sku,
    version: u64,
    sum: i64,
}

impl Place {
    fn encode(&self) -> String {
        let page = self.page.clone().unwrap_or_else(|| NONE.to_owned());
        let within = self.within.as_ref();
        let within = within.map(|within| format!("{} {} {}", within.sku, within.version, within.sum));
        Cursor::after([page, within.unwrap_or_else(|| NONE.to_owned())]).encode(LIST)
    }

    fn decode(text: &str) -> Result<Self, CursorError> {
        let cursor = Cursor::<2>::decode(LIST, text)?;
        let [page, within] = cursor.parts();
        let within = if within == NONE { None } else { Some(Within::decode(within).ok_or(CursorError)?) };
        Ok(Self { page: Some(page.clone()).filter(|page| page != NONE), within })
    }
}

impl Within {
    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (sku, version, sum) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { sku: sku.parse().ok()?, version: version.parse().ok()?, sum: sum.parse().ok()? })
    }
}

impl Inventory {
    /// Checks some more products.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of something else.
    pub async fn check_step(&self, cursor: Option<&str>) -> Result<Checked, InventoryError> {
        let Place { page, within } = cursor.map(Place::decode).transpose()?.unwrap_or_default();
        let ProductPage { products, next } = self.list(Order::BySku, PRODUCTS, page.as_deref()).await?;
        let mut checked = Checked::default();
        let mut within = within;
        for product in products {
            // The page is in the order of skus and loses none, so it has the one that the last step left off at.
            let from = match &within {
                Some(from) if from.sku == product.sku => within.take(),
                Some(_) => continue,
                None => None,
            };
            let mut sum = from.unwrap_or(Within { sku: product.sku.clone(), version: 0, sum: 0 });
            while sum.version < product.version.get() {
                if checked.movements >= MOST_MOVEMENTS {
                    checked.next = Some(Place { page, within: Some(sum) }.encode());
                    return Ok(checked);
                }
                if let Some(difference) = self.add_checked(&product, &mut sum, &mut checked.movements).await?
                {
                    checked.differences.push(difference);
                    break;
                }
            }
            checked.products += 1;
            let stock = i64::try_from(product.stock.get()).unwrap_or(i64::MAX);
            if sum.version == product.version.get() && sum.sum != stock {
                checked.differences.push(difference(
                    &product,
                    sum.sum,
                    "its movements come to another number",
                ));
            }
        }
        checked.next = next.map(|next| Place { page: Some(next), within: None }.encode());
        Ok(checked)
    }

    /// Adds some more movements of a product to its sum; a difference if they do not follow each other.
    async fn add_checked(
        &self,
        product: &Product,
        sum: &mut Within,
        read: &mut u64,
    ) -> Result<Option<Difference>, InventoryError> {
        let last = product.version.get().min(sum.version + MOVEMENTS);
        let key =
            |version: u64| Version::try_from(version).map(|version| movement_key(&product.sku, version).sk);
        let (Ok(from), Ok(to)) = (key(sum.version + 1), key(last)) else {
            return Ok(Some(difference(product, sum.sum, "its version is out of bounds")));
        };
        let limit = i32::try_from(MOVEMENTS).unwrap_or(i32::MAX);
        let select = Select::partition(product_key(&product.sku).pk, limit).between(from, to);
        for item in self.dynamo.select(&select).await?.items {
            let movement: Movement = from_item(item)?;
            *read += 1;
            let before = i64::try_from(movement.before.get()).unwrap_or(i64::MAX);
            if movement.version.get() != sum.version + 1 || before != sum.sum {
                let words = format!("movement {} does not follow the one before it", movement.version);
                return Ok(Some(difference(product, sum.sum, &words)));
            }
            sum.sum += i64::try_from(movement.after.get()).unwrap_or(i64::MAX) - before;
            sum.version = movement.version.get();
        }
        if sum.version < last {
            return Ok(Some(difference(product, sum.sum, "movements are missing")));
        }
        Ok(None)
    }
}

fn difference(product: &Product, sum: i64, words: &str) -> Difference {
    Difference { sku: product.sku.clone(), stock: product.stock, sum, words: words.to_owned() }
}
