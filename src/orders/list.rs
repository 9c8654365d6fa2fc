//! Lists of orders, newest first, page by page.
//!
//! Invariants: status and days are a key range, so a page costs only what it shows. A filter by state or
//! customer reads at most `MAX_READ` orders per page, and the cursor says where to continue. The index
//! gives the keys; the orders themselves are read consistently. An order that is not completely written, or
//! was deleted, is never shown.

use std::collections::HashMap;

use crate::base::values::{Invalid, OrderId, UsState};
use crate::orders::Orders;
use crate::reservations::order_key;
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::{CursorError, Item, Key, Select, schema};
use crate::web::lists::Listed;

use super::domain::{Order, OrderStatus};
use super::error::OrderError;
use super::items::{StoredOrder, stored_order, text_attribute};
use super::period::Period;

/// A part of a customer's name or email address. Letter case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerWords {
    typed: String,
    lower: String,
}

impl CustomerWords {
    const MAX_CHARS: usize = 200;

    /// Parses what a person typed. Returns `None` for blank text.
    ///
    /// # Errors
    /// If the text cannot be in a name or an address.
    pub fn parse(text: &str) -> Result<Option<Self>, Invalid> {
        let typed = text.trim();
        if typed.chars().count() > Self::MAX_CHARS || typed.chars().any(char::is_control) {
            return Err(Invalid::new("A customer filter must be one line of at most 200 characters."));
        }
        let words = || Self { typed: typed.to_owned(), lower: typed.to_lowercase() };
        Ok((!typed.is_empty()).then(words))
    }

    /// Returns the text as it was typed.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    fn match_order(&self, order: &Order) -> bool {
        order.customer_name.as_str().to_lowercase().contains(&self.lower)
            || order.customer_email.key().contains(&self.lower)
    }
}

/// The filter of a list of orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only orders with this status.
    pub status: Option<OrderStatus>,
    /// Only orders that request leads of this state.
    pub state: Option<UsState>,
    /// Only orders of customers whose name or email address contains this text.
    pub customer: Option<CustomerWords>,
    /// Only orders created in this period.
    pub created: Period,
}

impl OrderFilter {
    /// Checks what the key range does not decide.
    fn admits(&self, order: &Order) -> bool {
        self.status.is_none_or(|status| order.status == status)
            && self.state.is_none_or(|state| order.requested_states.as_slice().contains(&state))
            && self.customer.as_ref().is_none_or(|customer| customer.match_order(order))
    }

    /// Returns whether the filter may exclude orders of the key range.
    fn is_selective(&self) -> bool {
        self.state.is_some() || self.customer.is_some()
    }

    /// Returns whether the filter admits all orders.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The request for one page of a list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// The filter.
    pub filter: OrderFilter,
    /// The most orders on the page: 1 to 100.
    pub limit: u16,
    /// The cursor after which the page begins.
    pub cursor: Option<String>,
}

/// The most orders that one page of a filtered list reads, in four calls. The page may end before it is full.
const MAX_READ: usize = 300;
/// The most orders that one read by key returns.
const BATCH: usize = 100;
const LIST: &str = "orders";

impl Orders {
    /// Returns one page of orders.
    ///
    /// # Errors
    /// [`OrderError::Cursor`] for a cursor of another list.
    pub async fn list(&self, request: &ListRequest) -> Result<Listed<Order>, OrderError> {
        let limit = usize::from(request.limit);
        let mut last = start(&request.filter, request.cursor.as_deref())?;
        let wanted = if request.filter.is_selective() { MAX_READ } else { limit };
        let (ids, more) = self.list_ids(&request.filter, last, wanted).await?;
        let mut items = Vec::new();
        for (batch, batch_ids) in ids.chunks(BATCH).enumerate() {
            let mut orders = self.read_orders(batch_ids).await?;
            for (at, id) in batch_ids.iter().enumerate() {
                last = Some(*id);
                items.extend(orders.remove(id).filter(|order| request.filter.admits(order)));
                if items.len() == limit {
                    let is_last = batch * BATCH + at + 1 == ids.len();
                    let next = (more || !is_last).then(|| cursor_after(LIST, id));
                    return Ok(Listed { items, next });
                }
            }
        }
        let next = last.filter(|_| more).map(|id| cursor_after(LIST, id));
        Ok(Listed { items, next })
    }
}

/// Returns the order after which a page begins. DynamoDB refuses to start outside the range.
fn start(filter: &OrderFilter, cursor: Option<&str>) -> Result<Option<OrderId>, CursorError> {
    let id = start_after::<OrderId>(LIST, cursor)?;
    let (first, last) = filter.created.ids();
    let is_inside = |id: &OrderId| (first..=last).contains(&id.to_string());
    if id.as_ref().is_none_or(is_inside) { Ok(id) } else { Err(CursorError) }
}

impl Orders {
    /// Returns the next ids after `last`, and whether there are more.
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

/// Returns the id of the order that an index entry belongs to.
pub(super) fn id_of(item: &Item) -> Option<OrderId> {
    text_attribute(item, schema::PK)?.strip_prefix("ORDER#")?.parse().ok()
}

impl Orders {
    /// Reads up to 100 orders. Leaves out orders that readers do not see.
    pub(super) async fn read_orders(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, OrderError> {
        let keys: Vec<Key> = ids.iter().copied().map(order_key).collect();
        let mut orders = HashMap::new();
        for item in self.dynamo.get_all(&keys).await? {
            let StoredOrder { order, progress } = stored_order(item)?;
            if progress.phase.is_visible() {
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
    fn a_customer_is_found_by_part_of_the_name_or_address_in_any_case() {
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
    fn a_cursor_outside_the_period_is_rejected() {
        let day = |text: &str| Period::read(Some(text.to_owned()), Some(text.to_owned())).unwrap();
        let id = OrderId::new("2026-03-08T12:00:00Z".parse().unwrap(), &[7; 10]);
        let within = OrderFilter { created: day("2026-03-08"), ..OrderFilter::default() };
        let cursor = cursor_after(LIST, id);
        assert_eq!(start(&within, Some(&cursor)), Ok(Some(id)));
        let outside = OrderFilter { created: day("2026-03-09"), ..OrderFilter::default() };
        assert_eq!(start(&outside, Some(&cursor)), Err(CursorError));
    }
}
