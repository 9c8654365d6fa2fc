//! The report of an import as a file.

use super::ImportError;
use super::domain::Import;
use super::outcome::RowOutcome;
use crate::imports::Imports;
use crate::leads::domain::LeadId;
use crate::shared::audit_log::{AuditActor, AuditKind};
use crate::web::csv::CsvWriter;

/// Writes the outcome of each row as CSV: its number, the result, the address of its lead, and the notes.
///
/// # Errors
/// None in practice: writing to memory does not fail.
pub fn report_csv(outcomes: &[RowOutcome], address: impl Fn(LeadId) -> String) -> Result<String, csv::Error> {
    let mut file = CsvWriter::begin(b',', ["Row", "Result", "Lead", "Notes"])?;
    for outcome in outcomes {
        let lead = outcome.lead.map(&address).unwrap_or_default();
        let (row, result) = (outcome.row.to_string(), outcome.result.as_str().to_owned());
        file.row([row, result, lead, outcome.notes.join(" ")])?;
    }
    file.finish()
}

impl Imports {
    /// Writes the audit entry of an export of an import's rows, before the file is answered.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn record_export(
        &self,
        import: &Import,
        by: &AuditActor,
        detail: String,
    ) -> Result<(), ImportError> {
        let entry = self.import_entry(import, AuditKind::Export, by, detail);
        Ok(self.dynamo.write_audit(&entry).await?)
    }
}
