//! The page of one product: viewing it, adjusting its stock, and changing its details.

use futures_util::future::try_join;
use jiff::civil::Date;

use super::form::adjustment_id;
use super::parts::{ProductView, typed};
use super::trend;
use crate::base::calendar;
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{Kind, LowMark, Movement, Product, ProductName, Reference, Sku, Units};
use crate::inventory::error::InventoryError;
use crate::inventory::store::{Adjustment, DetailsChange};
use crate::shared::charts::Chart;
use crate::shared::forms::RawForm;
use crate::shared::pages::*;
use crate::shared::values::optional;
use crate::store::idempotency::Done;
use crate::web::lists::Listed;
use crate::web::query::address;

pub(super) fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/inventory/{sku}", Access::Viewer, show)
        .post("/inventory/{sku}/adjust", Access::Agent, adjust)
        .post("/inventory/{sku}/details", Access::Agent, details)
}

#[derive(Debug, Deserialize)]
struct ShowQuery {
    movements: Option<String>,
}

async fn show(
    State(inventory): State<Inventory>,
    RenderTarget { context, fragment }: RenderTarget,
    Path(sku): Path<Sku>,
    Query(query): Query<ShowQuery>,
) -> PageAnswer {
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
    Ok(ProductPage::new(context, &product, movements, today, inventory.rng.uuid().to_string()))
}

/// Shows the page with the adjustment form as typed and a new key. The refused adjustment changed nothing, so its key
/// is not needed.
async fn adjust_again(
    inventory: &Inventory,
    context: PageContext,
    sku: &Sku,
    status: StatusCode,
    form: AdjustForm,
) -> PageAnswer {
    let page = page(inventory, context, sku, None).await?;
    let adjust = AdjustForm { key: page.adjust.key.clone(), ..form };
    html(status, &ProductPage { adjust, ..page })
}

async fn adjust(
    State(inventory): State<Inventory>,
    target: RenderTarget,
    Path(sku): Path<Sku>,
    submission: Submission,
) -> PageAnswer {
    let version = submission.version()?;
    let typed = AdjustTexts::sent(&submission.form);
    let (stock, reason) = match typed.read() {
        Ok(read) => read,
        Err(errors) => {
            let (status, form) = AdjustForm::invalid(typed, errors);
            return adjust_again(&inventory, target.context, &sku, status, form).await;
        }
    };
    let message_id = adjustment_id(&inventory, &submission.who, submission.form.get("key"))?;
    let adjustment = Adjustment { version, stock, reason, message_id };
    match inventory.adjust(&sku, adjustment, &submission.who.actor()).await {
        Ok(_) => Ok(target.done(&format!("/inventory/{sku}"), "Stock set.")),
        Err(error) => {
            let (status, form) = AdjustForm::refused(typed, error)?;
            adjust_again(&inventory, target.context, &sku, status, form).await
        }
    }
}

/// Shows the page with the details form as typed.
async fn details_again(
    inventory: &Inventory,
    context: PageContext,
    sku: &Sku,
    status: StatusCode,
    details: DetailsForm,
) -> PageAnswer {
    let page = page(inventory, context, sku, None).await?;
    html(status, &ProductPage { details, ..page })
}

async fn details(
    State(inventory): State<Inventory>,
    target: RenderTarget,
    Path(sku): Path<Sku>,
    submission: Submission,
) -> PageAnswer {
    let (version, typed) = (submission.version()?, DetailsTexts::sent(&submission.form));
    let path = format!("/inventory/{sku}");
    let change = match typed.change() {
        Ok(change) if change.is_empty() => {
            return Ok(with_toast_there(target.redirect(&path), Tone::Info, "No changes to save."));
        }
        Ok(change) => change,
        Err(errors) => {
            let (status, form) = DetailsForm::invalid(typed, errors);
            return details_again(&inventory, target.context, &sku, status, form).await;
        }
    };
    let idempotency = Some(submission.idempotency());
    match inventory.change_details(&sku, version, &change, idempotency.as_ref()).await {
        Ok(Done::Now(_)) => Ok(target.done(&path, "Saved.")),
        Ok(Done::Replayed(_)) => {
            Ok(target.done(&path, "This was already saved. Here's the current product."))
        }
        Err(InventoryError::Conflict(fresh)) => {
            let (status, form) = DetailsForm::overtaken(typed, &fresh);
            details_again(&inventory, target.context, &sku, status, form).await
        }
        Err(error) => Err(error.into()),
    }
}

fn message(invalid: Option<Invalid>) -> Option<String> {
    invalid.map(|invalid| invalid.to_string())
}

/// The fields of an adjustment as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct AdjustTexts {
    stock: String,
    reason: String,
}

impl AdjustTexts {
    fn sent(form: &RawForm) -> Self {
        Self { stock: typed(form, "stock"), reason: typed(form, "reason") }
    }

    /// Returns the stock and the reason, or the errors of both.
    fn read(&self) -> Result<(Units, Option<Reference>), [Option<Invalid>; 2]> {
        match (self.stock.parse::<Units>(), optional::<Reference>(&self.reason)) {
            (Ok(stock), Ok(reason)) => Ok((stock, reason)),
            (stock, reason) => Err([stock.err(), reason.err()]),
        }
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

    fn sent(form: &RawForm) -> Self {
        let base = form.get("base.name").map(|name| (name.to_owned(), typed(form, "base.lowMark")));
        Self { name: typed(form, "name"), low_mark: typed(form, "lowMark"), base }
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

#[derive(Debug, Clone, Default)]
struct AdjustForm {
    /// The idempotency key.
    key: String,
    typed: AdjustTexts,
    stock_error: Option<String>,
    reason_error: Option<String>,
    /// An error that concerns the whole form.
    error: Option<&'static str>,
    /// Whether the stock has moved since the person counted it.
    overtaken: bool,
}

impl AdjustForm {
    /// Returns the form with the errors of the stock and the reason, and the status of the answer.
    fn invalid(typed: AdjustTexts, [stock, reason]: [Option<Invalid>; 2]) -> (StatusCode, Self) {
        let (stock_error, reason_error) = (message(stock), message(reason));
        let form = Self { typed, stock_error, reason_error, ..Self::default() };
        (StatusCode::UNPROCESSABLE_ENTITY, form)
    }

    /// Returns the form after a refusal, and the status of the answer.
    fn refused(typed: AdjustTexts, error: InventoryError) -> Result<(StatusCode, Self), InventoryError> {
        match error {
            InventoryError::Conflict(_) => {
                Ok((StatusCode::CONFLICT, Self { typed, overtaken: true, ..Self::default() }))
            }
            InventoryError::KeyReused(_) => {
                let error = Some("This form already set the stock. Submit it again to set it once more.");
                Ok((StatusCode::UNPROCESSABLE_ENTITY, Self { typed, error, ..Self::default() }))
            }
            error => Err(error),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct DetailsForm {
    typed: DetailsTexts,
    name_error: Option<String>,
    mark_error: Option<String>,
    /// Whether another person changed the details since they were read.
    overtaken: bool,
}

impl DetailsForm {
    /// Returns the form with the errors of the name and the mark, and the status of the answer.
    fn invalid(typed: DetailsTexts, [name, mark]: [Option<Invalid>; 2]) -> (StatusCode, Self) {
        let (name_error, mark_error) = (message(name), message(mark));
        (StatusCode::UNPROCESSABLE_ENTITY, Self { typed, name_error, mark_error, overtaken: false })
    }

    /// Returns the form on top of the product that another person changed, and the status of the answer.
    fn overtaken(typed: DetailsTexts, fresh: &Product) -> (StatusCode, Self) {
        let typed = typed.merged_with(fresh);
        (StatusCode::CONFLICT, Self { typed, overtaken: true, ..Self::default() })
    }

    /// Returns whether the form is expanded, because it shows an error or a conflict.
    fn is_open(&self) -> bool {
        self.overtaken || self.name_error.is_some() || self.mark_error.is_some()
    }
}

/// A movement as pages show it.
#[derive(Debug, Clone)]
struct MovementView {
    movement: Movement,
    /// The kind of movement, such as `Sale`.
    kind: &'static str,
    /// The change of the stock, with its sign.
    change: String,
    at: DisplayTime,
}

impl MovementView {
    fn of(movement: Movement) -> Self {
        let (before, after) = (movement.before.get(), movement.after.get());
        let change = match after.checked_sub(before) {
            Some(0) => "±0".to_owned(),
            Some(more) => format!("+{more}"),
            None => format!("−{}", before - after),
        };
        let kind = match movement.kind {
            Kind::Sale => "Sale",
            Kind::Return => "Return",
            Kind::Receipt => "Receipt",
            Kind::Count => "Count",
        };
        Self { kind, change, at: movement.at.into(), movement }
    }
}

/// `GET /inventory/{sku}`
#[derive(Template)]
#[template(path = "inventory/product.html", config = "templates/askama.toml", blocks = ["movements"])]
struct ProductPage {
    context: PageContext,
    product: ProductView,
    /// The stock of the last days.
    chart: Chart,
    movements: Vec<MovementView>,
    /// The address of the next page of movements.
    more: Option<String>,
    adjust: AdjustForm,
    details: DetailsForm,
}

impl ProductPage {
    /// The movements of one page.
    const MOVEMENTS: u16 = 25;

    fn new(
        context: PageContext,
        product: &Product,
        page: Listed<Movement>,
        today: Date,
        key: String,
    ) -> Self {
        let more = |cursor| address(&format!("/inventory/{}", product.sku), [("movements", cursor)]);
        Self {
            context,
            product: ProductView::of(product, today),
            chart: trend::chart(&product.last_days(today)),
            movements: page.items.into_iter().map(MovementView::of).collect(),
            more: page.next.map(more),
            adjust: AdjustForm { key, ..AdjustForm::default() },
            details: DetailsForm { typed: DetailsTexts::of(product), ..DetailsForm::default() },
        }
    }
}
