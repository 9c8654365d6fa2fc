//! The list of consumers.

use crate::inventory::Inventory;
use crate::inventory::health::Progress;
use crate::shared::pages::*;
use crate::web::query::address;

/// The partitions of one page.
const LIMIT: u16 = 50;

pub(super) fn routes() -> Routes<Inventory> {
    Routes::default().get("/inventory/consumers", Access::Viewer, consumers)
}

#[derive(Debug, Deserialize)]
struct ConsumersQuery {
    cursor: Option<String>,
}

async fn consumers(
    State(inventory): State<Inventory>,
    context: PageContext,
    Query(asked): Query<ConsumersQuery>,
) -> PageAnswer {
    let cursor = asked.cursor.as_deref().filter(|text| !text.is_empty());
    let page = inventory.list_progress(LIMIT, cursor).await?;
    let next = page.next.map(|cursor| address("/inventory/consumers", [("cursor", cursor)]));
    let view = |progress: Progress| ConsumerView { at: progress.at.into(), progress };
    let consumers = page.items.into_iter().map(view).collect();
    html(StatusCode::OK, &ConsumersPage { context, consumers, next })
}

/// `GET /inventory/consumers`
#[derive(Template)]
#[template(path = "inventory/consumers.html", config = "templates/askama.toml")]
struct ConsumersPage {
    context: PageContext,
    consumers: Vec<ConsumerView>,
    /// The address of the next page.
    next: Option<String>,
}

struct ConsumerView {
    progress: Progress,
    at: DisplayTime,
}
