//! Imports: their phases, their progress and their counts. Pure: time and ids are arguments.
//!
//! Invariants: the parts of a file arrive in order, and each has the length that its number implies. The
//! cursor and the counts change together.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ImportError;
use super::file::{Cursor, FileError, Head, Limits, Row, read_rows};
use super::mapping::Mapping;
use crate::base::identity::{AccountId, SignedIn};
use crate::base::values::{Version, time_ordered_id};
use crate::imports::limits::{MAX_COLUMNS, MAX_FILE_BYTES};

/// The length of a part of a file in bytes, except the last part. An item in DynamoDB holds 400 KB.
pub const PART_BYTES: u64 = 320 * 1024;

/// The most bytes in one file of rejected rows, as estimated by [`Rejection::weight`]: a response of Lambda
/// has at most 6 MB.
pub const REJECTED_FILE_BYTES: u64 = 2 * 1024 * 1024;
/// The most bytes of a rejected row's cells that are stored.
const KEPT_ROW_BYTES: usize = 64 * 1024;
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
}

/// The numbers of rows processed so far, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows that became leads.
    pub created: u64,
    /// Rows that were skipped because a lead already has their email address.
    pub skipped: u64,
    /// Rows that cannot become leads.
    pub rejected: u64,
}

impl Counts {
    /// Returns the number of processed rows.
    pub fn total(&self) -> u64 {
        self.created + self.skipped + self.rejected
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.created += more.created;
        self.skipped += more.skipped;
        self.rejected += more.rejected;
    }
}

/// A row that cannot become a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The row number that a spreadsheet shows; the header is row 1.
    pub row: u64,
    /// Why the row was rejected.
    pub reason: String,
    /// The cells, truncated if together they are longer than an item can hold.
    pub fields: Vec<String>,
}

impl Rejection {
    /// Creates the rejection of a row.
    pub fn of(row: &Row, reason: String) -> Self {
        let mut left = KEPT_ROW_BYTES;
        let cut = |field: &String| {
            let end = field.floor_char_boundary(left);
            left -= end;
            field.get(..end).unwrap_or_default().to_owned()
        };
        Self { row: row.number, reason, fields: row.fields.iter().map(cut).collect() }
    }

    /// Returns the most bytes that the row takes in the file of rejected rows. Every byte of a cell may be a
    /// quotation mark, which is written twice.
    pub fn weight(&self) -> u64 {
        let cells: usize = self.fields.iter().map(|field| 2 * field.len() + 4).sum();
        (cells + 2 * self.reason.len() + 32) as u64
    }
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The numbers of rows processed by this step.
    pub counts: Counts,
    /// The rejected rows, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// Where the next step begins.
    pub next: Cursor,
    /// Whether the end of the file is reached.
    pub finished: bool,
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
    pub stage: Phase,
    /// Starts at 1 and increases by 1 with every change.
    pub version: Version,
    /// How many parts of the file have arrived.
    pub parts: u32,
    /// The format and the header of the file, known from the first part on.
    pub head: Option<Head>,
    /// The number of rows in the file, estimated from the first part.
    pub expected_rows: u64,
    /// The meaning of each column, once a person has chosen it.
    pub mapping: Option<Mapping>,
    /// Where the next step begins.
    pub cursor: Option<Cursor>,
    /// The numbers of rows processed so far.
    pub counts: Counts,
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
            stage: Phase::Uploading,
            version: Version::FIRST,
            parts: 0,
            head: None,
            expected_rows: 0,
            mapping: None,
            cursor: None,
            counts: Counts::default(),
            rejected_files: Vec::new(),
            rejected_bytes: 0,
        })
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

    /// Returns the import with its next part. The first part shows whether the file can be imported at all.
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
        if number == 0 {
            let whole = found == self.size;
            let head = Head::detect(bytes, whole)?;
            if head.dialect.columns > MAX_COLUMNS {
                return Err(ImportError::TooManyColumns(head.dialect.columns));
            }
            after.expected_rows = expected_rows(&head, bytes, self.size);
            after.head = Some(head);
        }
        if after.parts == self.all_parts() {
            after.stage = Phase::Ready;
        }
        Ok(after)
    }

    /// Returns the import as started with this mapping. An import that has already been started is returned
    /// unchanged.
    ///
    /// # Errors
    /// [`super::mapping::MappingError`] if the mapping does not fit the file, or [`ImportError::NotStarted`]
    /// if the file is not complete.
    pub fn started(&self, slugs: &[String]) -> Result<Self, ImportError> {
        let Some(head) = self.head.as_ref().filter(|_| self.stage != Phase::Uploading) else {
            return Err(ImportError::NotStarted);
        };
        if self.stage != Phase::Ready {
            return Ok(self.clone());
        }
        let mapping = Mapping::from_slugs(slugs, head.headers.len())?;
        Ok(Self {
            stage: Phase::Running,
            version: self.version.next(),
            mapping: Some(mapping),
            cursor: Some(head.data),
            ..self.clone()
        })
    }

    /// Returns the import after a step.
    pub fn advanced(&self, step: &Step) -> Self {
        let mut after = Self {
            stage: if step.finished { Phase::Done } else { Phase::Running },
            version: self.version.next(),
            cursor: Some(step.next),
            ..self.clone()
        };
        after.counts += step.counts;
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
        match self.stage {
            Phase::Done => self.counts.total(),
            _ => self.expected_rows.max(self.counts.total()),
        }
    }

    /// Returns whether [`all_rows`](Self::all_rows) is an estimate.
    pub fn is_estimated(&self) -> bool {
        self.stage != Phase::Done && self.size > PART_BYTES
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
    if whole || read == 0 { rows } else { rounded(rows * (size - head.data.offset) / read) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn import(size: u64) -> Import {
        let owner = serde_json::from_value(serde_json::json!(uuid::Uuid::nil())).unwrap();
        let id = ImportId::new(Timestamp::UNIX_EPOCH, &[7; 10]);
        Import::begin(id, "C:\\mine\\a.csv", size, owner, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn file(bytes: usize) -> Vec<u8> {
        let rows = "Ann,ann@example.com\n".bytes().cycle();
        "name,email\n".bytes().chain(rows).take(bytes).collect()
    }

    #[test]
    fn parts_arrive_in_order_and_the_last_makes_the_import_ready() {
        let bytes = file(PART_BYTES as usize + 9);
        let (first, second) = bytes.split_at(PART_BYTES as usize);
        let before = import(bytes.len() as u64);
        assert!(matches!(before.with_part(1, second), Err(ImportError::PartOutOfOrder { expected: 0 })));
        assert!(matches!(before.with_part(0, second), Err(ImportError::PartLength { found: 9, .. })));
        let half = before.with_part(0, first).unwrap();
        assert_eq!((half.stage, half.parts, half.version.get()), (Phase::Uploading, 1, 2));
        assert!(half.is_estimated() && half.expected_rows == 16_000, "{}", half.expected_rows);
        assert!(matches!(half.with_part(0, first), Err(ImportError::PartOutOfOrder { expected: 1 })));
        let whole = half.with_part(1, second).unwrap();
        assert_eq!(whole.stage, Phase::Ready);
        assert!(matches!(whole.with_part(2, b""), Err(ImportError::PartOutOfOrder { .. })));
    }

    #[test]
    fn a_file_that_cannot_be_imported_is_rejected_at_its_first_part() {
        let workbook = b"PK\x03\x04....";
        let refusal = import(8).with_part(0, workbook).unwrap_err();
        assert!(refusal.to_string().contains("workbook"), "{refusal}");
        let wide = format!("{}\n1\n", "a,".repeat(MAX_COLUMNS));
        let refusal = import(wide.len() as u64).with_part(0, wide.as_bytes()).unwrap_err();
        assert!(refusal.to_string().contains("501 columns"), "{refusal}");
    }

    #[test]
    fn an_import_starts_once_and_only_with_a_valid_mapping() {
        let bytes = file(51);
        let slugs = ["full-name", "email"].map(str::to_owned);
        let before = import(51);
        assert!(matches!(before.started(&slugs), Err(ImportError::NotStarted)));
        let ready = before.with_part(0, &bytes).unwrap();
        assert_eq!((ready.expected_rows, ready.is_estimated()), (2, false));
        assert!(matches!(ready.started(&slugs[..1]), Err(ImportError::Mapping(_))));
        let running = ready.started(&slugs).unwrap();
        assert_eq!((running.stage, running.cursor.map(|cursor| cursor.offset)), (Phase::Running, Some(11)));
        assert_eq!(running.started(&[]).unwrap(), running);
    }

    #[test]
    fn rejected_rows_are_split_into_files_that_fit_a_response() {
        let fields = vec!["x".repeat(100_000), "y".repeat(5)];
        let row = Row { number: 2, line: 2, span: 0..1, fields, fault: None };
        let rejection = Rejection::of(&row, "No.".to_owned());
        assert_eq!(rejection.fields.iter().map(String::len).collect::<Vec<_>>(), [KEPT_ROW_BYTES, 0]);
        let rejections: Vec<Rejection> = (2..40).map(|row| Rejection { row, ..rejection.clone() }).collect();
        let next = Cursor { offset: 1, row: 40, line: 40, skipping: false };
        let step = Step { counts: Counts::default(), rejections, next, finished: true };
        let after = import(1).advanced(&step);
        assert_eq!(after.rejected_files, [17, 32]);
        assert!(after.rejected_bytes <= REJECTED_FILE_BYTES);
    }

    #[test]
    fn estimates_are_rounded_to_two_digits() {
        let rounded: Vec<u64> = [0, 7, 99, 104, 105, 2_987, 50_400].map(rounded).to_vec();
        assert_eq!(rounded, [0, 7, 99, 100, 110, 3_000, 50_000]);
    }

    #[test]
    fn a_file_name_is_shown_without_folders_or_control_characters() {
        assert_eq!(import(1).file_name, "a.csv");
        assert_eq!(shown_name("/tmp/\u{7}"), "contacts.csv");
        assert_eq!(shown_name(&"é".repeat(300)).chars().count(), 100);
    }
}
