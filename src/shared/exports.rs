//! Exports that are answered in parts: the CSV of a part, and the audit entry of its export.
//!
//! Invariants: each part belongs to an entry of its reader. The cursor of a part names the entry of its export; a part
//! whose cursor names none writes one, and so does a part whose entry is older than an hour, or is that of another
//! account or another export. So a cursor that was stored, passed on or made by hand reads nothing unrecorded.

use jiff::SignedDuration;

use crate::shared::audit_log::{AuditEntry, AuditId, key_of};
use crate::store::{Dynamo, StoreError, from_item};
use crate::web::csv::CsvWriter;

/// How long the parts of an export may be read under its entry.
const LASTS: SignedDuration = SignedDuration::from_hours(1);

/// A part of an export.
#[derive(Debug)]
pub struct ExportPart {
    /// The rows as CSV.
    pub csv: String,
    /// The cursor of the next part.
    pub next: Option<String>,
}

/// Writes the rows of a part as CSV. Only the first part has a byte order mark and headers, so that all parts joined are
/// one file.
///
/// # Errors
/// None in practice: writing to memory does not fail.
pub fn export_csv<const N: usize>(
    headers: [&str; N],
    is_first: bool,
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<String, StoreError> {
    let mut part = CsvWriter::part(&headers, is_first)?;
    for row in rows {
        part.row(row)?;
    }
    Ok(part.finish()?)
}

impl From<csv::Error> for StoreError {
    fn from(error: csv::Error) -> Self {
        Self::Failed { operation: "export", cause: error.to_string() }
    }
}

/// The cursor of a part: the entry of the export, and where the part begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportCursor {
    entry: Option<AuditId>,
    position: Option<String>,
}

impl ExportCursor {
    /// Reads the parameter of a request. Without a cursor, it is the first part.
    pub fn read(text: Option<String>) -> Self {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Self::default() };
        // No position contains a dot.
        let named = text.split_once('.').and_then(|(id, position)| Some((id.parse().ok()?, position)));
        match named {
            Some((id, position)) => Self { entry: Some(id), position: Some(position.to_owned()) },
            None => Self { entry: None, position: Some(text) },
        }
    }

    /// Returns the cursor of the next part.
    pub fn next(entry: AuditId, position: &str) -> String {
        format!("{entry}.{position}")
    }

    /// Returns where the part begins, or `None` at the beginning of the export.
    pub fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }
}

impl Dynamo {
    /// Writes the entry of an export, unless the cursor of this part names one that covers it. Returns the id of the
    /// entry, for the cursor of the next part.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn record_export(
        &self,
        cursor: &ExportCursor,
        entry: &AuditEntry,
    ) -> Result<AuditId, StoreError> {
        if let Some(id) = cursor.entry {
            let stored = self.get(&key_of(id)).await?;
            // A kind of a later version is not that of this export.
            let stored: Option<AuditEntry> = stored.and_then(|item| from_item(item).ok());
            if stored.is_some_and(|stored| covers(&stored, entry)) {
                return Ok(id);
            }
        }
        self.write_audit(entry).await?;
        Ok(entry.id)
    }
}

/// Returns whether an entry covers another part of its export, which would have this entry.
fn covers(stored: &AuditEntry, entry: &AuditEntry) -> bool {
    let of = |entry: &AuditEntry| {
        let AuditEntry { kind, account, subject, path, detail, .. } = entry.clone();
        (kind, account, subject, path, detail)
    };
    entry.account.is_some() && of(stored) == of(entry) && entry.at.duration_since(stored.at) < LASTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_its_entry_and_its_position() {
        let id = AuditId::new("2026-11-29T12:00:00Z".parse().unwrap(), &[7; 10]);
        let next = ExportCursor::next(id, "WyJhIl0");
        let read = |text: &str| ExportCursor::read(Some(text.to_owned()));
        assert_eq!(read(&next), ExportCursor { entry: Some(id), position: Some("WyJhIl0".to_owned()) });
        for (text, position) in [("WyJhIl0", Some("WyJhIl0")), ("x.WyJhIl0", Some("x.WyJhIl0")), ("", None)] {
            assert_eq!((read(text).entry, read(text).position()), (None, position), "{text}");
        }
        assert_eq!(ExportCursor::read(None), ExportCursor::default());
    }
}
