//! The page of one product: viewing it, adjusting its stock, and changing its details.

use askama::Template;
use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;

use super::form::adjustment_id;
use super::parts::{Answer, ProductView};
use crate::base::calendar;
use crate::base::identity::SignedIn;
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{Kind, LowMark, Movement, Product, ProductName, Reference, Sku, Units};
use crate::inventory::error::InventoryError;
use crate::inventory::store::{Adjustment, DetailsChange, MovementPage};
use crate::shared::pairs::Pairs;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast_there};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/inventory/{sku}", Access::Agent, show)
        .post("/inventory/{sku}/adjust", Access::Agent, adjust)
        .post("/inventory/{sku}/details", Access::Agent, details)
}

#[derive(Debug, Deserialize)]
struct ShowQuery {
    movements: Option<String>,
}

async fn show(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(sku): Path<Sku>,
    Query(query): Query<ShowQuery>,
) -> Answer {
    let cursor = query.movements.as_deref().filter(|cursor| !cursor.is_empty());
    let page = page(&inventory, context, &sku, cursor).await?;
    if fragment && cursor.is_some() {
        html(StatusCode::OK, &page.as_movements())
    } else {
        html(StatusCode::OK, &page)
    }
}

async fn page(
    inventory: &Inventory,
    context: PageContext,
    sku: &Sku,
    cursor: Option<&str>,
) -> Result<ProductPage, Problem> {
    let movements = inventory.movements(sku, ProductPage::MOVEMENTS, cursor);
    let (product, movements) = try_join(inventory.find(sku), movements).await?;
    let today = calendar::day_of(inventory.clock.now());
    Ok(ProductPage::new(context, &product, &movements, today, inventory.rng.uuid().to_string()))
}

/// Shows the page with the adjustment form as typed and a new key. The refused adjustment changed nothing, so its key
/// is not needed.
async fn adjust_again(
    inventory: &Inventory,
    context: PageContext,
    sku: &Sku,
    status: StatusCode,
    form: AdjustForm,
) -> Answer {
    let page = page(inventory, context, sku, None).await?;
    let adjust = AdjustForm { key: page.adjust.key.clone(), ..form };
    html(status, &ProductPage { adjust, ..page })
}

async fn adjust(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(sku): Path<Sku>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = AdjustTexts::of(&form);
    let (stock, reason) = match (typed.stock(), typed.reason()) {
        (Ok(stock), Ok(reason)) => (stock, reason),
        (stock, reason) => {
            let stock_error = stock.err().map(|invalid| invalid.to_string());
            let reason_error = reason.err().map(|invalid| invalid.to_string());
            let form = AdjustForm { typed, stock_error, reason_error, ..AdjustForm::default() };
            return adjust_again(&inventory, context, &sku, StatusCode::UNPROCESSABLE_ENTITY, form).await;
        }
    };
    let message_id = adjustment_id(&inventory, &who, form.get("key"))?;
    let adjustment = Adjustment { version, stock, reason, message_id };
    match inventory.adjust(&sku, adjustment, &who.actor()).await {
        Ok(_) => {
            let redirect = see_other(&context, &format!("/inventory/{sku}"), fragment);
            Ok(with_toast_there(redirect, Tone::Success, "The stock was set."))
        }
        Err(InventoryError::Conflict(_)) => {
            let form = AdjustForm { typed, overtaken: true, ..AdjustForm::default() };
            adjust_again(&inventory, context, &sku, StatusCode::CONFLICT, form).await
        }
        Err(InventoryError::KeyOfAnotherRequest) => {
            let error = Some("This form has set the stock already. Send it again to set it once more.");
            let form = AdjustForm { typed, error, ..AdjustForm::default() };
            adjust_again(&inventory, context, &sku, StatusCode::UNPROCESSABLE_ENTITY, form).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn details(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(sku): Path<Sku>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = DetailsTexts::sent(&form);
    let change = match typed.change() {
        Ok(change) => change,
        Err([name, mark]) => {
            let page = page(&inventory, context, &sku, None).await?;
            let words = |invalid: Option<Invalid>| invalid.map(|invalid| invalid.to_string());
            let (name_error, mark_error) = (words(name), words(mark));
            let details = DetailsForm { typed, name_error, mark_error, overtaken: false };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &ProductPage { details, ..page });
        }
    };
    let redirect = || see_other(&context, &format!("/inventory/{sku}"), fragment);
    if change.name.is_none() && change.low_mark.is_none() {
        return Ok(with_toast_there(redirect(), Tone::Info, "Nothing was changed."));
    }
    match inventory.change_details(&sku, version, &change, None).await {
        Ok(_) => Ok(with_toast_there(redirect(), Tone::Success, "Saved.")),
        Err(InventoryError::Conflict(fresh)) => {
            let page = page(&inventory, context, &sku, None).await?;
            let details =
                DetailsForm { typed: typed.merged_with(&fresh), overtaken: true, ..DetailsForm::default() };
            html(StatusCode::CONFLICT, &ProductPage { details, ..page })
        }
        Err(error) => Err(error.into()),
    }
}

fn text(form: &Pairs, name: &str) -> String {
    form.get(name).unwrap_or_default().trim().to_owned()
}

/// The fields of an adjustment as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct AdjustTexts {
    stock: String,
    reason: String,
}

impl AdjustTexts {
    fn of(form: &Pairs) -> Self {
        Self { stock: text(form, "stock"), reason: text(form, "reason") }
    }

    /// Parses the new stock.
    fn stock(&self) -> Result<Units, Invalid> {
        self.stock.parse()
    }

    /// Parses the reason, if one was typed.
    fn reason(&self) -> Result<Option<Reference>, Invalid> {
        Some(&self.reason).filter(|reason| !reason.is_empty()).map(|reason| reason.parse()).transpose()
    }
}

/// The name and low-stock mark as typed, with the values that the form showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct DetailsTexts {
    name: String,
    low_mark: String,
    base: Option<(String, String)>,
}

impl DetailsTexts {
    /// Returns the current details of a product.
    fn of(product: &Product) -> Self {
        Self { name: product.name.to_string(), low_mark: product.low_mark.to_string(), base: None }
    }

    /// Reads a submitted form.
    fn sent(form: &Pairs) -> Self {
        let base = form.get("base.name").map(|name| (name.to_owned(), text(form, "base.lowMark")));
        Self { name: text(form, "name"), low_mark: text(form, "lowMark"), base }
    }

    fn is_new(&self, now: &str, base: impl Fn(&(String, String)) -> &String) -> bool {
        self.base.as_ref().map(base).is_none_or(|base| base != now)
    }

    /// Returns the fields that the person changed, or the errors of the name and the mark.
    fn change(&self) -> Result<DetailsChange, [Option<Invalid>; 2]> {
        let name = self.is_new(&self.name, |base| &base.0).then(|| self.name.parse::<ProductName>());
        let mark = self.is_new(&self.low_mark, |base| &base.1).then(|| self.low_mark.parse::<LowMark>());
        match (name.transpose(), mark.transpose()) {
            (Ok(name), Ok(low_mark)) => Ok(DetailsChange { name, low_mark }),
            (name, mark) => Err([name.err(), mark.err()]),
        }
    }

    /// Applies the person's changes to the current product. Fields they did not change show the current values.
    fn merged_with(self, now: &Product) -> Self {
        let fresh = Self::of(now);
        let own_name = self.is_new(&self.name, |base| &base.0);
        let own_mark = self.is_new(&self.low_mark, |base| &base.1);
        Self {
            name: if own_name { self.name } else { fresh.name },
            low_mark: if own_mark { self.low_mark } else { fresh.low_mark },
            base: None,
        }
    }
}

/// The form for a manual adjustment.
#[derive(Debug, Clone, Default)]
struct AdjustForm {
    /// The idempotency key.
    key: String,
    /// The fields as typed.
    typed: AdjustTexts,
    stock_error: Option<String>,
    reason_error: Option<String>,
    /// An error that concerns the whole form.
    error: Option<&'static str>,
    /// Whether the stock has moved since the person counted it.
    overtaken: bool,
}

/// The form for the name and the low-stock mark.
#[derive(Debug, Clone, Default)]
struct DetailsForm {
    /// The fields as typed.
    typed: DetailsTexts,
    name_error: Option<String>,
    mark_error: Option<String>,
    /// Whether another person changed the details since they were read.
    overtaken: bool,
}

impl DetailsForm {
    /// Returns the form with the product's current details.
    fn of(product: &Product) -> Self {
        Self { typed: DetailsTexts::of(product), ..Self::default() }
    }

    /// Returns whether the form is expanded, because it shows an error or a conflict.
    fn is_open(&self) -> bool {
        self.overtaken || self.name_error.is_some() || self.mark_error.is_some()
    }
}

/// A movement as pages show it.
#[derive(Debug, Clone)]
struct MovementView {
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

/// `GET /inventory/{sku}`
#[derive(Template)]
#[template(path = "inventory/product.html", blocks = ["movements"])]
struct ProductPage {
    context: PageContext,
    product: ProductView,
    movements: Vec<MovementView>,
    /// The address of the next page of movements.
    more: Option<String>,
    adjust: AdjustForm,
    details: DetailsForm,
}

impl ProductPage {
    /// The movements of one page.
    const MOVEMENTS: u16 = 25;

    fn new(context: PageContext, product: &Product, page: &MovementPage, today: Date, key: String) -> Self {
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
