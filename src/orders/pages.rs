//! The pages of orders.
//!
//! Invariants: one URL serves the whole page, or a fragment if htmx asks for it. Every form works without
//! JavaScript. A person who loses a race sees the current data in a form that lets them continue.

mod caps;
mod create;
mod export;
mod order;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::forms::OrderQuery;
use super::views::{NoOrdersPage, OrderListPage};
use crate::orders::Orders;
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::html;
use crate::web::routes::Routes;

/// Returns the routes of the pages.
pub fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders", Access::Agent, list)
        .and(create::routes())
        .and(caps::routes())
        .and(export::routes())
        .and(order::routes())
}

type Answer = Result<Response, Problem>;

async fn list(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(query): Query<OrderQuery>,
) -> Answer {
    let request = query.request()?;
    let page = OrderListPage::new(context, &request, orders.list(&request).await?);
    if fragment {
        html(StatusCode::OK, &page.as_rows())
    } else if page.is_welcome() {
        html(StatusCode::OK, &NoOrdersPage { context: page.context })
    } else {
        html(StatusCode::OK, &page)
    }
}
