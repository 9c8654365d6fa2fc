//! Imports: their phases, their progress and their counts. Pure: time and ids are arguments.
//!
//! Invariants: the parts of a file arrive in order, and each has the length that its number implies. A workbook
//! becomes CSV when its last part arrives; from then on the size and the parts are those of the CSV. The cursor
//! and the counts change together.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ImportError;
use super::file::{Cursor, FileError, Head, Limits, is_workbook, read_rows};
use super::mapping::{Mapping, is_known_header};
use super::outcome::{Counts, Files, RowOutcome};
use crate::base::identity::{AccountId, SignedIn};
use crate::base::values::{Version, fingerprint, time_ordered_id};
use crate::imports::limits::{MAX_COLUMNS, MAX_FILE_BYTES, MAX_WORKBOOK_BYTES};
use crate::leads::import::KnownEmails;

pub use self::start::Start;
pub use self::step::{Rejection, Step};
pub use self::undo::Undo;

mod start;
mod step;
#[cfg(test)]
mod tests;
mod undo;

/// The length of a part of a file in bytes, except the last part. An item in DynamoDB holds 400 KB.
pub const PART_BYTES: u64 = 320 * 1024;

/// The most bytes in one file of rejected rows, as estimated by [`Rejection::weight`]: a response of Lambda
/// has at most 6 MB.
pub const REJECTED_FILE_BYTES: u64 = 2 * 1024 * 1024;
/// How long an import and its file are stored.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

time_ordered_id!(
    /// The id of an import.
    ImportId,
    "an import"
);

/// The phase of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Phase {
    /// Parts of the file are still missing.
    Uploading,
    /// The file is complete. Its columns are not mapped yet, and nothing has been written.
    Ready,
    /// Rows become leads, step by step.
    Running,
    /// All rows are processed.
    Done,
    /// The import is being undone, step by step.
    Undoing,
    /// The import was undone. Leads that were changed since kept their changes.
    Undone,
}

/// An import, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// The id.
    pub id: ImportId,
    /// The name of the file, for display.
    pub file_name: String,
    /// The length of the file in bytes.
    pub size: u64,
    /// The account that owns the import.
    pub owner: AccountId,
    /// When it was started.
    pub created_at: Timestamp,
    /// The phase.
    #[serde(rename = "stage")]
    pub phase: Phase,
    /// Starts at 1 and increases by 1 with every change.
    pub version: Version,
    /// How many parts of the file have arrived.
    pub parts: u32,
    /// If the file was a workbook: the fingerprint of its CSV, which names the parts of the CSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The format and the header of the file, known from the first part on.
    pub head: Option<Head>,
    /// The number of rows in the file, estimated from the first part.
    pub expected_rows: u64,
    /// The meaning of each column, once a person has chosen it.
    pub mapping: Option<Mapping>,
    /// Where the next step begins.
    pub cursor: Option<Cursor>,
    /// What happens with rows whose email address a lead has already.
    #[serde(default)]
    pub known: KnownEmails,
    /// The numbers of rows processed so far.
    pub counts: Counts,
    /// The files of the report.
    #[serde(default)]
    pub report: Files,
    /// The progress of the undo.
    #[serde(default)]
    pub undo: Undo,
    /// The numbers of the rejected rows with which the second and each later file of rejected rows begins.
    pub rejected_files: Vec<u64>,
    /// The number of bytes in the last of these files.
    pub rejected_bytes: u64,
}

impl Import {
    /// Creates an import whose file has not arrived yet.
    ///
    /// # Errors
    /// [`ImportError::TooLarge`], or [`FileError::Empty`] for an empty file.
    pub fn begin(
        id: ImportId,
        file_name: &str,
        size: u64,
        owner: AccountId,
        now: Timestamp,
    ) -> Result<Self, ImportError> {
        if size > MAX_FILE_BYTES {
            return Err(ImportError::TooLarge(size));
        }
        if size == 0 {
            return Err(FileError::Empty.into());
        }
        Ok(Self {
            id,
            file_name: shown_name(file_name),
            size,
            owner,
            created_at: now,
            phase: Phase::Uploading,
            version: Version::FIRST,
            parts: 0,
            sheet: None,
            head: None,
            expected_rows: 0,
            mapping: None,
            cursor: None,
            known: KnownEmails::default(),
            counts: Counts::default(),
            report: Files::default(),
            undo: Undo::default(),
            rejected_files: Vec::new(),
            rejected_bytes: 0,
        })
    }

    /// Returns the path of the import's page.
    pub fn path(&self) -> String {
        format!("/leads/imports/{}", self.id)
    }

    /// Returns whether this person may see the import.
    pub fn is_open_to(&self, who: &SignedIn) -> bool {
        self.owner == who.id || who.is_administrator()
    }

    /// Returns the number of parts of the file.
    pub fn all_parts(&self) -> u32 {
        u32::try_from(self.size.div_ceil(PART_BYTES)).unwrap_or(u32::MAX)
    }

    /// Returns when the import expires, in seconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.created_at.saturating_add(RETENTION).unwrap_or(Timestamp::MAX).as_second()
    }

    /// Returns the import with its next part. The first part shows whether the file can be imported at all,
    /// unless it is a workbook: see [`is_unconverted`](Self::is_unconverted).
    ///
    /// # Errors
    /// [`ImportError::PartOutOfOrder`], [`ImportError::PartLength`], or what is wrong with the file.
    pub fn with_part(&self, number: u32, bytes: &[u8]) -> Result<Self, ImportError> {
        if number != self.parts || number >= self.all_parts() {
            return Err(ImportError::PartOutOfOrder { expected: self.parts });
        }
        let expected = PART_BYTES.min(self.size - u64::from(number) * PART_BYTES);
        let found = bytes.len() as u64;
        if found != expected {
            return Err(ImportError::PartLength { expected, found });
        }
        let mut after = Self { parts: number + 1, version: self.version.next(), ..self.clone() };
        if number == 0 && is_workbook(bytes) {
            if self.size > MAX_WORKBOOK_BYTES as u64 {
                return Err(FileError::LargeWorkbook.into());
            }
        } else if number == 0 {
            after = after.with_head(bytes)?;
        }
        if after.parts == self.all_parts() && after.head.is_some() {
            after.phase = Phase::Ready;
        }
        Ok(after)
    }

    /// Returns whether the file is a workbook that is complete and must be converted to CSV.
    pub fn is_unconverted(&self) -> bool {
        self.head.is_none() && self.parts == self.all_parts()
    }

    /// Returns the import of a workbook with the CSV in place of the workbook.
    ///
    /// # Errors
    /// What is wrong with the CSV.
    pub fn converted(&self, csv: &[u8]) -> Result<Self, ImportError> {
        let mut after = Self { phase: Phase::Ready, size: csv.len() as u64, ..self.clone() };
        after.parts = after.all_parts();
        after.sheet = Some(fingerprint(&[csv]));
        let first = csv.chunks(usize::try_from(PART_BYTES).unwrap_or(usize::MAX)).next();
        after.with_head(first.unwrap_or_default())
    }

    /// Returns the import with the format and the header of the file, from its first part.
    fn with_head(self, part: &[u8]) -> Result<Self, ImportError> {
        let whole = part.len() as u64 == self.size;
        let head = Head::detect(part, whole, &is_known_header)?;
        if head.dialect.columns > MAX_COLUMNS {
            return Err(ImportError::TooManyColumns(head.dialect.columns));
        }
        Ok(Self { expected_rows: expected_rows(&head, part, self.size), head: Some(head), ..self })
    }

    /// Returns the import as started with this mapping. An import that has already been started is returned
    /// unchanged.
    ///
    /// # Errors
    /// [`MappingError`](super::mapping::MappingError) if the mapping does not fit the file, or
    /// [`ImportError::NotStarted`] if the file is not complete.
    pub fn started(&self, start: &Start) -> Result<Self, ImportError> {
        let Some(head) = self.head.as_ref().filter(|_| self.phase != Phase::Uploading) else {
            return Err(ImportError::NotStarted);
        };
        if self.phase != Phase::Ready {
            return Ok(self.clone());
        }
        let head = start.head(head);
        let mapping = start.mapping(&head.headers)?;
        mapping.check()?;
        Ok(Self {
            phase: Phase::Running,
            version: self.version.next(),
            mapping: Some(mapping),
            cursor: Some(head.data),
            head: Some(head),
            known: start.known,
            ..self.clone()
        })
    }

    /// Returns the import with its undo started. The undo begins with the last row.
    ///
    /// # Errors
    /// [`ImportError::NotDone`] if rows are still processed.
    pub fn undoing(&self) -> Result<Self, ImportError> {
        match self.phase {
            Phase::Done => Ok(Self { phase: Phase::Undoing, version: self.version.next(), ..self.clone() }),
            Phase::Undoing | Phase::Undone => Ok(self.clone()),
            _ => Err(ImportError::NotDone),
        }
    }

    /// Returns the import after a step of its undo.
    pub fn undone(&self, undo: Undo, finished: bool) -> Self {
        let phase = if finished { Phase::Undone } else { Phase::Undoing };
        Self { phase, undo, version: self.version.next(), ..self.clone() }
    }

    /// Returns the import after a step.
    pub fn advanced(&self, step: &Step) -> Self {
        let mut after = Self {
            phase: if step.finished { Phase::Done } else { Phase::Running },
            version: self.version.next(),
            cursor: Some(step.next),
            ..self.clone()
        };
        step.outcomes.iter().for_each(|outcome| after.counts.add(outcome));
        if let Some(first) = step.outcomes.first() {
            after.report.add(first.row, step.outcomes.iter().map(RowOutcome::weight).sum());
        }
        for rejection in &step.rejections {
            after.rejected_bytes += rejection.weight();
            if after.rejected_bytes > REJECTED_FILE_BYTES {
                after.rejected_files.push(rejection.row);
                after.rejected_bytes = rejection.weight();
            }
        }
        after
    }

    /// Returns the number of rows in the file: exact at the end, estimated before.
    pub fn all_rows(&self) -> u64 {
        match self.phase {
            Phase::Done | Phase::Undoing | Phase::Undone => self.counts.total(),
            _ => self.expected_rows.max(self.counts.total()),
        }
    }

    /// Returns whether [`all_rows`](Self::all_rows) is an estimate.
    pub fn is_estimated(&self) -> bool {
        matches!(self.phase, Phase::Uploading | Phase::Ready | Phase::Running) && self.size > PART_BYTES
    }
}

/// Estimates the rows of the file from those in its first part.
fn expected_rows(head: &Head, part: &[u8], size: u64) -> u64 {
    let start = usize::try_from(head.data.offset).unwrap_or(usize::MAX);
    let window = part.get(start..).unwrap_or_default();
    let whole = part.len() as u64 == size;
    let all = Limits { rows: usize::MAX, bytes: usize::MAX };
    let batch = read_rows(&head.dialect, head.data, window, whole, all);
    let (rows, read) = (batch.rows.len() as u64, batch.consumed as u64);
    match (whole, read) {
        (true, _) => rows,
        // The first row is longer than the part.
        (false, 0) => 1,
        (false, _) => rounded(rows * (size - head.data.offset) / read),
    }
}

/// Rounds an estimate to two digits.
fn rounded(rows: u64) -> u64 {
    let unit = 10_u64.pow(rows.checked_ilog10().unwrap_or_default().saturating_sub(1));
    rows.saturating_add(unit / 2) / unit * unit
}

/// Returns a file's name without folders, which some browsers send, and without control characters, truncated
/// to what a page shows.
fn shown_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let name = name.trim();
    if name.is_empty() { "contacts.csv".to_owned() } else { name.to_owned() }
}
