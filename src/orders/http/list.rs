//! The list of orders.

use super::parts::OrderView;
use crate::orders::Orders;
use crate::orders::domain::{Order, OrderStatus};
use crate::orders::list::{CustomerWords, ListRequest, OrderFilter};
use crate::orders::period::Period;
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::web::lists::{Listed, parameter};
use crate::web::query::address;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default().get("/orders", Access::Viewer, show)
}

async fn show(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(query): Query<OrderQuery>,
) -> PageAnswer {
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

/// The query parameters of the list page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct OrderQuery {
    status: Option<String>,
    state: Option<String>,
    customer: Option<String>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

impl OrderQuery {
    /// The number of orders on one page.
    const LIMIT: u16 = 25;

    fn request(self) -> Result<ListRequest, WebError> {
        let filter = OrderFilter {
            status: parameter("status", self.status, str::parse::<OrderStatus>)?,
            state: parameter("state", self.state, str::parse)?,
            customer: parameter("customer", self.customer, CustomerWords::parse)?.flatten(),
            created: Period::read(self.from, self.to)?,
        };
        let cursor = self.cursor.filter(|cursor| !cursor.is_empty());
        Ok(ListRequest { filter, limit: Self::LIMIT, cursor })
    }
}

/// The values of the filter above the list. Empty texts are not set.
#[derive(Debug, Clone, Default)]
struct Toolbar {
    customer: String,
    status: &'static str,
    state: &'static str,
    from: String,
    to: String,
}

impl Toolbar {
    fn of(request: &ListRequest) -> Self {
        let filter = &request.filter;
        let (from, to) = filter.created.texts();
        Self {
            customer: filter.customer.as_ref().map(|words| words.typed().to_owned()).unwrap_or_default(),
            status: filter.status.map_or("", |status| status.as_str()),
            state: filter.state.map_or("", |state| state.as_str()),
            from,
            to,
        }
    }

    /// Returns the URL of the list with this filter, after a cursor if there is one.
    fn address(&self, cursor: Option<&str>) -> String {
        let parameters = [
            ("customer", self.customer.as_str()),
            ("status", self.status),
            ("state", self.state),
            ("from", self.from.as_str()),
            ("to", self.to.as_str()),
            ("cursor", cursor.unwrap_or_default()),
        ];
        address("/orders", parameters)
    }
}

/// The page at `GET /orders`.
#[derive(Template)]
#[template(path = "orders/list.html", config = "templates/askama.toml", blocks = ["rows"])]
struct OrderListPage {
    context: PageContext,
    filter: Toolbar,
    /// Whether a filter is set.
    filtered: bool,
    orders: Vec<OrderView>,
    /// The number of orders, as text.
    count_text: String,
    /// The URL of the first page, if this is another one.
    first: Option<String>,
    /// The URL of the next page.
    next: Option<String>,
    /// The URL at which a search continues if it read many orders without filling its page.
    further: Option<String>,
}

impl OrderListPage {
    fn new(context: PageContext, request: &ListRequest, page: Listed<Order>) -> Self {
        let filter = Toolbar::of(request);
        let filtered = !request.filter.is_empty();
        let full = page.items.len() >= usize::from(OrderQuery::LIMIT);
        let next = page.next.map(|cursor| filter.address(Some(&cursor)));
        let (next, further) = if full { (next, None) } else { (None, next) };
        let count_text = match page.items.len() {
            0 if filtered => "No matching orders.".to_owned(),
            0 => "No more orders.".to_owned(),
            count => format!("{} shown", counted(count, "order", "orders")),
        };
        Self {
            first: request.cursor.as_ref().map(|_| filter.address(None)),
            orders: page.items.iter().map(OrderView::of).collect(),
            context,
            filter,
            filtered,
            count_text,
            next,
            further,
        }
    }

    /// Returns whether no order exists yet.
    fn is_welcome(&self) -> bool {
        self.orders.is_empty() && self.first.is_none() && self.further.is_none() && !self.filtered
    }
}

/// The page at `GET /orders` before any order exists.
#[derive(Template)]
#[template(path = "orders/welcome.html", config = "templates/askama.toml")]
struct NoOrdersPage {
    context: PageContext,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_parameters_are_validated() {
        let read = |query: &str| serde_urlencoded::from_str::<OrderQuery>(query).unwrap().request();
        let request = read("status=open&state=&customer=acme&from=2026-03-08&to=2026-03-08&cursor=").unwrap();
        assert_eq!(request.filter.status, Some(OrderStatus::Open));
        assert_eq!(request.filter.customer.unwrap().typed(), "acme");
        for query in ["status=x", "state=zz", "from=soon", "from=2026-03-09&to=2026-03-08"] {
            assert!(matches!(read(query), Err(WebError::Invalid(_))), "{query}");
        }
    }
}
