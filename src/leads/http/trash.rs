//! The page of deleted leads.

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::parts::{Answer, LeadView};
use crate::leads::Leads;
use crate::leads::trash::expires_at;
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::respond::html;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().get("/leads/trash", Access::Viewer, list)
}

/// The number of leads on one page.
const LIMIT: u16 = 50;

#[derive(Debug, Deserialize)]
struct TrashQuery {
    cursor: Option<String>,
}

async fn list(State(leads): State<Leads>, context: PageContext, Query(query): Query<TrashQuery>) -> Answer {
    let page = leads.trash(LIMIT, query.cursor.as_deref()).await?;
    let leads = page.leads.into_iter().map(|lead| (expires_at(&lead).into(), LeadView::of(lead))).collect();
    let next = page.next.and_then(|cursor| serde_urlencoded::to_string([("cursor", cursor)]).ok());
    html(
        StatusCode::OK,
        &TrashPage { context, leads, next: next.map(|query| format!("/leads/trash?{query}")) },
    )
}

/// `GET /leads/trash`
#[derive(Template)]
#[template(path = "leads/trash.html", config = "templates/askama.toml")]
struct TrashPage {
    context: PageContext,
    /// The leads, each with the time when it leaves the trash.
    leads: Vec<(DisplayTime, LeadView)>,
    next: Option<String>,
}
