//! The JSON API of the inventory.
//!
//! Invariants: a message counts once, regardless of how many requests contain it; every manual change names the
//! version it is based on; a change answers with the new state. A dead letter has a version like everything else.
//!
//! A product's `ETag` is the version of its stock, for `If-Match`. Its name and low-stock mark have a separate
//! version, `detailsVersion`, so that a person can change them while the stock moves. `If-None-Match` is ignored.

mod dead_letters;
mod events;
mod products;

use crate::inventory::Inventory;
use crate::inventory::check::Checked;
use crate::inventory::health::Progress;
use crate::shared::api::*;

pub fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/api/inventory/consumers", Access::Viewer, consumers)
        .get("/api/inventory/check", Access::Administrator, checked)
        .and(products::routes())
        .and(events::routes())
        .and(dead_letters::routes())
}

async fn consumers(
    State(inventory): State<Inventory>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Progress>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(inventory.list_progress(limit, cursor.as_deref()).await?))
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
