//! The page of all caps. Each row sets the cap of one state.

use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;

use super::Answer;
use crate::base::values::UsState;
use crate::orders::Orders;
use crate::orders::domain::{Cap, StateCap};
use crate::orders::error::OrderError;
use crate::orders::forms::Pairs;
use crate::orders::views::{CapEdit, CapRow, CapRowPart, CapsPage, in_stock};
use crate::web::access::Access;
use crate::web::extract::{FormData, Path};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast, with_toast_there};
use crate::web::routes::Routes;

pub fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/caps", Access::Agent, show)
        .post("/orders/caps", Access::Agent, set_default)
        .post("/orders/caps/{state}", Access::Agent, set)
}

async fn show(State(orders): State<Orders>, context: PageContext) -> Answer {
    html(StatusCode::OK, &page(&orders, context).await?)
}

async fn page(orders: &Orders, context: PageContext) -> Result<CapsPage, Problem> {
    let caps = async { Ok::<_, Problem>(orders.caps().await?) };
    let stats = async { Ok::<_, Problem>(orders.statistics.read().await?) };
    let (caps, stats) = try_join(caps, stats).await?;
    Ok(CapsPage::new(context, &caps, &stats))
}

async fn set_default(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("cap").unwrap_or_default().to_owned();
    let (status, edit) = match typed.parse::<Cap>() {
        Err(invalid) => {
            let error = Some(invalid.to_string());
            (StatusCode::UNPROCESSABLE_ENTITY, CapEdit { typed, error, overtaken: false })
        }
        Ok(cap) => match orders.set_default_cap(version, cap, None).await {
            Ok(_) => {
                let there = see_other(&context, "/orders/caps", fragment);
                return Ok(with_toast_there(there, Tone::Success, "The default cap was set."));
            }
            Err(OrderError::DefaultCapConflict(_)) => {
                (StatusCode::CONFLICT, CapEdit { typed, error: None, overtaken: true })
            }
            Err(error) => return Err(error.into()),
        },
    };
    let page = page(&orders, context).await?;
    let default = page.default.clone().refused(edit);
    html(status, &CapsPage { default, ..page })
}

async fn set(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(state): Path<UsState>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("cap").unwrap_or_default().trim().to_owned();
    let cap = match typed.as_str() {
        // An empty field makes the state follow the default.
        "" => Ok(None),
        text => text.parse::<Cap>().map(Some),
    };
    let cap = match cap {
        Ok(cap) => cap,
        Err(invalid) => {
            let edit = CapEdit { typed, error: Some(invalid.to_string()), overtaken: false };
            let stored = stored(&orders, state).await?;
            return refused(&orders, context, fragment, StatusCode::UNPROCESSABLE_ENTITY, &stored, edit)
                .await;
        }
    };
    match orders.set_cap(state, version, cap, None).await {
        Ok(cap) if fragment => {
            let row = CapRow::of(&cap, in_stock(&orders.statistics.read().await?, state)).saved();
            let part = html(StatusCode::OK, &CapRowPart { context, row })?;
            Ok(with_toast(part, Tone::Success, "Saved."))
        }
        Ok(_) => {
            let there = see_other(&context, "/orders/caps", false);
            Ok(with_toast_there(there, Tone::Success, "The cap was set."))
        }
        Err(OrderError::CapConflict(fresh)) => {
            let edit = CapEdit { typed, error: None, overtaken: true };
            refused(&orders, context, fragment, StatusCode::CONFLICT, &fresh, edit).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn stored(orders: &Orders, state: UsState) -> Result<StateCap, Problem> {
    let states = orders.caps().await?.states;
    let cap = states.into_iter().find(|cap| cap.state == state);
    cap.ok_or_else(|| crate::web::error::WebError::NotFound.into())
}

/// Shows the row again, or the page with it, with the typed text and the error.
async fn refused(
    orders: &Orders,
    context: PageContext,
    fragment: bool,
    status: StatusCode,
    cap: &StateCap,
    edit: CapEdit,
) -> Answer {
    if fragment {
        let row = CapRow::of(cap, in_stock(&orders.statistics.read().await?, cap.state)).refused(edit);
        return html(status, &CapRowPart { context, row });
    }
    let page = page(orders, context).await?;
    let row = page.rows.iter().find(|row| row.code == cap.state.as_str()).cloned();
    match row {
        Some(row) => html(status, &page.with(row.refused(edit))),
        None => html(status, &page),
    }
}
