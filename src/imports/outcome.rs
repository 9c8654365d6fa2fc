//! The outcome of each row of an import, for its report and for its undo. Pure.

use serde::{Deserialize, Serialize};

use crate::base::values::{Version, text_enum};
use crate::leads::domain::LeadId;
use crate::leads::import::Imported;

text_enum! {
    /// The outcome of a row.
    pub enum RowResult, "The result must be created, filled, updated, skipped, or rejected.";
    /// It became a lead.
    Created = "created",
    /// It filled empty fields of an existing lead.
    Filled = "filled",
    /// It replaced values of an existing lead.
    Updated = "updated",
    /// An existing lead stays as it is.
    Skipped = "skipped",
    /// It cannot become a lead.
    Rejected = "rejected",
}

/// The outcome of a row, and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowOutcome {
    /// The row number that a spreadsheet shows.
    pub row: u64,
    /// The result.
    pub result: RowResult,
    /// The lead of the row, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<LeadId>,
    /// The version that the row made of the lead, if it changed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What a person should know: the reason of a rejection, and what was kept instead of understood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The most bytes of a row's notes that are kept, so that the outcomes of a step fit into one item.
const KEPT_BYTES: usize = 1_200;

impl RowOutcome {
    /// Creates the outcome of a row that was written, or found to be known.
    pub fn of(row: u64, imported: Imported, notes: Vec<String>) -> Self {
        let (result, lead, version) = match imported {
            Imported::Created(lead) => (RowResult::Created, lead, Some(Version::FIRST)),
            Imported::Filled(lead, version) => (RowResult::Filled, lead, Some(version)),
            Imported::Updated(lead, version) => (RowResult::Updated, lead, Some(version)),
            Imported::Skipped(lead) => (RowResult::Skipped, lead, None),
            Imported::Repeated => return Self::repeated(row),
        };
        Self { row, result, lead: Some(lead), version, notes: shortened(notes) }
    }

    /// Creates the outcome of a row whose email address an earlier row of the file has.
    pub fn repeated(row: u64) -> Self {
        let notes = vec!["An earlier row in the file has the same email.".to_owned()];
        Self { row, result: RowResult::Skipped, lead: None, version: None, notes }
    }

    /// Creates the outcome of a row that cannot become a lead.
    pub fn rejected(row: u64, reason: String) -> Self {
        let notes = shortened(vec![reason]);
        Self { row, result: RowResult::Rejected, lead: None, version: None, notes }
    }

    /// Returns the most bytes that the row takes in a report.
    pub fn weight(&self) -> u64 {
        (self.notes.iter().map(|note| 2 * note.len()).sum::<usize>() + 80) as u64
    }
}

fn shortened(notes: Vec<String>) -> Vec<String> {
    let mut left = KEPT_BYTES;
    let mut kept = Vec::new();
    for note in notes {
        if left == 0 {
            break;
        }
        let end = note.floor_char_boundary(left);
        left -= end;
        kept.push(if end < note.len() { format!("{}…", &note[..end]) } else { note });
    }
    kept
}

/// The numbers of rows processed so far, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows that became leads.
    pub created: u64,
    /// Rows that filled empty fields of existing leads.
    #[serde(default)]
    pub filled: u64,
    /// Rows that replaced values of existing leads.
    #[serde(default)]
    pub updated: u64,
    /// Rows whose existing leads stay as they are.
    pub skipped: u64,
    /// Rows that cannot become leads.
    pub rejected: u64,
    /// Rows of which something was kept instead of understood.
    #[serde(default)]
    pub warned: u64,
}

impl Counts {
    /// Returns the number of processed rows.
    pub fn total(&self) -> u64 {
        self.created + self.filled + self.updated + self.skipped + self.rejected
    }

    /// Counts a row.
    pub fn add(&mut self, outcome: &RowOutcome) {
        let count = match outcome.result {
            RowResult::Created => &mut self.created,
            RowResult::Filled => &mut self.filled,
            RowResult::Updated => &mut self.updated,
            RowResult::Skipped => &mut self.skipped,
            RowResult::Rejected => &mut self.rejected,
        };
        *count += 1;
        self.warned += u64::from(
            outcome.result != RowResult::Rejected && !outcome.notes.is_empty() && outcome.lead.is_some(),
        );
    }
}

impl FromIterator<RowOutcome> for Counts {
    fn from_iter<T: IntoIterator<Item = RowOutcome>>(outcomes: T) -> Self {
        let mut counts = Self::default();
        outcomes.into_iter().for_each(|outcome| counts.add(&outcome));
        counts
    }
}

/// The files of a report that is too long for one answer, by the numbers of the rows with which they begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// The first row of the second and of each later file.
    pub later: Vec<u64>,
    /// The number of bytes in the last file.
    bytes: u64,
}

impl Files {
    /// The most bytes in one file: a response of Lambda has at most 6 MB.
    const MOST_BYTES: u64 = 2 * 1024 * 1024;

    /// Adds rows that stay together, of which this is the first.
    pub fn add(&mut self, first: u64, weight: u64) {
        if self.bytes > 0 && self.bytes + weight > Self::MOST_BYTES {
            self.later.push(first);
            self.bytes = 0;
        }
        self.bytes += weight;
    }

    /// Returns the last row of the file that begins with this row.
    pub fn end_of(&self, first: u64) -> u64 {
        end_of_file(&self.later, first)
    }
}

/// Returns the last row of the file that begins with `first`. `later` has the first row of the second and of each later
/// file.
pub fn end_of_file(later: &[u64], first: u64) -> u64 {
    let next = later.iter().find(|begins| **begins > first);
    next.map_or(u64::MAX, |begins| begins.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_notes_are_cut_between_characters() {
        let outcome = RowOutcome::rejected(2, "é".repeat(2_000));
        assert_eq!(outcome.notes, [format!("{}…", "é".repeat(600))]);
    }

    #[test]
    fn rows_are_counted_by_result() {
        let id = LeadId::new(jiff::Timestamp::UNIX_EPOCH, &[0; 10]);
        let counts: Counts = [
            RowOutcome::of(2, Imported::Created(id), vec!["kept".to_owned()]),
            RowOutcome::of(3, Imported::Skipped(id), Vec::new()),
            RowOutcome::repeated(4),
            RowOutcome::rejected(5, "no".to_owned()),
        ]
        .into_iter()
        .collect();
        assert_eq!((counts.created, counts.skipped, counts.rejected, counts.warned), (1, 2, 1, 1));
        assert_eq!(counts.total(), 4);
    }

    #[test]
    fn a_long_report_has_several_files() {
        let mut files = Files::default();
        for step in 0..5 {
            files.add(step * 200 + 2, 1024 * 1024);
        }
        assert_eq!(files.later, [402, 802]);
        assert_eq!((files.end_of(2), files.end_of(402), files.end_of(802)), (401, 801, u64::MAX));
    }
}
