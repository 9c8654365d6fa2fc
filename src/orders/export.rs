//! CSV export of fulfilled orders: one row per lead, sorted by the time of fulfillment.
//!
//! Invariants: a part fits into one response of a Lambda function, and its cursor says where the next part begins,
//! also in the middle of a large order.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::domain::{Order, OrderDetail, OrderStatus};
use super::error::OrderError;
use super::items::text_attribute;
use super::list::id_of;
use super::period::Period;
use crate::base::calendar::in_new_york;
use crate::base::values::OrderId;
use crate::leads::domain::Lead;
use crate::orders::Orders;
use crate::reservations::order_key;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditId, AuditKind};
use crate::shared::exports::ExportCursor;
use crate::store::{Cursor, CursorError, Select, StoreError, schema};
use crate::web::csv::CsvWriter;

/// The columns of the file.
pub const COLUMNS: [&str; 15] = [
    "orderId",
    "customerName",
    "customerEmail",
    "fulfilledAt",
    "leadId",
    "name",
    "email",
    "state",
    "leadScore",
    "status",
    "createdAt",
    "phone",
    "company",
    "source",
    "owner",
];

/// One part of an export.
#[derive(Debug)]
pub struct CsvPart {
    /// The rows of this part.
    pub csv: String,
    /// The cursor of the next part.
    pub next: Option<String>,
    /// The number of orders with rows in this part.
    pub orders: u32,
    /// The number of leads in this part.
    pub leads: u64,
}

/// A part ends after this many bytes: a response of a Lambda function has at most 6 MB.
const MAX_BYTES: usize = 3_500_000;
/// The most orders in one part.
const MAX_ORDERS: u32 = 500;
/// The number of order keys that one query reads.
const BATCH: i32 = 25;
/// The number of orders that are read at the same time.
const CONCURRENCY: usize = 5;
/// The number of leads that one read adds to those that come with the order.
const LEADS_PER_READ: u16 = 100;
const LIST: &str = "export";
/// In a cursor: all leads of the order are in earlier parts.
const ALL_LEADS: &str = "*";

/// The position at which an export continues: after an order, or within it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    sort: String,
    id: OrderId,
    leads: Option<String>,
}

impl Position {
    fn encode(self) -> String {
        let leads = self.leads.unwrap_or_else(|| ALL_LEADS.to_owned());
        Cursor::after([self.sort, self.id.to_string(), leads]).encode(LIST)
    }

    /// Rejects a position outside the period, because DynamoDB refuses to start outside the range.
    fn decode(text: &str, period: &Period) -> Result<Self, CursorError> {
        let cursor = Cursor::<3>::decode(LIST, text)?;
        let [sort, id, leads] = cursor.parts();
        let id: OrderId = id.parse().map_err(|_| CursorError)?;
        let (first, last) = period.times();
        let inside = sort.ends_with(&format!("#{id}")) && *sort >= first && *sort <= last;
        let leads = Some(leads.clone()).filter(|leads| leads != ALL_LEADS);
        if inside { Ok(Self { sort: sort.clone(), id, leads }) } else { Err(CursorError) }
    }
}

impl Orders {
    /// Writes the audit entry of an export before one of its parts is answered, unless the part's cursor names it.
    /// Returns its id.
    ///
    /// # Errors
    /// [`OrderError::Store`] if the store failed.
    pub async fn record_export(
        &self,
        period: &Period,
        cursor: &ExportCursor,
        by: &AuditActor,
    ) -> Result<AuditId, OrderError> {
        let detail = match (period.from, period.to) {
            (None, None) => "All fulfilled orders exported.".to_owned(),
            (Some(from), None) => format!("Fulfilled orders from {from} exported."),
            (None, Some(to)) => format!("Fulfilled orders to {to} exported."),
            (Some(from), Some(to)) => format!("Fulfilled orders from {from} to {to} exported."),
        };
        let now = self.clock.now();
        let entry = AuditEntry::new(&self.rng, now, by, AuditKind::Export, "Orders", detail);
        Ok(self.dynamo.record_export(cursor, &entry.at_path("/orders/export")).await?)
    }

    /// Returns one part of the orders that were fulfilled in a period.
    ///
    /// # Errors
    /// [`OrderError::Cursor`] for a cursor of another export.
    pub async fn export_part(&self, period: &Period, cursor: Option<&str>) -> Result<CsvPart, OrderError> {
        self.export_part_within(period, cursor, MAX_BYTES).await
    }

    /// Returns one part that ends after `max_bytes`.
    ///
    /// # Errors
    /// The same as [`Orders::export_part`].
    pub async fn export_part_within(
        &self,
        period: &Period,
        cursor: Option<&str>,
        max_bytes: usize,
    ) -> Result<CsvPart, OrderError> {
        let mut part = PartWriter::new(cursor.is_none(), max_bytes)?;
        let mut position = cursor.map(|text| Position::decode(text, period)).transpose()?;
        if let Some(rest) = self.export_started_order(&mut part, position.as_ref()).await? {
            return part.end(Some(rest));
        }
        loop {
            let (keys, more) = self.export_keys(period, position.as_ref()).await?;
            let ids: Vec<OrderId> = keys.iter().map(|key| key.id).collect();
            let read = ids.into_iter().map(|id| self.exported_detail(id));
            let mut details = stream::iter(read).buffered(CONCURRENCY);
            for (at, key) in keys.iter().enumerate() {
                let last = at + 1 == keys.len() && !more;
                if let Some(Some(detail)) = details.try_next().await? {
                    part.orders += 1;
                    part.write(&detail.order, &detail.leads)?;
                    if let Some(leads) =
                        self.export_further_leads(&mut part, &detail.order, detail.leads_next).await?
                    {
                        return part.end(Some(Position { leads: Some(leads), ..key.clone() }));
                    }
                }
                if part.is_full() && !last {
                    return part.end(Some(key.clone()));
                }
            }
            position = keys.last().cloned();
            if !more {
                return part.end(None);
            }
        }
    }

    /// Writes the remaining leads of an order if the last part ended within it. Returns the new position if the part is
    /// full before the order ends.
    async fn export_started_order(
        &self,
        part: &mut PartWriter,
        position: Option<&Position>,
    ) -> Result<Option<Position>, OrderError> {
        let Some(position) = position else { return Ok(None) };
        let Some(leads) = position.leads.clone() else { return Ok(None) };
        // A fulfilled order does not change any more.
        let order = self.read_orders(&[position.id]).await?.remove(&position.id);
        let Some(order) = order else { return Ok(None) };
        part.orders += 1;
        let rest = self.export_further_leads(part, &order, Some(leads)).await?;
        Ok(rest.map(|leads| Position { leads: Some(leads), ..position.clone() }))
    }

    /// Returns a fulfilled order with its leads, or `None` if it is gone.
    async fn exported_detail(&self, id: OrderId) -> Result<Option<OrderDetail>, OrderError> {
        match self.find(id).await {
            Ok(detail) => Ok(Some(detail).filter(|detail| detail.order.status == OrderStatus::Fulfilled)),
            Err(OrderError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the remaining leads of an order until the part is full. Returns the cursor of the leads that
    /// are left.
    async fn export_further_leads(
        &self,
        part: &mut PartWriter,
        order: &Order,
        mut next: Option<String>,
    ) -> Result<Option<String>, OrderError> {
        while let Some(cursor) = next {
            if part.has_max_bytes() {
                return Ok(Some(cursor));
            }
            let page = self.leads_of(order.id, LEADS_PER_READ, Some(&cursor)).await?;
            part.write(order, &page.items)?;
            next = page.next;
        }
        Ok(None)
    }

    /// Returns the next orders after a position, and whether there are more.
    async fn export_keys(
        &self,
        period: &Period,
        position: Option<&Position>,
    ) -> Result<(Vec<Position>, bool), OrderError> {
        let partition = format!("ORDERS#{}", OrderStatus::Fulfilled.as_str());
        let index = schema::STATUS_SCORE;
        let (first, last) = period.times();
        let mut select = Select::index(index, partition, BATCH).between(first, last);
        if let Some(position) = position {
            select = select.after(&position.sort, &order_key(position.id));
        }
        let page = self.dynamo.select(&select).await?;
        let position = |item| {
            Some(Position {
                sort: text_attribute(item, index.sort)?.to_owned(),
                id: id_of(item)?,
                leads: None,
            })
        };
        Ok((page.items.iter().filter_map(position).collect(), page.more))
    }
}

/// Collects the rows of a part.
struct PartWriter {
    rows: CsvWriter,
    bytes: usize,
    max_bytes: usize,
    orders: u32,
    leads: u64,
}

impl PartWriter {
    fn new(is_first: bool, max_bytes: usize) -> Result<Self, StoreError> {
        let rows = CsvWriter::part(&COLUMNS, is_first)?;
        Ok(Self { rows, bytes: 0, max_bytes, orders: 0, leads: 0 })
    }

    fn write(&mut self, order: &Order, leads: &[Lead]) -> Result<(), StoreError> {
        for lead in leads {
            self.leads += 1;
            self.row([
                order.id.to_string(),
                order.customer_name.to_string(),
                order.customer_email.to_string(),
                order.fulfilled_at.map(in_new_york).unwrap_or_default(),
                lead.id.to_string(),
                lead.name.to_string(),
                lead.email.to_string(),
                lead.state.map(|state| state.to_string()).unwrap_or_default(),
                lead.lead_score.to_string(),
                lead.status.to_string(),
                in_new_york(lead.created_at),
                optional(lead.phone.as_ref()),
                optional(lead.company.as_ref()),
                optional(lead.source.as_ref()),
                optional(lead.owner.as_ref().map(|owner| &owner.name)),
            ])?;
        }
        Ok(())
    }

    fn row(&mut self, cells: [String; COLUMNS.len()]) -> Result<(), StoreError> {
        self.bytes += cells.iter().map(|cell| cell.len() + 1).sum::<usize>();
        Ok(self.rows.row(cells)?)
    }

    fn has_max_bytes(&self) -> bool {
        self.bytes >= self.max_bytes
    }

    fn is_full(&self) -> bool {
        self.has_max_bytes() || self.orders >= MAX_ORDERS
    }

    fn end(self, next: Option<Position>) -> Result<CsvPart, OrderError> {
        let csv = self.rows.finish().map_err(StoreError::from)?;
        Ok(CsvPart { csv, next: next.map(Position::encode), orders: self.orders, leads: self.leads })
    }
}

/// Returns the text of an optional cell.
fn optional(value: Option<&impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_and_is_rejected_outside_its_period() {
        let id = OrderId::new("2026-03-08T12:00:00Z".parse().unwrap(), &[7; 10]);
        let day = |text: &str| Period::read(Some(text.to_owned()), Some(text.to_owned())).unwrap();
        for leads in [None, Some("cursor".to_owned())] {
            let position = Position { sort: format!("2026-03-08T13:00:00Z#{id}"), id, leads };
            let text = position.clone().encode();
            assert_eq!(Position::decode(&text, &day("2026-03-08")), Ok(position));
            assert_eq!(Position::decode(&text, &day("2026-03-09")), Err(CursorError));
        }
    }
}
