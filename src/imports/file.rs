//! Reads an uploaded CSV file piece by piece, from any byte offset.
//!
//! Invariants:
//! - The `csv` crate determines the structure from bytes, independently of the encoding. Each cell is decoded
//!   separately: as UTF-8 if it is valid UTF-8, otherwise as Windows-1252. White space around a cell is
//!   removed.
//! - Reading a file in windows of any size gives the same rows as reading it in one go.
//! - A window of [`MIN_WINDOW_BYTES`] is always enough to make progress, so the memory of a step does not
//!   grow with the file.
//! - No row is lost silently: a row that cannot be read becomes a [`Row`] with a [`RowFault`]. An open
//!   quotation mark costs one line, not the rest of the file.
//! - Rows have the numbers that a spreadsheet shows: the header is row 1 and the first data row is row 2.
//!   Blank lines are counted but not returned. A row with a cell of several lines counts once.

use std::ops::Range;

use csv::ByteRecord;
use encoding_rs::WINDOWS_1252;
use serde::{Deserialize, Serialize};

pub use head::{Dialect, Encoding, FileError, HEAD_BYTES, Head};

mod head;
#[cfg(test)]
mod tests;

/// The longest row, in bytes without its line ending. A longer row is rejected as [`RowFault::TooLong`].
pub const MAX_ROW_BYTES: usize = 64 * 1024;

/// A window of this many bytes always contains a whole row, or enough of it to reject it.
pub const MIN_WINDOW_BYTES: usize = MAX_ROW_BYTES + PAST_ROW;

/// The length of a line ending and the byte after it, which together prove that a row is complete.
const PAST_ROW: usize = 3;

/// How many bytes of an unreadable row are kept, so that a person can recognize it.
const FAULT_BYTES: usize = 4 * 1024;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// Why one row cannot be read. The rows after it can be read. The messages are shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// The row is longer than [`MAX_ROW_BYTES`].
    #[error(
        "The row is longer than 64 KiB. Look for a quotation mark that was opened and never closed, or shorten the row."
    )]
    TooLong,
    /// A quoted cell is not closed, or is closed only by a quotation mark that belongs to a later line.
    #[error("A quotation mark opens a cell in this row and is not closed. Close it, or remove it.")]
    OpenQuote,
    /// The row has more cells than the header.
    #[error(
        "The row has {found} cells, but the header has {expected}. Put quotation marks around a cell that contains the separator."
    )]
    TooManyCells {
        /// The number of cells in this row, up to the last one that is not blank.
        found: usize,
        /// The number of columns in the header.
        expected: usize,
    },
    /// The row contains a NUL byte.
    #[error("The row contains a NUL character, which is not text. Remove it.")]
    NulByte,
}

/// The position at which reading continues. It is stored between the steps of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The byte offset in the file, at which the next window begins.
    pub offset: u64,
    /// The number of the next row.
    pub row: u64,
    /// The number of the next line, counted from 1.
    pub line: u64,
    /// Whether the offset is inside a rejected row, whose line must be skipped first.
    pub skipping: bool,
}

/// The limits of one step. A step ends after the row that reaches either limit, and reads at least one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The number of rows, including rejected rows but not blank lines.
    pub rows: usize,
    /// The number of bytes.
    pub bytes: usize,
}

/// One data row that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row number that a spreadsheet shows: the header is row 1, the first data row is row 2.
    pub number: u64,
    /// The line of the file on which the row begins, counted from 1.
    pub line: u64,
    /// The byte range of the row in the file, without its line ending.
    pub span: Range<u64>,
    /// The cells, decoded and without white space around them. There may be fewer cells than columns. If the
    /// row is too long or has an open quotation mark, these are the cells of its first line, cut after 4 KiB.
    pub fields: Vec<String>,
    /// Why the row must be rejected, if it must.
    pub fault: Option<RowFault>,
}

impl Row {
    /// Returns the position of this row. Reading one row from there gives this row again, so a rejected row
    /// can be shown later without being stored.
    pub fn cursor(&self) -> Cursor {
        Cursor { offset: self.span.start, row: self.number, line: self.line, skipping: false }
    }
}

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The rows in the order of the file, including rejected ones.
    pub rows: Vec<Row>,
    /// How many bytes of the window were read.
    pub consumed: usize,
    /// Where the next step begins.
    pub next: Cursor,
    /// Whether the end of the file is reached.
    pub finished: bool,
}

/// Reads complete rows from a window of the file that begins at `cursor.offset`. `at_end` says that the
/// window extends to the end of the file.
///
/// A row that is cut by the end of the window is left for the next call, whose window begins at the new
/// cursor. A window makes progress if it has at least [`MIN_WINDOW_BYTES`] or extends to the end of the file.
/// At the end of the file, read until [`Batch::finished`].
pub fn read_rows(dialect: &Dialect, cursor: Cursor, window: &[u8], at_end: bool, limits: Limits) -> Batch {
    read_rows_up_to(MAX_ROW_BYTES, dialect, cursor, window, at_end, limits)
}

/// Works like [`read_rows`] with another maximum row length, so that tests reach every edge with small files.
fn read_rows_up_to(
    row_bytes: usize,
    dialect: &Dialect,
    cursor: Cursor,
    window: &[u8],
    at_end: bool,
    limits: Limits,
) -> Batch {
    let mut scan = Scan {
        dialect,
        window,
        at_end,
        limits,
        row_bytes,
        base: cursor.offset,
        pos: 0,
        row: cursor.row,
        line: cursor.line,
        skipping: cursor.skipping,
        rows: Vec::new(),
    };
    scan.run();
    let offset = cursor.offset + scan.pos as u64;
    Batch {
        consumed: scan.pos,
        next: Cursor { offset, row: scan.row, line: scan.line, skipping: scan.skipping },
        finished: at_end && scan.pos == window.len(),
        rows: scan.rows,
    }
}

/// The state of one call of [`read_rows`]. `pos` is always at the start of a row or of a blank line, or
/// inside a rejected line while `skipping`.
struct Scan<'a> {
    dialect: &'a Dialect,
    window: &'a [u8],
    at_end: bool,
    limits: Limits,
    row_bytes: usize,
    base: u64,
    pos: usize,
    row: u64,
    line: u64,
    skipping: bool,
    rows: Vec<Row>,
}

impl Scan<'_> {
    fn run(&mut self) {
        if self.skipping && !self.skip_line() {
            return;
        }
        while !self.is_full() && self.skip_blank_lines() {
            // Joined files have a byte order mark in the middle, which is not text.
            if self.rest().starts_with(UTF8_BOM) {
                self.pos += UTF8_BOM.len();
            } else if !self.read_slice() {
                return;
            }
        }
    }

    /// Reads rows from a slice that is just long enough for the longest row, so that an open quotation mark
    /// costs no more than that. Returns whether there is more to read in the window.
    fn read_slice(&mut self) -> bool {
        let start = self.pos;
        let end = self.window.len().min(start + self.row_bytes + PAST_ROW);
        let last = self.at_end && end == self.window.len();
        let slice = self.window.get(start..end).unwrap_or_default();
        let mut reader = self.dialect.reader(slice);
        let mut record = ByteRecord::new();
        // Reading bytes from memory into a record of any length cannot fail.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            let stop = start + reader.position().byte() as usize;
            if stop == end && !last {
                break;
            }
            let in_step = self.accept(&record, stop);
            if !in_step || self.is_full() {
                return true;
            }
            if !self.skip_blank_lines() || self.rest().starts_with(UTF8_BOM) {
                return self.pos < self.window.len();
            }
        }
        // The end of the slice cuts the row at `pos`.
        if self.pos == start && slice.len() == self.row_bytes + PAST_ROW {
            self.reject_line(RowFault::TooLong);
            return true;
        }
        self.pos > start && end < self.window.len()
    }

    /// Accepts the record that `csv` read from `pos` to `stop`. Returns `false` if the row was rejected, and
    /// reading continues at the line after its first line.
    fn accept(&mut self, record: &ByteRecord, stop: usize) -> bool {
        let raw = self.window.get(self.pos..stop).unwrap_or_default();
        let content = without_break(raw);
        if content.len() > self.row_bytes {
            self.reject_line(RowFault::TooLong);
            return false;
        }
        if leaves_quote_open(content, self.dialect.delimiter) {
            self.reject_line(RowFault::OpenQuote);
            return false;
        }
        let fields: Vec<String> = record.iter().map(decode).collect();
        if let Some(last) = fields.iter().rposition(|field| !field.is_empty()) {
            let fault = if content.contains(&0) {
                Some(RowFault::NulByte)
            } else if last >= self.dialect.columns {
                Some(RowFault::TooManyCells { found: last + 1, expected: self.dialect.columns })
            } else {
                None
            };
            self.push(content.len(), fields, fault);
        }
        self.row += 1;
        self.line += line_breaks(raw);
        self.pos = stop;
        // `csv` may stop between the two bytes of a line ending.
        if raw.ends_with(b"\r") && self.rest().starts_with(b"\n") {
            self.pos += 1;
        }
        true
    }

    /// Rejects the row at `pos` and continues at the next line, regardless of quotation marks.
    fn reject_line(&mut self, fault: RowFault) {
        let rest = self.rest();
        let line = rest.get(..self.row_bytes).unwrap_or(rest);
        let line = line.split(|&byte| is_break(byte)).next().unwrap_or_default();
        let mut record = ByteRecord::new();
        // This cannot fail either. Without cells, the row would still be reported.
        let _ = self.dialect.reader(truncated(line)).read_byte_record(&mut record);
        let fields = record.iter().map(decode).collect();
        self.push(line.len(), fields, Some(fault));
        self.row += 1;
        self.skipping = true;
        self.skip_line();
    }

    fn push(&mut self, len: usize, fields: Vec<String>, fault: Option<RowFault>) {
        let start = self.base + self.pos as u64;
        let span = start..start + len as u64;
        let (number, line) = (self.row, self.line);
        self.rows.push(Row { number, line, span, fields, fault });
    }

    /// Skips to the next line. Returns whether its start is in this window.
    fn skip_line(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| is_break(byte)).unwrap_or(rest.len());
        self.pos += length;
        let found = match self.break_len() {
            Some(0) | None => false,
            Some(length) => {
                self.pos += length;
                self.line += 1;
                true
            }
        };
        self.skipping = !found && !self.at_end;
        found
    }

    /// Skips blank lines and counts them. Returns whether a row begins in this window.
    fn skip_blank_lines(&mut self) -> bool {
        while let Some(length) = self.break_len() {
            if length == 0 {
                return self.pos < self.window.len();
            }
            self.pos += length;
            self.row += 1;
            self.line += 1;
        }
        false
    }

    /// Returns the length of the line ending at `pos` (LF, CR LF or CR), or `None` if only the next window
    /// can tell.
    fn break_len(&self) -> Option<usize> {
        match self.rest() {
            [b'\r', b'\n', ..] => Some(2),
            [b'\r'] if !self.at_end => None,
            [b'\r' | b'\n', ..] => Some(1),
            _ => Some(0),
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.limits.rows.max(1) || (!self.rows.is_empty() && self.pos >= self.limits.bytes)
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.pos..).unwrap_or_default()
    }
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Removes the line ending that `csv` read with a record.
fn without_break(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

/// Counts line endings of any kind.
fn line_breaks(raw: &[u8]) -> u64 {
    let ends = raw.iter().filter(|&&byte| is_break(byte)).count();
    let pairs = raw.windows(2).filter(|pair| pair == b"\r\n").count();
    (ends - pairs) as u64
}

/// Returns whether a quoted cell of a record is never closed, or is closed only by a quotation mark on a
/// later line with text after it. In the second case that mark opened its own cell, and `csv`, which is
/// lenient, has swallowed the rows between. The states are the same as those of `csv`.
fn leaves_quote_open(content: &[u8], delimiter: u8) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Start,
        Plain,
        Quoted,
        Closed,
        Padded,
    }
    let mut state = State::Start;
    let mut spans_lines = false;
    for &byte in content {
        state = match (state, byte) {
            (State::Quoted, b'"') => State::Closed,
            (State::Quoted, _) => {
                spans_lines |= is_break(byte);
                State::Quoted
            }
            (State::Closed, b'"') => State::Quoted,
            (_, byte) if byte == delimiter => State::Start,
            (State::Start, b'"') => {
                spans_lines = false;
                State::Quoted
            }
            (State::Closed | State::Padded, b' ' | b'\t') => State::Padded,
            (State::Closed | State::Padded, _) if spans_lines => return true,
            _ => State::Plain,
        };
    }
    state == State::Quoted
}

/// Truncates a line that is too long to keep, at a character boundary.
fn truncated(line: &[u8]) -> &[u8] {
    let mut end = line.len().min(FAULT_BYTES);
    let continues = |at: usize| line.get(at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    for _ in 0..3 {
        if continues(end) {
            end -= 1;
        }
    }
    line.get(..end).unwrap_or(line)
}

/// Decodes a cell. Removes white space around it, including the no-break and zero-width spaces of web pages.
fn decode(cell: &[u8]) -> String {
    let decoded = match std::str::from_utf8(cell) {
        Ok(text) => text.into(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(cell).0,
    };
    let is_space = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}');
    decoded.trim_matches(is_space).to_owned()
}
