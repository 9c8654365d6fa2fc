//! The page of one product: its stock, its movements and its forms.

use askama::Template;
use jiff::civil::Date;

use super::ProductView;
use crate::inventory::domain::{Kind, Movement, Product};
use crate::inventory::forms::{AdjustTexts, DetailsTexts};
use crate::inventory::store::MovementPage;
use crate::web::pages::{DisplayTime, PageContext};

/// A movement as pages show it.
#[derive(Debug, Clone)]
pub(in crate::inventory) struct MovementView {
    version: u64,
    /// The kind of movement, such as `Sale`.
    kind: &'static str,
    /// The change of the stock, with its sign.
    change: String,
    after: u64,
    reason: Option<String>,
    message_id: String,
    /// The source of the message, and the account that sent it, if there is one.
    source: String,
    by: Option<String>,
    at: DisplayTime,
}

impl MovementView {
    fn of(movement: &Movement) -> Self {
        let (before, after) = (movement.before.get(), movement.after.get());
        let change = match after.checked_sub(before) {
            Some(0) => "±0".to_owned(),
            Some(more) => format!("+{more}"),
            None => format!("−{}", before - after),
        };
        Self {
            version: movement.version.get(),
            kind: match movement.kind {
                Kind::Sale => "Sale",
                Kind::Return => "Return",
                Kind::Receipt => "Receipt",
                Kind::Count => "Count",
            },
            change,
            after,
            reason: movement.reason.as_ref().map(ToString::to_string),
            message_id: movement.message_id.to_string(),
            source: movement.source.to_string(),
            by: movement.by.as_ref().map(ToString::to_string),
            at: movement.at.into(),
        }
    }
}

/// The form for a manual adjustment.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct AdjustForm {
    /// The idempotency key.
    pub(in crate::inventory) key: String,
    /// The fields as typed.
    pub(in crate::inventory) typed: AdjustTexts,
    pub(in crate::inventory) stock_error: Option<String>,
    pub(in crate::inventory) reason_error: Option<String>,
    /// An error that concerns the whole form.
    pub(in crate::inventory) error: Option<&'static str>,
    /// Whether the stock has moved since the person counted it.
    pub(in crate::inventory) overtaken: bool,
}

/// The form for the name and the low-stock mark.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct DetailsForm {
    /// The fields as typed.
    pub(in crate::inventory) typed: DetailsTexts,
    pub(in crate::inventory) name_error: Option<String>,
    pub(in crate::inventory) mark_error: Option<String>,
    /// Whether another person changed the details since they were read.
    pub(in crate::inventory) overtaken: bool,
}

impl DetailsForm {
    /// Returns the form with the product's current details.
    pub(in crate::inventory) fn of(product: &Product) -> Self {
        Self { typed: DetailsTexts::of(product), ..Self::default() }
    }

    /// Returns whether the form is expanded, because it shows an error or a conflict.
    pub(in crate::inventory) fn is_open(&self) -> bool {
        self.overtaken || self.name_error.is_some() || self.mark_error.is_some()
    }
}

/// `GET /inventory/{sku}`
#[derive(Template)]
#[template(path = "inventory/product.html", blocks = ["movements"])]
pub(in crate::inventory) struct ProductPage {
    pub(in crate::inventory) context: PageContext,
    pub(in crate::inventory) product: ProductView,
    pub(in crate::inventory) movements: Vec<MovementView>,
    /// The address of the next page of movements.
    pub(in crate::inventory) more: Option<String>,
    pub(in crate::inventory) adjust: AdjustForm,
    pub(in crate::inventory) details: DetailsForm,
}

impl ProductPage {
    /// The movements of one page.
    pub(in crate::inventory) const MOVEMENTS: u16 = 25;

    pub(in crate::inventory) fn new(
        context: PageContext,
        product: &Product,
        page: &MovementPage,
        today: Date,
        key: String,
    ) -> Self {
        let address = |cursor: &String| {
            let query = serde_urlencoded::to_string([("movements", cursor)]).ok()?;
            Some(format!("/inventory/{}?{query}", product.sku))
        };
        Self {
            context,
            product: ProductView::of(product, today),
            movements: page.movements.iter().map(MovementView::of).collect(),
            more: page.next.as_ref().and_then(address),
            adjust: AdjustForm { key, ..AdjustForm::default() },
            details: DetailsForm::of(product),
        }
    }
}
