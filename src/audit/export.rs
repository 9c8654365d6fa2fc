//! The audit log as CSV, newest first, part by part.
//!
//! Invariant: an export has one entry in the log, which is its first row.

use super::error::AuditError;
use super::filter::AuditFilter;
use super::read::LIST;
use crate::audit::Audit;
use crate::base::calendar::in_new_york;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditId, AuditKind};
use crate::shared::cursors::start_after;
use crate::shared::exports::{ExportCursor, ExportPart, export_csv};

/// The columns.
pub const COLUMNS: [&str; 8] = ["at", "kind", "by", "account", "address", "subject", "detail", "path"];

/// The entries of one part. A part fits into the response of a Lambda function.
const ENTRIES: usize = 1_000;
/// The number of entries that one call reads.
const READ: u32 = 150;

impl Audit {
    /// Exports a part of the audit log. It writes the audit entry of the export, unless the cursor names it. The cursor
    /// of the next part does.
    ///
    /// # Errors
    /// [`AuditError::Cursor`] for a cursor of another list.
    pub async fn export_part(
        &self,
        filter: &AuditFilter,
        cursor: &ExportCursor,
        by: &AuditActor,
    ) -> Result<ExportPart, AuditError> {
        // A wrong cursor has no entry.
        start_after::<AuditId>(LIST, cursor.position())?;
        let (now, kind) = (self.clock.now(), AuditKind::Export);
        let entry = AuditEntry::new(&self.rng, now, by, kind, "Audit log", "Audit log exported.");
        let entry = self.dynamo.record_export(cursor, &entry.at_path("/audit")).await?;
        let page = self.page(filter, ENTRIES, READ, cursor.position()).await?;
        let csv = export_csv(COLUMNS, cursor.position().is_none(), page.entries.iter().map(row))?;
        Ok(ExportPart { csv, next: page.next.map(|position| ExportCursor::next(entry, &position)) })
    }
}

/// Returns the cells of an entry.
fn row(entry: &AuditEntry) -> [String; COLUMNS.len()] {
    [
        in_new_york(entry.at),
        entry.kind.to_string(),
        entry.by.to_string(),
        entry.account.map(|account| account.to_string()).unwrap_or_default(),
        entry.address.map(|address| address.to_string()).unwrap_or_default(),
        entry.subject.clone(),
        entry.detail.clone(),
        entry.path.clone().unwrap_or_default(),
    ]
}
