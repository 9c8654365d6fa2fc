//! Sold tickets as a table for spreadsheets, one row each, by their numbers.
//!
//! What always holds: no cell runs as a formula when a spreadsheet opens the file; only the first part has the row of
//! headers, so that the parts in a row are one file.

use super::domain::{RaffleId, Ticket};
use super::error::RaffleError;
use super::store::TicketPage;
use crate::base::calendar::in_new_york;
use crate::raffles::Raffles;
use crate::store::StoreError;
use crate::web::csv::escape_formula;

/// The columns.
pub const COLUMNS: [&str; 4] = ["number", "name", "email", "boughtAt"];

/// The tickets of a part: less than an answer of a Lambda function can hold, and than one query reads.
const TICKETS: u16 = 2_000;

/// A part of an export.
#[derive(Debug)]
pub struct Part {
    /// Its rows.
    pub csv: String,
    /// Where the next part begins.
    pub next: Option<String>,
}

impl Raffles {
    /// One part of a raffle's sold tickets.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`], [`RaffleError::Cursor`].
    pub async fn export_part(&self, id: RaffleId, cursor: Option<&str>) -> Result<Part, RaffleError> {
        let TicketPage { tickets, next } = self.tickets(id, TICKETS, cursor).await?;
        let csv = rows(&tickets, cursor.is_none());
        Ok(Part { csv: csv.map_err(|cause| StoreError::Failed { operation: "export", cause })?, next })
    }
}

/// Writing to memory does not fail.
fn rows(tickets: &[Ticket], with_headers: bool) -> Result<String, String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if with_headers {
        writer.write_record(COLUMNS).map_err(|error| error.to_string())?;
    }
    for ticket in tickets {
        let row = [
            ticket.number.to_string(),
            escape_formula(ticket.name.as_str()),
            escape_formula(ticket.email.as_str()),
            in_new_york(ticket.bought_at),
        ];
        writer.write_record(row).map_err(|error| error.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
