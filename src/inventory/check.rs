//! Checks that every stock is the sum of its movements. The check can run at any time.
//!
//! Invariants: a step reads a bounded number of movements and returns the cursor of the next step; a product that
//! moves during the check is checked up to the version of the first read.

use serde::Serialize;

use super::domain::{Movement, Product, Sku, Units};
use super::error::InventoryError;
use super::items::{movement_key, product_key};
use super::store::Order;
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::store::{Cursor, CursorError, Select, from_item};
use crate::web::lists::Listed;

/// The products of one step, and the movements of one read.
const PRODUCTS: u16 = 25;
const MOVEMENTS: u64 = 500;
/// A step ends after this many movements.
const MOST_MOVEMENTS: u64 = 2_000;
const LIST: &str = "check";
/// In a cursor: no page, or no partly checked product.
const NONE: &str = "-";

/// A product whose stock differs from its movements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The product.
    pub sku: Sku,
    /// The stored stock.
    pub stock: Units,
    /// The sum of its movements.
    pub sum: i64,
    /// A description of the difference.
    pub words: String,
}

/// The result of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// How many products were checked completely.
    pub products: u64,
    /// How many movements were read.
    pub movements: u64,
    /// The differences found.
    pub differences: Vec<Difference>,
    /// The cursor of the next step.
    pub next: Option<String>,
}

/// The start of a step: a page of products, and a product on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Position {
    page: Option<String>,
    /// The product on the page that is partly checked.
    partial: Option<PartialSum>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PartialSum {
    sku: Sku,
    version: u64,
    sum: i64,
}

impl Position {
    fn encode(&self) -> String {
        let page = self.page.clone().unwrap_or_else(|| NONE.to_owned());
        let partial = self.partial.as_ref();
        let partial = partial.map(|partial| format!("{} {} {}", partial.sku, partial.version, partial.sum));
        Cursor::after([page, partial.unwrap_or_else(|| NONE.to_owned())]).encode(LIST)
    }

    fn decode(text: &str) -> Result<Self, CursorError> {
        let cursor = Cursor::<2>::decode(LIST, text)?;
        let [page, partial] = cursor.parts();
        let partial =
            if partial == NONE { None } else { Some(PartialSum::decode(partial).ok_or(CursorError)?) };
        Ok(Self { page: Some(page.clone()).filter(|page| page != NONE), partial })
    }
}

impl PartialSum {
    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (sku, version, sum) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { sku: sku.parse().ok()?, version: version.parse().ok()?, sum: sum.parse().ok()? })
    }
}

impl Inventory {
    /// Checks the next products.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for an invalid cursor.
    pub async fn check_step(&self, cursor: Option<&str>) -> Result<Checked, InventoryError> {
        let Position { page, partial } = cursor.map(Position::decode).transpose()?.unwrap_or_default();
        let Listed { items, next } = self.list(Order::BySku, PRODUCTS, page.as_deref()).await?;
        let mut checked = Checked::default();
        let mut partial = partial;
        for product in items {
            // The page is ordered by sku and products are never deleted, so it contains the product at which the last
            // step stopped.
            let from = match &partial {
                Some(from) if from.sku == product.sku => partial.take(),
                Some(_) => continue,
                None => None,
            };
            let mut sum = from.unwrap_or(PartialSum { sku: product.sku.clone(), version: 0, sum: 0 });
            while sum.version < product.version.get() {
                if checked.movements >= MOST_MOVEMENTS {
                    checked.next = Some(Position { page, partial: Some(sum) }.encode());
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
                checked.differences.push(difference(&product, sum.sum, "the sum of its movements differs"));
            }
        }
        checked.next = next.map(|next| Position { page: Some(next), partial: None }.encode());
        Ok(checked)
    }

    /// Adds the next movements of a product to its sum. Returns a difference if the movements are not consecutive.
    async fn add_checked(
        &self,
        product: &Product,
        sum: &mut PartialSum,
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
