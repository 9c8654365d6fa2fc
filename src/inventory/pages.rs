//! The pages of the inventory.
//!
//! What always holds: one address serves the page, or only its part where htmx asks; every form works without
//! JavaScript; whoever loses a race is shown the fresh truth in the form that goes on from there.

mod parked;
mod product;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::health;
use super::store;
use super::views::{ConsumersPage, NoProductsPage, ProductListPage};
use crate::app::App;
use crate::calendar;
use crate::error::AppError;
use crate::search::Query;
use crate::web::access::{Access, Routes};
use crate::web::extract::InQuery;
use crate::web::lists::parameter;
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::html;

/// The routes of the pages.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/inventory", Access::Agent, list)
        .get("/inventory/consumers", Access::Agent, consumers)
        .and(parked::routes(app))
        .and(product::routes(app))
}

type Answer = Result<Response, AppError>;

#[derive(Debug, Deserialize)]
struct ListQuery {
    q: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    InQuery(asked): InQuery<ListQuery>,
    headers: HeaderMap,
) -> Answer {
    let query = parameter("q", asked.q, Query::parse)?.flatten();
    let cursor = asked.cursor.as_deref().filter(|text| !text.is_empty());
    let found = store::find_some(&app, query.as_ref(), ProductListPage::LIMIT, cursor).await?;
    let today = calendar::day_of(app.clock.now());
    let page = ProductListPage::new(shell, query.as_ref(), cursor, &found, today);
    if fragment {
        html(StatusCode::OK, &page.as_rows())
    } else if page.is_welcome() {
        html(StatusCode::OK, &NoProductsPage { shell: page.shell, origin: origin(&headers) })
    } else {
        html(StatusCode::OK, &page)
    }
}

/// The address that the person has this site at, for a command to copy.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:3000");
    let local = host.starts_with("localhost") || host.starts_with("127.0.0.1") || host.starts_with("[::1]");
    format!("{}://{host}", if local { "http" } else { "https" })
}

#[derive(Debug, Deserialize)]
struct ConsumersQuery {
    cursor: Option<String>,
}

async fn consumers(State(app): State<App>, shell: Shell, InQuery(asked): InQuery<ConsumersQuery>) -> Answer {
    let cursor = asked.cursor.as_deref().filter(|text| !text.is_empty());
    let page = health::list(&app, ConsumersPage::LIMIT, cursor).await?;
    html(StatusCode::OK, &ConsumersPage::new(shell, page))
}
