//! The audit log as CSV, newest first, page by page.
//!
//! Invariants: no cell runs as a formula when a spreadsheet opens the file; only the first page has headers, so that all
//! pages together form one file. An export has one entry in the log, which is its first row.

use super::error::AuditError;
use super::filter::AuditFilter;
use super::read::LIST;
use crate::audit::Audit;
use crate::base::calendar::in_new_york;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditId, AuditKind};
use crate::shared::exports::ExportCursor;
use crate::shared::lists::start_after;
use crate::store::StoreError;
use crate::web::csv::escape_formula;

/// The columns.
pub const COLUMNS: [&str; 8] = ["at", "kind", "by", "account", "address", "subject", "detail", "path"];

/// The entries of one page. A page fits into the response of a Lambda function.
const ENTRIES: usize = 1_000;
/// The number of entries that one call reads.
const READ: u32 = 150;

/// A page of an export.
#[derive(Debug)]
pub struct ExportPage {
    /// The rows as CSV.
    pub csv: String,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Audit {
    /// Exports a page of the audit log. It writes the audit entry of the export, unless the cursor names it. The cursor
    /// of the next page does.
    ///
    /// # Errors
    /// [`AuditError::Cursor`] for a cursor of another list.
    pub async fn export_page(
        &self,
        filter: &AuditFilter,
        cursor: &ExportCursor,
        by: &AuditActor,
    ) -> Result<ExportPage, AuditError> {
        // A wrong cursor has no entry.
        start_after::<AuditId>(LIST, cursor.position())?;
        let (now, kind) = (self.clock.now(), AuditKind::Export);
        let entry = AuditEntry::new(&self.rng, now, by, kind, "Audit log", "Audit log exported.");
        let entry = self.dynamo.record_export(cursor, &entry.at_path("/audit")).await?;
        let page = self.page(filter, ENTRIES, READ, cursor.position()).await?;
        let csv = rows(&page.entries, cursor.position().is_none());
        let csv = csv.map_err(|cause| StoreError::Failed { operation: "export", cause })?;
        Ok(ExportPage { csv, next: page.next.map(|position| ExportCursor::next(entry, &position)) })
    }
}

/// The only possible error is a writer failure, and writing to memory does not fail.
fn rows(entries: &[AuditEntry], with_headers: bool) -> Result<String, String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if with_headers {
        writer.write_record(COLUMNS).map_err(|error| error.to_string())?;
    }
    for entry in entries {
        let row = [
            in_new_york(entry.at),
            entry.kind.to_string(),
            escape_formula(entry.by.as_str()),
            entry.account.map(|account| account.to_string()).unwrap_or_default(),
            entry.address.map(|address| address.to_string()).unwrap_or_default(),
            escape_formula(&entry.subject),
            escape_formula(&entry.detail),
            escape_formula(entry.path.as_deref().unwrap_or_default()),
        ];
        writer.write_record(row).map_err(|error| error.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
