//! The pages of orders.
//!
//! What always holds: one address serves the page, or only its part where htmx asks; every form works without
//! JavaScript; whoever loses a race is shown the fresh truth in the form that goes on from there.

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

/// The routes of the pages.
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
