//! Reads an uploaded CSV file piece by piece: its rows from any byte offset, and how it is written.
//!
//! What always holds:
//! - Structure is decided on bytes by the `csv` crate and never depends on the encoding; each cell is decoded
//!   on its own, as UTF-8 if it is valid UTF-8 and as Windows-1252 if not, and stripped of white space.
//! - A file read in windows of any sizes gives the same rows as the same file read in one go.
//! - A window of [`MIN_WINDOW_BYTES`] always suffices to go on, so a step's memory does not grow with the file.
//! - No row is lost silently: what cannot be read is a [`Row`] with a [`RowFault`]. An open quotation mark
//!   costs its own line, not the rest of the file.
//! - Rows are numbered as a spreadsheet shows them: the header is row 1 and the first data row is row 2. Blank
//!   lines are not delivered but counted; a row whose cell spans several lines counts once.

use std::ops::Range;

use csv::ByteRecord;
use encoding_rs::WINDOWS_1252;
use serde::{Deserialize, Serialize};

pub use head::{Dialect, Encoding, FileError, HEAD_BYTES, Head};

mod head;
#[cfg(test)]
mod tests;

/// The longest row, in bytes without its line ending; a longer one is rejected as [`RowFault::TooLong`].
pub const MAX_ROW_BYTES: usize = 64 * 1024;

/// A window of this many bytes always holds a whole row, or enough of it to reject it.
pub const MIN_WINDOW_BYTES: usize = MAX_ROW_BYTES + PAST_ROW;

/// A line ending and the byte after it, which together prove that a row is complete.
const PAST_ROW: usize = 3;

/// How much of a row that cannot be read is kept in its cells, so that a person can recognise it.
const FAULT_BYTES: usize = 4 * 1024;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// Why one row cannot be read; the rows after it can. The messages are made to be shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// The row is longer than [`MAX_ROW_BYTES`].
    #[error(
        "The row is longer than 64 KiB. Look for a quotation mark that was opened and never closed, or shorten the row."
    )]
    TooLong,
    /// A quoted cell is not closed, or only by a quotation mark that belongs to a later line.
    #[error("A quotation mark opens a cell in this row and is not closed. Close it, or remove it.")]
    OpenQuote,
    /// There are cells to the right of the header's last column.
    #[error(
        "The row has {found} cells, but the header has {expected}. Put quotation marks around a cell that contains the separator."
    )]
    TooManyCells {
        /// The number of cells in this row, up to its last one that is not blank.
        found: usize,
        /// The number of columns in the header.
        expected: usize,
    },
    /// The row holds a NUL byte.
    #[error("The row contains a NUL character, which is not text. Remove it.")]
    NulByte,
}

/// Where reading goes on: kept between the steps of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The byte offset in the file; the next window begins with this byte.
    pub offset: u64,
    /// The number that the next row will have.
    pub row: u64,
    /// The number of the next line, counted from 1.
    pub line: u64,
    /// The offset lies inside a row that was rejected, whose line must be skipped first.
    pub skipping: bool,
}

/// How much one step reads: it ends after the row with which either is reached, and reads at least one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows, with those that are rejected and without blank ones.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
}

/// One row of data that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row as a spreadsheet shows it: the header is row 1, the first data row is row 2.
    pub number: u64,
    /// The line of the file on which the row begins, counted from 1.
    pub line: u64,
    /// The row's bytes in the file, without its line ending.
    pub span: Range<u64>,
    /// The cells, decoded and without white space around them; there may be fewer than columns. Of a row that
    /// is too long or has an open quotation mark, the cells of its first line, cut after 4 KiB.
    pub fields: Vec<String>,
    /// Why the row must be rejected, if it must.
    pub fault: Option<RowFault>,
}

impl Row {
    /// Where this row begins: reading one row from here gives this row again, so that a rejected row can be
    /// shown later without being stored.
    pub fn cursor(&self) -> Cursor {
        Cursor { offset: self.span.start, row: self.number, line: self.line, skipping: false }
    }
}

/// What one step has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The rows, in the file's order, those to be rejected among them.
    pub rows: Vec<Row>,
    /// How many bytes of the window are done with.
    pub consumed: usize,
    /// Where the next step begins.
    pub next: Cursor,
    /// Nothing is left in the file.
    pub finished: bool,
}

/// Reads complete rows from a window of the file that begins at `cursor.offset`. `at_end` says that the window
/// reaches to the end of the file.
///
/// A row that the window's end cuts off is left for the next call, with a window that begins at the new cursor.
/// A window of [`MIN_WINDOW_BYTES`] or more, and one that reaches to the end of the file, always gets on. At the
/// end of the file, read until [`Batch::finished`].
pub fn read_rows(dialect: &Dialect, cursor: Cursor, window: &[u8], at_end: bool, limits: Limits) -> Batch {
    read_rows_up_to(MAX_ROW_BYTES, dialect, cursor, window, at_end, limits)
}

/// [`read_rows`] with another longest row, so that tests reach every edge with small files.
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

/// One call of [`read_rows`] at work. `pos` always stands at the start of a row or of a blank line, or inside a
/// rejected line while `skipping`.
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
            // Files that were joined have a byte order mark in the middle; it is no text either.
            if self.rest().starts_with(UTF8_BOM) {
                self.pos += UTF8_BOM.len();
            } else if !self.read_chunk() {
                return;
            }
        }
    }

    /// Reads rows from a chunk just long enough for the longest row, so that an open quotation mark costs no
    /// more than that. Says whether there is more to read in the window.
    fn read_chunk(&mut self) -> bool {
        let start = self.pos;
        let end = self.window.len().min(start + self.row_bytes + PAST_ROW);
        let last = self.at_end && end == self.window.len();
        let chunk = self.window.get(start..end).unwrap_or_default();
        let mut reader = self.dialect.reader(chunk);
        let mut record = ByteRecord::new();
        // Reading bytes from memory into a record of any length has no way to fail.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            let stop = start + reader.position().byte() as usize;
            if stop == end && !last {
                break;
            }
            let in_step = self.take(&record, stop);
            if !in_step || self.is_full() {
                return true;
            }
            if !self.skip_blank_lines() || self.rest().starts_with(UTF8_BOM) {
                return self.pos < self.window.len();
            }
        }
        // The chunk's end has cut the row at `pos`.
        if self.pos == start && chunk.len() == self.row_bytes + PAST_ROW {
            self.reject_line(RowFault::TooLong);
            return true;
        }
        self.pos > start && end < self.window.len()
    }

    /// Takes the record that `csv` read from `pos` to `stop`. Says whether reading can go on after it; if not,
    /// the row was rejected and reading goes on at the line after its first.
    fn take(&mut self, record: &ByteRecord, stop: usize) -> bool {
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
        self.line += breaks(raw);
        self.pos = stop;
        // `csv` may stop between the two bytes of a line ending.
        if raw.ends_with(b"\r") && self.rest().starts_with(b"\n") {
            self.pos += 1;
        }
        true
    }

    /// Rejects the row at `pos` and goes on at the next line, whatever quotation marks say.
    fn reject_line(&mut self, fault: RowFault) {
        let rest = self.rest();
        let line = rest.get(..self.row_bytes).unwrap_or(rest);
        let line = line.split(|&byte| is_break(byte)).next().unwrap_or_default();
        let mut record = ByteRecord::new();
        // As above, this cannot fail; without cells the row would still be reported.
        let _ = self.dialect.reader(cut(line)).read_byte_record(&mut record);
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

    /// Skips to the next line. Says whether its start was found in this window.
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

    /// Skips blank lines and counts them. Says whether a row begins in this window.
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

    /// The length of the line ending at `pos`: LF, CR LF or CR; none if only the next window can tell.
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

/// A record without the line ending that `csv` has read with it.
fn without_break(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

/// The number of line endings, of any kind.
fn breaks(raw: &[u8]) -> u64 {
    let ends = raw.iter().filter(|&&byte| is_break(byte)).count();
    let pairs = raw.windows(2).filter(|pair| pair == b"\r\n").count();
    (ends - pairs) as u64
}

/// Says whether a quoted cell of a record is never closed, or only by a quotation mark on a later line with text
/// behind it: then that mark has opened a cell of its own, and `csv`, which is lenient, has swallowed the rows
/// between. Its states are those of `csv`.
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

/// The beginning of a line that is too long to keep, without half a character at its end.
fn cut(line: &[u8]) -> &[u8] {
    let mut end = line.len().min(FAULT_BYTES);
    let continues = |at: usize| line.get(at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    for _ in 0..3 {
        if continues(end) {
            end -= 1;
        }
    }
    line.get(..end).unwrap_or(line)
}

/// A cell as text. White space around it goes, with the no-break and zero-width spaces of web pages.
fn decode(cell: &[u8]) -> String {
    let decoded = match std::str::from_utf8(cell) {
        Ok(text) => text.into(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(cell).0,
    };
    let is_space = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}');
    decoded.trim_matches(is_space).to_owned()
}
