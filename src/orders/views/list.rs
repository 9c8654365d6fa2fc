//! The list of orders.

use askama::Template;

use super::{Choice, OrderView, counted, states};
use crate::orders::domain::OrderStatus;
use crate::orders::forms::OrderQuery;
use crate::orders::list::{ListRequest, OrderPage};
use crate::web::pages::PageContext;

/// The filter above the list, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Toolbar {
    /// What was typed for the customer.
    pub customer: String,
    /// The chosen status, or the empty text.
    pub status: &'static str,
    /// The chosen state, or the empty text.
    pub state: &'static str,
    /// The first day, or the empty text.
    pub from: String,
    /// The last day, or the empty text.
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

    /// The statuses to choose from.
    pub fn statuses(&self) -> [Choice; 2] {
        OrderStatus::ALL.map(|status| Choice { value: OrderStatus::as_str(&status), label: status.label() })
    }

    /// The states to choose from.
    pub fn states(&self) -> Vec<Choice> {
        states()
    }

    /// The address of the list with this filter, behind a cursor if there is one.
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

/// `GET /orders`
#[derive(Template)]
#[template(path = "orders/list.html", blocks = ["rows"])]
pub struct OrderListPage {
    /// The shell.
    pub context: PageContext,
    /// The filter.
    pub filter: Toolbar,
    /// Whether the filter may leave some out.
    pub filtered: bool,
    /// The orders of this page.
    pub orders: Vec<OrderView>,
    /// How many they are, in words.
    pub count_text: String,
    /// The address of the first page, if this is another.
    pub first: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// The address at which a search goes on that read much and did not fill its page.
    pub further: Option<String>,
}

impl OrderListPage {
    /// A page of orders as it was asked for.
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

    /// Whether there is no order at all yet.
    pub fn is_welcome(&self) -> bool {
        self.orders.is_empty() && self.first.is_none() && self.further.is_none() && !self.filtered
    }
}

/// `GET /orders` while there are none.
#[derive(Template)]
#[template(path = "orders/welcome.html")]
pub struct NoOrdersPage {
    /// The shell.
    pub context: PageContext,
}
