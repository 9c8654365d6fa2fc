//! The list of products, and the list of consumers.

use askama::Template;
use jiff::civil::Date;

use super::ProductView;
use crate::inventory::health::{ConsumerPage, Progress};
use crate::inventory::store::ProductPage;
use crate::shared::search::SearchQuery;
use crate::web::pages::{DisplayTime, PageContext};

/// `GET /inventory`
#[derive(Template)]
#[template(path = "inventory/list.html", blocks = ["rows"])]
pub(in crate::inventory) struct ProductListPage {
    pub(in crate::inventory) context: PageContext,
    /// The search text, or an empty text.
    q: String,
    products: Vec<ProductView>,
    count_text: String,
    /// The address of the first page, if this is not the first.
    first: Option<String>,
    /// The address of the next page.
    next: Option<String>,
    /// The address that continues a search whose page is not full because it read many items.
    further: Option<String>,
}

impl ProductListPage {
    /// The products of one page.
    pub(in crate::inventory) const LIMIT: u16 = 25;

    pub(in crate::inventory) fn new(
        context: PageContext,
        query: Option<&SearchQuery>,
        cursor: Option<&str>,
        page: &ProductPage,
        today: Date,
    ) -> Self {
        let q = query.map(|query| query.typed().to_owned()).unwrap_or_default();
        let full = page.products.len() >= usize::from(Self::LIMIT);
        let next = page.next.as_deref().map(|cursor| address(&q, cursor));
        let (next, further) = if full || q.is_empty() { (next, None) } else { (None, next) };
        let count_text = match page.products.len() {
            0 if !q.is_empty() => "No product matches.".to_owned(),
            0 => "No products here.".to_owned(),
            1 => "1 product shown".to_owned(),
            count => format!("{count} products shown"),
        };
        Self {
            context,
            first: cursor.map(|_| address(&q, "")),
            products: page.products.iter().map(|product| ProductView::of(product, today)).collect(),
            q,
            count_text,
            next,
            further,
        }
    }

    /// Returns whether there are no products at all.
    pub(in crate::inventory) fn is_welcome(&self) -> bool {
        self.products.is_empty() && self.first.is_none() && self.q.is_empty()
    }
}

fn address(q: &str, cursor: &str) -> String {
    let pairs = [("q", q), ("cursor", cursor)];
    let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_urlencoded::to_string(&pairs) {
        Ok(query) if !query.is_empty() => format!("/inventory?{query}"),
        _ => "/inventory".to_owned(),
    }
}

/// `GET /inventory` while there are no products.
#[derive(Template)]
#[template(path = "inventory/welcome.html")]
pub(in crate::inventory) struct NoProductsPage {
    pub(in crate::inventory) context: PageContext,
    /// The URL of this site, as far as the request tells.
    pub(in crate::inventory) origin: String,
}

/// `GET /inventory/consumers`
#[derive(Template)]
#[template(path = "inventory/consumers.html")]
pub(in crate::inventory) struct ConsumersPage {
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
    pub(in crate::inventory) const LIMIT: u16 = 50;

    pub(in crate::inventory) fn new(context: PageContext, page: ConsumerPage) -> Self {
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
