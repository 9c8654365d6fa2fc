//! The list of products.

use http::{HeaderMap, header};
use jiff::civil::Date;

use super::parts::ProductView;
use crate::base::calendar;
use crate::inventory::Inventory;
use crate::inventory::domain::Product;
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::shared::search::SearchQuery;
use crate::web::lists::{Listed, parameter};
use crate::web::query::address;

pub(super) fn routes() -> Routes<Inventory> {
    Routes::default().get("/inventory", Access::Viewer, list)
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    q: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(inventory): State<Inventory>,
    RenderTarget { context, fragment }: RenderTarget,
    Query(asked): Query<ListQuery>,
    headers: HeaderMap,
) -> PageAnswer {
    let query = parameter("q", asked.q, SearchQuery::parse)?.flatten();
    let cursor = asked.cursor.as_deref().filter(|text| !text.is_empty());
    let found = inventory.find_some(query.as_ref(), ProductListPage::LIMIT, cursor).await?;
    let today = calendar::day_of(inventory.clock.now());
    let page = ProductListPage::new(context, query.as_ref(), cursor, &found, today);
    if fragment {
        html(StatusCode::OK, &page.as_rows())
    } else if page.is_welcome() {
        html(StatusCode::OK, &NoProductsPage { context: page.context, origin: origin(&headers) })
    } else {
        html(StatusCode::OK, &page)
    }
}

/// Returns the URL of this site as the browser sees it, for a command to copy.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:3000");
    let local = host.starts_with("localhost") || host.starts_with("127.0.0.1") || host.starts_with("[::1]");
    format!("{}://{host}", if local { "http" } else { "https" })
}

/// `GET /inventory`
#[derive(Template)]
#[template(path = "inventory/list.html", config = "templates/askama.toml", blocks = ["rows"])]
struct ProductListPage {
    context: PageContext,
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
    const LIMIT: u16 = 25;

    fn new(
        context: PageContext,
        query: Option<&SearchQuery>,
        cursor: Option<&str>,
        page: &Listed<Product>,
        today: Date,
    ) -> Self {
        let q = query.map(|query| query.typed().to_owned()).unwrap_or_default();
        let full = page.items.len() >= usize::from(Self::LIMIT);
        let page_after = |cursor: &str| address("/inventory", [("q", q.as_str()), ("cursor", cursor)]);
        let first = cursor.map(|_| page_after(""));
        let next = page.next.as_deref().map(page_after);
        let (next, further) = if full || q.is_empty() { (next, None) } else { (None, next) };
        let count_text = match page.items.len() {
            0 if !q.is_empty() => "No matching products.".to_owned(),
            0 => "No more products.".to_owned(),
            count => format!("{} shown", counted(count, "product", "products")),
        };
        Self {
            context,
            first,
            products: page.items.iter().map(|product| ProductView::of(product, today)).collect(),
            q,
            count_text,
            next,
            further,
        }
    }

    /// Returns whether there are no products at all.
    fn is_welcome(&self) -> bool {
        self.products.is_empty() && self.first.is_none() && self.q.is_empty()
    }
}

/// `GET /inventory` while there are no products.
#[derive(Template)]
#[template(path = "inventory/welcome.html", config = "templates/askama.toml")]
struct NoProductsPage {
    context: PageContext,
    /// The URL of this site, as far as the request tells.
    origin: String,
}
