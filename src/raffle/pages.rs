//! The pages of raffles.
//!
//! What always holds: one address serves the page, or only its part where htmx asks; every form works without
//! JavaScript; a page that looks for news costs one read while there are none, and never takes from a person what they
//! are about to send.

mod manage;
mod new;
mod proof;
mod raffle;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::store;
use super::views::ListPage;
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::error::AppError;
use crate::web::access::{Access, Routes};
use crate::web::extract::InQuery;
use crate::web::pages::Shell;
use crate::web::respond::html;

/// The routes of the pages.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/raffles", Access::SignedIn, list)
        .and(new::routes(app))
        .and(raffle::routes(app))
        .and(manage::routes(app))
        .and(proof::routes(app))
}

type Answer = Result<Response, AppError>;

/// Raffles on one page.
const LIMIT: u16 = 20;

#[derive(Debug, Deserialize)]
struct ListQuery {
    cursor: Option<String>,
}

async fn list(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    InQuery(query): InQuery<ListQuery>,
) -> Answer {
    let cursor = query.cursor.filter(|cursor| !cursor.is_empty());
    let page = store::list(&app, LIMIT, cursor.as_deref(), &who).await?;
    html(StatusCode::OK, &ListPage::new(shell, page, cursor.is_some()).late(&app))
}

/// The start page of those who take part in raffles and see nothing else: the newest ones.
///
/// # Errors
/// [`AppError`] if the store failed.
pub async fn home(app: &App, shell: Shell, who: &SignedIn) -> Answer {
    let page = store::list(app, LIMIT, None, who).await?;
    html(StatusCode::OK, &ListPage::new(shell, page, false).late(app).greeting(who))
}
