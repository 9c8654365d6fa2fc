//! The caps of all states, each set in its own row.

use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;

use super::Answer;
use crate::app::App;
use crate::error::AppError;
use crate::leads::stats;
use crate::orders::domain::{Cap, StateCap};
use crate::orders::error::OrderError;
use crate::orders::forms::Pairs;
use crate::orders::store;
use crate::orders::views::{CapEdit, CapRow, CapRowPart, CapsPage, in_stock};
use crate::values::UsState;
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, InPath};
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast, with_toast_there};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/orders/caps", Access::Agent, show)
        .post("/orders/caps", Access::Agent, set_default)
        .post("/orders/caps/{state}", Access::Agent, set)
}

async fn show(State(app): State<App>, shell: Shell) -> Answer {
    html(StatusCode::OK, &page(&app, shell).await?)
}

async fn page(app: &App, shell: Shell) -> Result<CapsPage, AppError> {
    let caps = async { Ok::<_, AppError>(store::caps(app).await?) };
    let stats = async { Ok::<_, AppError>(stats::read(app).await?) };
    let (caps, stats) = try_join(caps, stats).await?;
    Ok(CapsPage::new(shell, &caps, &stats))
}

async fn set_default(
    State(app): State<App>,
    shell: Shell,
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
        Ok(cap) => match store::set_default_cap(&app, version, cap, None).await {
            Ok(_) => {
                let there = see_other(&shell, "/orders/caps", fragment);
                return Ok(with_toast_there(there, Tone::Success, "The default cap was set."));
            }
            Err(OrderError::DefaultCapConflict(_)) => {
                (StatusCode::CONFLICT, CapEdit { typed, error: None, overtaken: true })
            }
            Err(error) => return Err(error.into()),
        },
    };
    let page = page(&app, shell).await?;
    let default = page.default.clone().refused(edit);
    html(status, &CapsPage { default, ..page })
}

async fn set(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    InPath(state): InPath<UsState>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("cap").unwrap_or_default().trim().to_owned();
    let cap = match typed.as_str() {
        // Nothing typed follows the default.
        "" => Ok(None),
        text => text.parse::<Cap>().map(Some),
    };
    let cap = match cap {
        Ok(cap) => cap,
        Err(invalid) => {
            let edit = CapEdit { typed, error: Some(invalid.to_string()), overtaken: false };
            let stored = stored(&app, state).await?;
            return refused(&app, shell, fragment, StatusCode::UNPROCESSABLE_ENTITY, &stored, edit).await;
        }
    };
    match store::set_cap(&app, state, version, cap, None).await {
        Ok(cap) if fragment => {
            let row = CapRow::of(&cap, in_stock(&stats::read(&app).await?, state)).saved();
            let part = html(StatusCode::OK, &CapRowPart { shell, row })?;
            Ok(with_toast(part, Tone::Success, "Saved."))
        }
        Ok(_) => {
            let there = see_other(&shell, "/orders/caps", false);
            Ok(with_toast_there(there, Tone::Success, "The cap was set."))
        }
        Err(OrderError::CapConflict(fresh)) => {
            let edit = CapEdit { typed, error: None, overtaken: true };
            refused(&app, shell, fragment, StatusCode::CONFLICT, &fresh, edit).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn stored(app: &App, state: UsState) -> Result<StateCap, AppError> {
    let states = store::caps(app).await?.states;
    let cap = states.into_iter().find(|cap| cap.state == state);
    cap.ok_or_else(|| crate::web::extract::WebError::NotFound.into())
}

/// The row again, or the page with it, with what was typed and why it was not set.
async fn refused(
    app: &App,
    shell: Shell,
    fragment: bool,
    status: StatusCode,
    cap: &StateCap,
    edit: CapEdit,
) -> Answer {
    if fragment {
        let row = CapRow::of(cap, in_stock(&stats::read(app).await?, cap.state)).refused(edit);
        return html(status, &CapRowPart { shell, row });
    }
    let page = page(app, shell).await?;
    let row = page.rows.iter().find(|row| row.code == cap.state.as_str()).cloned();
    match row {
        Some(row) => html(status, &page.with(row.refused(edit))),
        None => html(status, &page),
    }
}
