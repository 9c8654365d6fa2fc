//! One product: its stock, its movements, and the forms that change it.

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
    /// What was done: `Sale`.
    kind: &'static str,
    /// By how much the stock changed, with its sign.
    change: String,
    after: u64,
    reason: Option<String>,
    message_id: String,
    /// Where it came from, and who sent it where somebody did.
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

/// The form that adjusts a stock by hand.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct AdjustForm {
    /// What makes sending it twice one adjustment.
    pub(in crate::inventory) key: String,
    /// As it was typed.
    pub(in crate::inventory) typed: AdjustTexts,
    /// What is wrong with the number, in words.
    pub(in crate::inventory) stock_error: Option<String>,
    /// What is wrong with the reason, in words.
    pub(in crate::inventory) reason_error: Option<String>,
    /// What else is wrong, in words.
    pub(in crate::inventory) error: Option<&'static str>,
    /// Whether the stock moved since it was counted.
    pub(in crate::inventory) overtaken: bool,
}

/// The form of name and low-stock mark.
#[derive(Debug, Clone, Default)]
pub(in crate::inventory) struct DetailsForm {
    /// As it was typed.
    pub(in crate::inventory) typed: DetailsTexts,
    /// What is wrong with the name, in words.
    pub(in crate::inventory) name_error: Option<String>,
    /// What is wrong with the mark, in words.
    pub(in crate::inventory) mark_error: Option<String>,
    /// Whether somebody else changed them since they were read.
    pub(in crate::inventory) overtaken: bool,
}

impl DetailsForm {
    /// The form of a product that nobody typed into yet.
    pub(in crate::inventory) fn of(product: &Product) -> Self {
        Self { typed: DetailsTexts::of(product), ..Self::default() }
    }

    /// Whether it stands open: something in it wants an answer.
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
    /// The address of further movements.
    pub(in crate::inventory) more: Option<String>,
    pub(in crate::inventory) adjust: AdjustForm,
    pub(in crate::inventory) details: DetailsForm,
}

impl ProductPage {
    /// The movements that the page shows at once.
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
