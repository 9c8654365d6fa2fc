//! The page of one product: viewing it, adjusting its stock, and changing its details.

use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::base::calendar;
use crate::base::identity::SignedIn;
use crate::inventory::Inventory;
use crate::inventory::domain::Sku;
use crate::inventory::error::InventoryError;
use crate::inventory::forms::{AdjustTexts, DetailsTexts, adjustment_id};
use crate::inventory::store::Adjustment;
use crate::inventory::views::{AdjustForm, DetailsForm, ProductPage};
use crate::orders::forms::Pairs;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast_there};
use crate::web::routes::Routes;

pub fn routes() -> Routes<Inventory> {
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
            let words =
                |invalid: Option<crate::base::values::Invalid>| invalid.map(|invalid| invalid.to_string());
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
