//! The pages of the inventory.
//!
//! Invariants: one URL serves the page, or its fragment when htmx asks; every form works without JavaScript; after a
//! conflict, the form shows the current data and can be submitted again.

mod parked;
mod product;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::views::{ConsumersPage, NoProductsPage, ProductListPage};
use crate::base::calendar;
use crate::inventory::Inventory;
use crate::shared::search::SearchQuery;
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::lists::parameter;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::html;
use crate::web::routes::Routes;

pub fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/inventory", Access::Agent, list)
        .get("/inventory/consumers", Access::Agent, consumers)
        .and(parked::routes())
        .and(product::routes())
}

type Answer = Result<Response, Problem>;

#[derive(Debug, Deserialize)]
struct ListQuery {
    q: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(asked): Query<ListQuery>,
    headers: HeaderMap,
) -> Answer {
    let query = parameter("q", asked.q, SearchQuery::parse)?.flatten();
    let cursor = asked.cursor.as_deref().filter(|text| !text.is_empty());
    let found = inventory.find_some(query.as_ref(), ProductListPage::LIMIT, cursor).await?;
    let today = calendar::day_of(inventory.clock.now());
    let page = ProductListPage::new(context, query.as_ref(), cursor, &found, today);
    if fragment {
        html(StatusCode::OK, &page.as_rows())
    } else if page.is_welcome() {
        html(StatusCode::OK, &NoProductsPage { context: page.context, origin: origin(&headers) })
    } else {
        html(StatusCode::OK, &page)
    }
}

/// Returns the URL of this site as the browser sees it, for a command to copy.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:3000");
    let local = host.starts_with("localhost") || host.starts_with("127.0.0.1") || host.starts_with("[::1]");
    format!("{}://{host}", if local { "http" } else { "https" })
}

#[derive(Debug, Deserialize)]
struct ConsumersQuery {
    cursor: Option<String>,
}

async fn consumers(
    State(inventory): State<Inventory>,
    context: PageContext,
    Query(asked): Query<ConsumersQuery>,
) -> Answer {
    let cursor = asked.cursor.as_deref().filter(|text| !text.is_empty());
    let page = inventory.list_progress(ConsumersPage::LIMIT, cursor).await?;
    html(StatusCode::OK, &ConsumersPage::new(context, page))
}
