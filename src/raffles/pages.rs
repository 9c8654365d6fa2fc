//! The pages of raffles.
//!
//! Invariants: one URL serves the page, or its fragment when htmx asks; every form works without JavaScript; a poll
//! costs one read if nothing has changed, and never discards input that is not submitted yet.

mod manage;
mod new;
mod proof;
mod raffle;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::views::ListPage;
use crate::base::identity::SignedIn;
use crate::raffles::Raffles;
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::respond::html;
use crate::web::routes::Routes;

pub fn routes() -> Routes<Raffles> {
    Routes::default()
        .get("/raffles", Access::SignedIn, list)
        .and(new::routes())
        .and(raffle::routes())
        .and(manage::routes())
        .and(proof::routes())
}

type Answer = Result<Response, Problem>;

/// The raffles of one page.
const LIMIT: u16 = 20;

#[derive(Debug, Deserialize)]
struct ListQuery {
    cursor: Option<String>,
}

async fn list(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Query(query): Query<ListQuery>,
) -> Answer {
    let cursor = query.cursor.filter(|cursor| !cursor.is_empty());
    let page = raffles.list(LIMIT, cursor.as_deref(), &who).await?;
    html(StatusCode::OK, &ListPage::new(context, page, cursor.is_some()).late(&raffles))
}

/// The start page of participants: the newest raffles.
///
/// # Errors
/// [`Problem`] if the store fails.
pub async fn home(raffles: &Raffles, context: PageContext, who: &SignedIn) -> Answer {
    let page = raffles.list(LIMIT, None, who).await?;
    html(StatusCode::OK, &ListPage::new(context, page, false).late(raffles).greeting(who))
}
