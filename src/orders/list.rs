//! Lists of orders, newest first, page by page.
//!
//! What always holds: status and days are a key range, so a page costs what it holds; state and customer are looked for
//! among at most 500 orders a page, and the cursor then says where to go on. Orders are read consistently behind the
//! index; one that is not whole, or no longer there, is never shown.

use std::collections::HashMap;

use crate::base::values::{Invalid, OrderId, UsState};
use crate::orders::Orders;
use crate::reservations::order_key;
use crate::store::{Cursor, CursorError, Item, Key, Select, schema};

use super::domain::{Order, OrderStatus};
use super::error::OrderError;
use super::items::{StoredOrder, stored_order};
use super::period::Period;

/// Part of a customer's name or e-mail address, in any case of letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerWords {
    typed: String,
    lower: String,
}

impl CustomerWords {
    const MAX_CHARS: usize = 200;

    /// What was typed; nothing but white space is none.
    ///
    /// # Errors
    /// For what no name or address can hold.
    pub fn parse(text: &str) -> Result<Option<Self>, Invalid> {
        let typed = text.trim();
        if typed.chars().count() > Self::MAX_CHARS || typed.chars().any(char::is_control) {
            return Err(Invalid::new("Look for a customer by at most 200 characters on one line."));
        }
        let words = || Self { typed: typed.to_owned(), lower: typed.to_lowercase() };
        Ok((!typed.is_empty()).then(words))
    }

    /// As it was typed.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    fn are_of(&self, order: &Order) -> bool {
        order.customer_name.as_str().to_lowercase().contains(&self.lower)
            || order.customer_email.key().contains(&self.lower)
    }
}

/// Which orders a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only of this status.
    pub status: Option<OrderStatus>,
    /// Only those that ask for leads of this state.
    pub state: Option<UsState>,
    /// Only of customers whose name or e-mail address contains this.
    pub customer: Option<CustomerWords>,
    /// Only those created on these days.
    pub created: Period,
}

impl OrderFilter {
    /// Whether an order passes what the key range does not decide.
    fn admits(&self, order: &Order) -> bool {
        self.status.is_none_or(|status| order.status == status)
            && self.state.is_none_or(|state| order.requested_states.as_slice().contains(&state))
            && self.customer.as_ref().is_none_or(|customer| customer.are_of(order))
    }

    /// Whether orders of the key range may be left out.
    fn is_selective(&self) -> bool {
        self.state.is_some() || self.customer.is_some()
    }

    /// Whether it admits all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a list is asked for.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// Only orders that pass.
    pub filter: OrderFilter,
    /// At most this many, 1 to 100.
    pub limit: u16,
    /// Behind this cursor.
    pub cursor: Option<String>,
}

/// One page of orders.
#[derive(Debug, Default)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<Order>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// The most orders that one page of a filtered list reads, by four calls. Such a page may end before it is full.
const MOST_READ: usize = 300;
/// The most that one read for keys takes.
const BATCH: usize = 100;
const LIST: &str = "orders";

impl Orders {
    /// A page of orders.
    ///
    /// # Errors
    /// [`OrderError::Cursor`] for a cursor of another list.
    pub async fn list(&self, request: &ListRequest) -> Result<OrderPage, OrderError> {
        let limit = usize::from(request.limit);
        let mut page = OrderPage::default();
        let mut last = request.cursor.as_deref().map(|text| start(&request.filter, text)).transpose()?;
        let wanted = if request.filter.is_selective() { MOST_READ } else { limit };
        let (ids, more) = self.list_ids(&request.filter, last, wanted).await?;
        for (batch, batch_ids) in ids.chunks(BATCH).enumerate() {
            let mut orders = self.read_orders(batch_ids).await?;
            for (at, id) in batch_ids.iter().enumerate() {
                last = Some(*id);
                page.orders.extend(orders.remove(id).filter(|order| request.filter.admits(order)));
                if page.orders.len() == limit {
                    let is_last = batch * BATCH + at + 1 == ids.len();
                    page.next = (more || !is_last).then(|| cursor(*id));
                    return Ok(page);
                }
            }
        }
        page.next = last.filter(|_| more).map(cursor);
        Ok(page)
    }
}

fn cursor(last: OrderId) -> String {
    Cursor::after([last.to_string()]).encode(LIST)
}

/// The order that a cursor stands behind. DynamoDB refuses to start outside of the range.
fn start(filter: &OrderFilter, text: &str) -> Result<OrderId, CursorError> {
    let cursor = Cursor::<1>::decode(LIST, text)?;
    let [id] = cursor.parts();
    let (first, last) = filter.created.ids();
    let id: OrderId = id.parse().map_err(|_| CursorError)?;
    let text = id.to_string();
    if text < first || text > last { Err(CursorError) } else { Ok(id) }
}

impl Orders {
    /// The next ids behind `last`, and whether there are more.
    async fn list_ids(
        &self,
        filter: &OrderFilter,
        last: Option<OrderId>,
        wanted: usize,
    ) -> Result<(Vec<OrderId>, bool), OrderError> {
        let (index, partition) = match filter.status {
            None => (schema::ALL_NEWEST, "ORDERS".to_owned()),
            Some(status) => (schema::STATUS_NEWEST, format!("ORDERS#{}", status.as_str())),
        };
        let (first, end) = filter.created.ids();
        let limit = i32::try_from(wanted + 1).unwrap_or(i32::MAX);
        let mut select = Select::index(index, partition, limit).between(first, end).backwards();
        if let Some(last) = last {
            select = select.after(&last.to_string(), &order_key(last));
        }
        let mut ids: Vec<OrderId> =
            self.dynamo.select(&select).await?.items.iter().filter_map(id_of).collect();
        let more = ids.len() > wanted;
        ids.truncate(wanted);
        Ok((ids, more))
    }
}

/// The id of the order whose key an index holds.
pub(super) fn id_of(item: &Item) -> Option<OrderId> {
    text(item, schema::PK)?.strip_prefix("ORDER#")?.parse().ok()
}

/// A text attribute.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

impl Orders {
    /// Those of up to a hundred orders that are whole and there.
    pub(super) async fn read_orders(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, OrderError> {
        let keys: Vec<Key> = ids.iter().copied().map(order_key).collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let mut orders = HashMap::new();
        for item in self.dynamo.get_all(&keys).await? {
            let StoredOrder { order, writing } = stored_order(item)?;
            if writing.stage.is_visible() {
                orders.insert(order.id, order);
            }
        }
        Ok(orders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_found_by_part_of_the_name_or_the_address_in_any_case() {
        let order: Order = serde_json::from_value(serde_json::json!({
            "id": "019f0000-0000-7000-8000-000000000000", "customerName": "Acme Röfing", "customerEmail": "Buy@Acme.example",
            "requestedStates": ["CA"], "quantityPerState": null, "given": [], "leadCount": 1, "status": "OPEN", "version": 1,
            "createdAt": "2026-11-01T05:00:00Z", "createdBy": "Ann", "updatedAt": "2026-11-01T05:00:00Z",
            "updatedBy": "Ann", "fulfilledAt": null,
        }))
        .unwrap();
        for (typed, found) in
            [("acme", true), (" RÖF ", true), ("buy@acme", true), ("roof", false), ("ann", false)]
        {
            let customer = CustomerWords::parse(typed).unwrap();
            let filter = OrderFilter { customer, ..OrderFilter::default() };
            assert_eq!(filter.admits(&order), found, "{typed}");
        }
        assert_eq!(CustomerWords::parse("  "), Ok(None));
        assert!(CustomerWords::parse("a\nb").is_err());
    }

    #[test]
    fn a_cursor_outside_of_the_days_is_refused() {
        let day = |text: &str| Period::read(Some(text.to_owned()), Some(text.to_owned())).unwrap();
        let id = OrderId::new("2026-03-08T12:00:00Z".parse().unwrap(), &[7; 10]);
        let within = OrderFilter { created: day("2026-03-08"), ..OrderFilter::default() };
        assert_eq!(start(&within, &cursor(id)), Ok(id));
        let outside = OrderFilter { created: day("2026-03-09"), ..OrderFilter::default() };
        assert_eq!(start(&outside, &cursor(id)), Err(CursorError));
    }
}
