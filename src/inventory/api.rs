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

use super::check::Checked;
use super::health::{ConsumerPage, Progress};
use crate::inventory::Inventory;
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::lists::{Listed, PageParameters};
use crate::web::problem::Problem;
use crate::web::routes::Routes;

/// The routes.
pub fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/api/inventory/consumers", Access::Agent, consumers)
        .get("/api/inventory/check", Access::Administrator, checked)
        .and(products::routes())
        .and(events::routes())
        .and(parked::routes())
}

async fn consumers(
    State(inventory): State<Inventory>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Progress>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    let ConsumerPage { consumers, next } = inventory.list_progress(limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: consumers, next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckParameters {
    cursor: Option<String>,
}

async fn checked(
    State(inventory): State<Inventory>,
    Query(parameters): Query<CheckParameters>,
) -> Result<Json<Checked>, Problem> {
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    Ok(Json(inventory.check_step(cursor.as_deref()).await?))
}
