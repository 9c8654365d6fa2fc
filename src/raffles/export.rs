//! Sold tickets as CSV, one row each, ordered by number.
//!
//! Invariants: no cell runs as a formula when a spreadsheet opens the file; only the first page has headers, so that
//! all pages together form one file.

use super::domain::{RaffleId, Ticket};
use super::error::RaffleError;
use crate::base::calendar::in_new_york;
use crate::raffles::Raffles;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditId, AuditKind};
use crate::shared::exports::ExportCursor;
use crate::store::StoreError;
use crate::web::csv::escape_formula;

/// The columns.
pub const COLUMNS: [&str; 4] = ["number", "name", "email", "boughtAt"];

/// The tickets of one page. A page fits into the response of a Lambda function and into one query.
const TICKETS: u16 = 2_000;

/// A page of an export.
#[derive(Debug)]
pub struct ExportPage {
    /// The rows as CSV.
    pub csv: String,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Raffles {
    /// Writes the audit entry of an export of a raffle's tickets before one of its pages is answered, unless the page's
    /// cursor names it. Returns its id.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`].
    pub async fn record_export(
        &self,
        id: RaffleId,
        cursor: &ExportCursor,
        by: &AuditActor,
    ) -> Result<AuditId, RaffleError> {
        let title = self.stored(id).await?.raffle.title.to_string();
        let (now, kind, detail) = (self.clock.now(), AuditKind::Export, "Sold tickets exported.");
        let entry = AuditEntry::new(&self.rng, now, by, kind, title, detail);
        Ok(self.dynamo.record_export(cursor, &entry.at_path(format!("/raffles/{id}/tickets"))).await?)
    }

    /// Exports a page of a raffle's sold tickets.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`], [`RaffleError::Cursor`].
    pub async fn export_page(&self, id: RaffleId, cursor: Option<&str>) -> Result<ExportPage, RaffleError> {
        let page = self.tickets(id, TICKETS, cursor).await?;
        let csv = rows(&page.items, cursor.is_none());
        let csv = csv.map_err(|cause| StoreError::Failed { operation: "export", cause })?;
        Ok(ExportPage { csv, next: page.next })
    }
}

/// The only possible error is a writer failure, and writing to memory does not fail.
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
