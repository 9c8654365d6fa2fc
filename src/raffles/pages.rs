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

use super::views::ListPage;
use crate::base::identity::SignedIn;
use crate::raffles::Raffles;
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::respond::html;
use crate::web::routes::Routes;

/// The routes of the pages.
pub fn routes() -> Routes<Raffles> {
    Routes::default()
        .get("/raffles", Access::SignedIn, list)
        .and(new::routes())
        .and(raffle::routes())
        .and(manage::routes())
        .and(proof::routes())
}

type Answer = Result<Response, Problem>;

/// Raffles on one page.
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

/// The start page of those who take part in raffles and see nothing else: the newest ones.
///
/// # Errors
/// [`Problem`] if the store failed.
pub async fn home(raffles: &Raffles, context: PageContext, who: &SignedIn) -> Answer {
    let page = raffles.list(LIMIT, None, who).await?;
    html(StatusCode::OK, &ListPage::new(context, page, false).late(raffles).greeting(who))
}
