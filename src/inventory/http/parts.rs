//! What the pages of the inventory share.
//!
//! Invariants: one URL serves the page, or its fragment when htmx asks; every form works without JavaScript; after a
//! conflict, the form shows the current data and can be submitted again.

use jiff::civil::Date;

use super::trend;
use crate::inventory::domain::Product;
use crate::shared::charts::Sparkline;
use crate::shared::forms::RawForm;
use crate::web::pages::DisplayTime;

/// Returns a field of a form as typed, without white space around it.
pub(super) fn typed(form: &RawForm, name: &str) -> String {
    form.get(name).unwrap_or_default().trim().to_owned()
}

/// A product as pages show it.
#[derive(Debug, Clone)]
pub(super) struct ProductView {
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) stock: u64,
    /// Whether the stock is at or below the low-stock mark.
    pub(super) low: bool,
    pub(super) low_mark: u64,
    pub(super) version: u64,
    pub(super) details_version: u64,
    pub(super) created: DisplayTime,
    pub(super) updated: DisplayTime,
    /// The stock of the last days.
    pub(super) trend: Sparkline,
}

impl ProductView {
    pub(super) fn of(product: &Product, today: Date) -> Self {
        Self {
            sku: product.sku.to_string(),
            name: product.name.to_string(),
            stock: product.stock.get(),
            low: product.is_low(),
            low_mark: product.low_mark.get(),
            version: product.version.get(),
            details_version: product.details_version.get(),
            created: product.created_at.into(),
            updated: product.updated_at.into(),
            trend: trend::sparkline(&product.last_days(today)),
        }
    }

    /// Returns the label for low stock.
    pub(super) fn low_words(&self) -> &'static str {
        if self.stock == 0 { "Out of stock" } else { "Low stock" }
    }
}
