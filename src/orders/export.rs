//! Fulfilled orders as a table for spreadsheets: one row for each lead, by the time of fulfilment.
//!
//! What always holds: no cell runs as a formula when a spreadsheet opens the file; a part is small enough for one
//! answer of a Lambda function, and its cursor says where the next part goes on, also within a large order; only the
//! first part has the row of headers, so that the parts in a row are one file.

use csv::Writer;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::domain::{Order, OrderStatus};
use super::error::OrderError;
use super::list::{id_of, text};
use super::period::Period;
use crate::base::calendar::in_new_york;
use crate::base::values::OrderId;
use crate::leads::domain::Lead;
use crate::orders::Orders;
use crate::orders::domain::{OrderDetail, OrderLeads};
use crate::reservations::order_key;
use crate::store::{Cursor, CursorError, Select, StoreError, schema};
use crate::web::csv::escape_formula;

/// The columns.
pub const COLUMNS: [&str; 11] = [
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
];

/// A part of an export.
#[derive(Debug)]
pub struct Shard {
    /// Its rows.
    pub csv: String,
    /// Where the next part begins.
    pub next: Option<String>,
    /// How many orders have rows in it.
    pub orders: u32,
    /// How many leads are in it.
    pub leads: u64,
}

/// After so many bytes a part ends: an answer of a Lambda function has at most 6 MB.
const MOST_BYTES: usize = 3_500_000;
/// The most orders of a part.
const MOST_ORDERS: u32 = 500;
/// Orders whose keys are read at once, and how many of them are read at the same time.
const BATCH: i32 = 25;
const AT_ONCE: usize = 5;
/// Leads of one order that are read at once behind those that come with it.
const LEADS: u16 = 100;
const LIST: &str = "export";
/// In a cursor: the order is in the parts before, with all its leads.
const WHOLE: &str = "*";

/// Where an export goes on: behind an order, or within it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    sort: String,
    id: OrderId,
    leads: Option<String>,
}

impl Place {
    fn encode(self) -> String {
        let leads = self.leads.unwrap_or_else(|| WHOLE.to_owned());
        Cursor::after([self.sort, self.id.to_string(), leads]).encode(LIST)
    }

    /// DynamoDB refuses to start outside of the range.
    fn decode(text: &str, period: &Period) -> Result<Self, CursorError> {
        let cursor = Cursor::<3>::decode(LIST, text)?;
        let [sort, id, leads] = cursor.parts();
        let id: OrderId = id.parse().map_err(|_| CursorError)?;
        let (first, last) = period.times();
        let inside = sort.ends_with(&format!("#{id}")) && *sort >= first && *sort <= last;
        let leads = Some(leads.clone()).filter(|leads| leads != WHOLE);
        if inside { Ok(Self { sort: sort.clone(), id, leads }) } else { Err(CursorError) }
    }
}

impl Orders {
    /// One part of the orders that were fulfilled on these days.
    ///
    /// # Errors
    /// [`OrderError::Cursor`] for a cursor of another export.
    pub async fn export_part(&self, period: &Period, cursor: Option<&str>) -> Result<Shard, OrderError> {
        self.export_part_within(period, cursor, MOST_BYTES).await
    }

    /// One part that ends after so many bytes.
    ///
    /// # Errors
    /// As [`part`].
    pub async fn export_part_within(
        &self,
        period: &Period,
        cursor: Option<&str>,
        most_bytes: usize,
    ) -> Result<Shard, OrderError> {
        let mut sheet = FormState::new(cursor.is_none(), most_bytes)?;
        let mut place = cursor.map(|text| Place::decode(text, period)).transpose()?;
        if let Some(Place { sort, id, leads: Some(leads) }) = place.clone() {
            // Nothing of the order changes any more: it was fulfilled.
            if let Some(order) = self.read_orders(&[id]).await?.remove(&id) {
                sheet.orders += 1;
                if let Some(leads) = self.export_rest(&mut sheet, &order, Some(leads)).await? {
                    return sheet.end(Some(Place { sort, id, leads: Some(leads) }));
                }
            }
        }
        loop {
            let (keys, more) = self.export_keys(period, place.as_ref()).await?;
            let ids: Vec<OrderId> = keys.iter().map(|key| key.id).collect();
            let read = ids.into_iter().map(|id| self.exported_detail(id));
            let mut details = stream::iter(read).buffered(AT_ONCE);
            for (at, key) in keys.iter().enumerate() {
                let last = at + 1 == keys.len() && !more;
                if let Some(Some(detail)) = details.try_next().await? {
                    sheet.orders += 1;
                    sheet.write(&detail.order, &detail.leads)?;
                    if let Some(leads) =
                        self.export_rest(&mut sheet, &detail.order, detail.leads_next).await?
                    {
                        return sheet.end(Some(Place { leads: Some(leads), ..key.clone() }));
                    }
                }
                if sheet.is_full() && !last {
                    return sheet.end(Some(key.clone()));
                }
            }
            place = keys.last().cloned();
            if !more {
                return sheet.end(None);
            }
        }
    }

    /// An order with its leads, unless it is gone.
    async fn exported_detail(&self, id: OrderId) -> Result<Option<OrderDetail>, OrderError> {
        match self.find(id).await {
            Ok(detail) => Ok(Some(detail).filter(|detail| detail.order.status == OrderStatus::Fulfilled)),
            Err(OrderError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The further leads of an order, until the part is full: then where they go on.
    async fn export_rest(
        &self,
        sheet: &mut FormState,
        order: &Order,
        mut next: Option<String>,
    ) -> Result<Option<String>, OrderError> {
        while let Some(cursor) = next {
            if sheet.is_large() {
                return Ok(Some(cursor));
            }
            let OrderLeads { leads, next: further } = self.leads_of(order.id, LEADS, Some(&cursor)).await?;
            sheet.write(order, &leads)?;
            next = further;
        }
        Ok(None)
    }

    /// The next orders behind a place, and whether there are more.
    async fn export_keys(
        &self,
        period: &Period,
        place: Option<&Place>,
    ) -> Result<(Vec<Place>, bool), OrderError> {
        let partition = format!("ORDERS#{}", OrderStatus::Fulfilled.as_str());
        let index = schema::STATUS_SCORE;
        let (first, last) = period.times();
        let mut select = Select::index(index, partition, BATCH).between(first, last);
        if let Some(place) = place {
            select = select.after(&place.sort, &order_key(place.id));
        }
        let page = self.dynamo.select(&select).await?;
        let place =
            |item| Some(Place { sort: text(item, index.sort)?.to_owned(), id: id_of(item)?, leads: None });
        Ok((page.items.iter().filter_map(place).collect(), page.more))
    }
}

/// The rows of a part.
struct FormState {
    writer: Writer<Vec<u8>>,
    bytes: usize,
    most_bytes: usize,
    orders: u32,
    leads: u64,
}

impl FormState {
    fn new(with_headers: bool, most_bytes: usize) -> Result<Self, OrderError> {
        let writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let mut sheet = Self { writer, bytes: 0, most_bytes, orders: 0, leads: 0 };
        if with_headers {
            sheet.row(COLUMNS.map(str::to_owned))?;
        }
        Ok(sheet)
    }

    fn write(&mut self, order: &Order, leads: &[Lead]) -> Result<(), OrderError> {
        for lead in leads {
            self.leads += 1;
            self.row([
                order.id.to_string(),
                escape_formula(order.customer_name.as_str()),
                escape_formula(order.customer_email.as_str()),
                order.fulfilled_at.map(in_new_york).unwrap_or_default(),
                lead.id.to_string(),
                escape_formula(lead.name.as_str()),
                escape_formula(lead.email.as_str()),
                lead.state.map(|state| state.to_string()).unwrap_or_default(),
                lead.lead_score.to_string(),
                lead.status.to_string(),
                in_new_york(lead.created_at),
            ])?;
        }
        Ok(())
    }

    fn row(&mut self, cells: [String; COLUMNS.len()]) -> Result<(), OrderError> {
        self.bytes += cells.iter().map(|cell| cell.len() + 1).sum::<usize>();
        self.writer.write_record(cells).map_err(|error| unwritten(&error))
    }

    fn is_large(&self) -> bool {
        self.bytes >= self.most_bytes
    }

    fn is_full(&self) -> bool {
        self.is_large() || self.orders >= MOST_ORDERS
    }

    fn end(self, next: Option<Place>) -> Result<Shard, OrderError> {
        let bytes = self.writer.into_inner().map_err(|error| unwritten(&error))?;
        let csv = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Shard { csv, next: next.map(Place::encode), orders: self.orders, leads: self.leads })
    }
}

/// Writing to memory does not fail.
fn unwritten(error: &dyn std::fmt::Display) -> OrderError {
    StoreError::Failed { operation: "export", cause: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_goes_out_and_comes_back_and_stays_within_its_days() {
        let id = OrderId::new("2026-03-08T12:00:00Z".parse().unwrap(), &[7; 10]);
        let day = |text: &str| Period::read(Some(text.to_owned()), Some(text.to_owned())).unwrap();
        for leads in [None, Some("cursor".to_owned())] {
            let place = Place { sort: format!("2026-03-08T13:00:00Z#{id}"), id, leads };
            let text = place.clone().encode();
            assert_eq!(Place::decode(&text, &day("2026-03-08")), Ok(place));
            assert_eq!(Place::decode(&text, &day("2026-03-09")), Err(CursorError));
        }
    }
}
