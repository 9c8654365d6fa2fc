//! The list of consumers.

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::parts::Answer;
use crate::inventory::Inventory;
use crate::inventory::health::{ConsumerPage, Progress};
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::respond::html;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Inventory> {
    Routes::default().get("/inventory/consumers", Access::Agent, consumers)
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

/// `GET /inventory/consumers`
#[derive(Template)]
#[template(path = "inventory/consumers.html")]
struct ConsumersPage {
    context: PageContext,
    consumers: Vec<ConsumerView>,
    /// The address of the next page.
    next: Option<String>,
}

struct ConsumerView {
    group: String,
    topic: String,
    partition: i32,
    offset: i64,
    lag: Option<i64>,
    at: DisplayTime,
}

impl ConsumersPage {
    /// The partitions of one page.
    const LIMIT: u16 = 50;

    fn new(context: PageContext, page: ConsumerPage) -> Self {
        let address = |cursor: String| {
            let query = serde_urlencoded::to_string([("cursor", cursor)]).ok()?;
            Some(format!("/inventory/consumers?{query}"))
        };
        let view = |one: Progress| ConsumerView {
            group: one.group,
            topic: one.topic,
            partition: one.partition,
            offset: one.offset,
            lag: one.lag,
            at: one.at.into(),
        };
        let consumers = page.consumers.into_iter().map(view).collect();
        Self { context, consumers, next: page.next.and_then(address) }
    }
}
