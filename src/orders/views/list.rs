//! The list of orders.

use askama::Template;

use super::{Choice, OrderView, counted, states};
use crate::orders::domain::OrderStatus;
use crate::orders::forms::OrderQuery;
use crate::orders::list::{ListRequest, OrderPage};
use crate::web::pages::PageContext;

/// The filter above the list.
#[derive(Debug, Clone, Default)]
pub struct Toolbar {
    /// The text typed for the customer.
    pub customer: String,
    /// The chosen status, or an empty text.
    pub status: &'static str,
    /// The chosen state, or an empty text.
    pub state: &'static str,
    /// The first day, or an empty text.
    pub from: String,
    /// The last day, or an empty text.
    pub to: String,
}

impl Toolbar {
    fn of(request: &ListRequest) -> Self {
        let filter = &request.filter;
        let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string()).unwrap_or_default();
        Self {
            customer: filter.customer.as_ref().map(|words| words.typed().to_owned()).unwrap_or_default(),
            status: filter.status.map_or("", |status| status.as_str()),
            state: filter.state.map_or("", |state| state.as_str()),
            from: day(filter.created.from),
            to: day(filter.created.to),
        }
    }

    /// Returns the statuses to choose from.
    pub fn statuses(&self) -> [Choice; 2] {
        OrderStatus::ALL.map(|status| Choice { value: OrderStatus::as_str(&status), label: status.label() })
    }

    /// Returns the states to choose from.
    pub fn states(&self) -> Vec<Choice> {
        states()
    }

    /// Returns the URL of the list with this filter, after a cursor if there is one.
    fn address(&self, cursor: Option<&str>) -> String {
        let pairs = [
            ("customer", self.customer.as_str()),
            ("status", self.status),
            ("state", self.state),
            ("from", &self.from),
            ("to", &self.to),
            ("cursor", cursor.unwrap_or_default()),
        ];
        let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        match serde_urlencoded::to_string(&pairs) {
            Ok(query) if !query.is_empty() => format!("/orders?{query}"),
            _ => "/orders".to_owned(),
        }
    }
}

/// The page at `GET /orders`.
#[derive(Template)]
#[template(path = "orders/list.html", blocks = ["rows"])]
pub struct OrderListPage {
    /// The page context.
    pub context: PageContext,
    /// The filter.
    pub filter: Toolbar,
    /// Whether a filter is set.
    pub filtered: bool,
    /// The orders of this page.
    pub orders: Vec<OrderView>,
    /// The number of orders, as text.
    pub count_text: String,
    /// The URL of the first page, if this is another one.
    pub first: Option<String>,
    /// The URL of the next page.
    pub next: Option<String>,
    /// The URL at which a search continues that read many orders without filling its page.
    pub further: Option<String>,
}

impl OrderListPage {
    /// Creates the page.
    pub fn new(context: PageContext, request: &ListRequest, page: OrderPage) -> Self {
        let filter = Toolbar::of(request);
        let filtered = !request.filter.is_empty();
        let full = page.orders.len() >= usize::from(OrderQuery::LIMIT);
        let next = page.next.map(|cursor| filter.address(Some(&cursor)));
        let (next, further) = if full { (next, None) } else { (None, next) };
        let count_text = match page.orders.len() {
            0 if filtered => "No order matches.".to_owned(),
            0 => "No orders here.".to_owned(),
            count => format!("{} shown", counted(count as u64, "order", "orders")),
        };
        Self {
            first: request.cursor.as_ref().map(|_| filter.address(None)),
            orders: page.orders.iter().map(OrderView::of).collect(),
            context,
            filter,
            filtered,
            count_text,
            next,
            further,
        }
    }

    /// Returns whether no order exists yet.
    pub fn is_welcome(&self) -> bool {
        self.orders.is_empty() && self.first.is_none() && self.further.is_none() && !self.filtered
    }
}

/// The page at `GET /orders` before any order exists.
#[derive(Template)]
#[template(path = "orders/welcome.html")]
pub struct NoOrdersPage {
    /// The page context.
    pub context: PageContext,
}
