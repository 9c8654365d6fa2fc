//! Sold tickets as CSV, one row each, ordered by number.

use super::domain::{RaffleId, Ticket};
use super::error::RaffleError;
use crate::base::calendar::in_new_york;
use crate::raffles::Raffles;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditId, AuditKind};
use crate::shared::exports::{ExportCursor, ExportPart, export_csv};

/// The columns.
pub const COLUMNS: [&str; 4] = ["number", "name", "email", "boughtAt"];

/// The tickets of one part. A part fits into the response of a Lambda function and into one query.
const TICKETS: u16 = 2_000;

impl Raffles {
    /// Writes the audit entry of an export of a raffle's tickets before one of its parts is answered, unless the part's
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

    /// Exports a part of a raffle's sold tickets.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`], [`RaffleError::Cursor`].
    pub async fn export_part(&self, id: RaffleId, cursor: Option<&str>) -> Result<ExportPart, RaffleError> {
        let page = self.tickets(id, TICKETS, cursor).await?;
        let csv = export_csv(COLUMNS, cursor.is_none(), page.items.iter().map(row))?;
        Ok(ExportPart { csv, next: page.next })
    }
}

/// Returns the cells of a ticket.
fn row(ticket: &Ticket) -> [String; COLUMNS.len()] {
    [
        ticket.number.to_string(),
        ticket.name.to_string(),
        ticket.email.to_string(),
        in_new_york(ticket.bought_at),
    ]
}
