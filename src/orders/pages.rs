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
use crate::app::App;
use crate::error::AppError;
use crate::web::access::{Access, Routes};
use crate::web::extract::InQuery;
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::html;

/// The routes of the pages.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/orders", Access::Agent, list)
        .and(create::routes(app))
        .and(caps::routes(app))
        .and(export::routes(app))
        .and(order::routes(app))
}

type Answer = Result<Response, AppError>;

async fn list(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    InQuery(query): InQuery<OrderQuery>,
) -> Answer {
    let request = query.request()?;
    let page = OrderListPage::new(shell, &request, super::list::list(&app, &request).await?);
    if fragment {
        html(StatusCode::OK, &page.as_rows())
    } else if page.is_welcome() {
        html(StatusCode::OK, &NoOrdersPage { shell: page.shell })
    } else {
        html(StatusCode::OK, &page)
    }
}
