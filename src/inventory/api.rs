//! The JSON API of the inventory.
//!
//! What always holds: a message counts once, whichever requests it comes in; every change made by hand names the version
//! that it is of; a changed thing is answered as it now is. A parked message has a version like everything else.
//!
//! A product's `ETag` is the version of its stock, for `If-Match`. Its name and low-stock mark have a version of their own,
//! `detailsVersion`, so that a person can change them while the stock moves; `If-None-Match` is not read.

mod events;
mod parked;
mod products;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::check::{self, Checked};
use super::health::{self, ConsumerPage, Progress};
use crate::app::App;
use crate::error::AppError;
use crate::web::access::{Access, Routes};
use crate::web::extract::InQuery;
use crate::web::lists::{Listed, PageParameters};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/api/inventory/consumers", Access::Agent, consumers)
        .get("/api/inventory/check", Access::Administrator, checked)
        .and(products::routes(app))
        .and(events::routes(app))
        .and(parked::routes(app))
}

async fn consumers(
    State(app): State<App>,
    InQuery(parameters): InQuery<PageParameters>,
) -> Result<Json<Listed<Progress>>, AppError> {
    let (limit, cursor) = parameters.read()?;
    let ConsumerPage { consumers, next } = health::list(&app, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: consumers, next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckParameters {
    cursor: Option<String>,
}

async fn checked(
    State(app): State<App>,
    InQuery(parameters): InQuery<CheckParameters>,
) -> Result<Json<Checked>, AppError> {
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    Ok(Json(check::step(&app, cursor.as_deref()).await?))
}
