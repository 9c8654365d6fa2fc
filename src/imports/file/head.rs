//! The format and the header of a file.
//!
//! Invariants: the error for a refused file says what is wrong and what to do.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::dialect::{DELIMITERS, Dialect, Encoding};
use super::error::FileError;
use super::row::{Cursor, Limits};
use super::scan::read_rows;
use super::sniff::{Sample, escapes_quotes, separator_line};
use super::text::UTF8_BOM;
use super::utf16;
use super::workbook::is_archive;

/// The format and the header of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format of the file.
    pub dialect: Dialect,
    /// The names of the columns, as in the file. Some may be empty.
    pub headers: Vec<String>,
    /// Where the data begins.
    pub data: Cursor,
    /// Where the header row begins.
    #[serde(default)]
    pub header: Cursor,
    /// Whether that row looks like a header. If not, it is probably data: see [`Head::without_header`].
    #[serde(default = "yes")]
    pub headers_likely: bool,
    /// The number of cells in the widest of the first rows.
    #[serde(default)]
    pub widest: usize,
}

fn yes() -> bool {
    true
}

impl Head {
    /// Detects the format of a file from its beginning. `whole` says that `head` is the whole file. `known` says
    /// whether a cell is a known header.
    ///
    /// The delimiter is the one with which the first rows look most like a table. The header is the row among
    /// the first twenty that looks most like one, so that titles above it are skipped.
    ///
    /// # Errors
    /// A [`FileError`] if the file cannot be imported.
    pub fn detect(head: &[u8], whole: bool, known: &dyn Fn(&str) -> bool) -> Result<Self, FileError> {
        if is_archive(head) {
            return Err(FileError::Workbook);
        }
        let (encoding, bom_len) = utf16::sniff(head).unwrap_or_else(|| utf8_or_windows(head, whole));
        let bytes = head.get(bom_len..).unwrap_or_default();
        let text = match encoding.is_utf16() {
            true => Cow::Owned(utf16::decode(bytes, encoding, whole).into_bytes()),
            false => Cow::Borrowed(bytes),
        };
        reject_nul(&text, encoding, bom_len)?;
        let escape = escapes_quotes(&text);
        let dialect = Dialect { delimiter: b',', encoding, bom_len, columns: usize::MAX, escape };
        let start = Cursor { offset: bom_len as u64, ..Cursor::default() };
        let (start, delimiters) = match separator_line(&text) {
            None => (start, DELIMITERS.to_vec()),
            Some((delimiter, length)) => {
                let length = if encoding.is_utf16() { 2 * length } else { length };
                let offset = start.offset + length as u64;
                (Cursor { offset, line: 2, ..start }, vec![delimiter])
            }
        };
        let sample = Sample::best(dialect, &delimiters, (start, from(head, start)), whole, known);
        Self::of(sample.ok_or(FileError::Empty)?, head, whole)
    }

    fn of(sample: Sample, head: &[u8], whole: bool) -> Result<Self, FileError> {
        let Sample { rows, header, is_header, next, is_blank, .. } = sample;
        let Some(row) = rows.get(header) else {
            return Err(if is_blank {
                FileError::Empty
            } else {
                FileError::EndlessHeader { line: next.line }
            });
        };
        if let Some(fault) = row.fault.clone() {
            return Err(FileError::Header { line: row.line, fault });
        }
        let dialect = Dialect { columns: row.fields.len(), ..sample.dialect };
        let one = Limits { rows: 1, bytes: usize::MAX };
        let below = |cursor| read_rows(&dialect, cursor, from(head, cursor), whole, one);
        let data = below(row.cursor()).next;
        if whole && is_header && below(data).rows.is_empty() {
            return Err(FileError::HeaderOnly);
        }
        let readable = rows.iter().filter(|row| row.fault.is_none());
        Ok(Self {
            dialect,
            headers: row.fields.clone(),
            data,
            header: row.cursor(),
            headers_likely: is_header,
            widest: readable.map(|row| row.fields.len()).max().unwrap_or_default(),
        })
    }

    /// Returns the head of the same file without a header row: the row that was taken for it is the first data
    /// row, and the columns are named “Column 1”, “Column 2” and so on.
    pub fn without_header(&self) -> Self {
        let columns = self.widest.max(self.headers.len());
        Self {
            dialect: Dialect { columns, ..self.dialect },
            headers: (1..=columns).map(|number| format!("Column {number}")).collect(),
            data: self.header,
            headers_likely: false,
            ..*self
        }
    }
}

/// Returns the bytes from a cursor on.
fn from(bytes: &[u8], cursor: Cursor) -> &[u8] {
    usize::try_from(cursor.offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default()
}

/// Returns the probable encoding and the length of the byte order mark of a file that is not in UTF-16.
fn utf8_or_windows(head: &[u8], whole: bool) -> (Encoding, usize) {
    let bom_len = if head.starts_with(UTF8_BOM) { UTF8_BOM.len() } else { 0 };
    let encoding = match std::str::from_utf8(head) {
        Ok(_) => Encoding::Utf8,
        // The end of the head may have cut a character.
        Err(error) if error.error_len().is_none() && !whole => Encoding::Utf8,
        Err(_) => Encoding::Windows1252,
    };
    (encoding, bom_len)
}

fn reject_nul(text: &[u8], encoding: Encoding, bom_len: usize) -> Result<(), FileError> {
    let Some(at) = text.iter().position(|&byte| byte == 0) else { return Ok(()) };
    let before = text.get(..at).unwrap_or_default();
    let at = match encoding.is_utf16() {
        true => 2 * String::from_utf8_lossy(before).encode_utf16().count(),
        false => at,
    };
    Err(FileError::NotText { at: bom_len + at + 1 })
}
