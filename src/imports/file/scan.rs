//! Reads the rows of a window of the file.
//!
//! Invariants: later rows affect a row only until its quoted cell may close. The cursor stores that row, so each byte
//! is read a limited number of times.

use super::dialect::Dialect;
use super::quotes::{Found, Quotes, read_row};
use super::row::{Batch, Cursor, Limits, Marks, Row, RowFault, RowWarning};
use super::text::{UTF8_BOM, decode, find_break, is_break, line_breaks};
use super::utf16::{self, Positions};

/// How long a first window should be. A whole row may need more: see [`Batch::stalled`].
pub const WINDOW_BYTES: usize = 64 * 1024;

/// How many bytes in UTF-16 are decoded at once, unless a row is longer.
const DECODED_BYTES: usize = 32 * 1024;

/// Reads complete rows from a window of the file that begins at `cursor.offset`. `at_end` says that the
/// window extends to the end of the file.
///
/// A row that is cut by the end of the window is left for the next call, whose window begins at the new
/// cursor. If nothing can be read, the batch is [stalled](Batch::stalled); a window that extends to the end of
/// the file never stalls. At the end of the file, read until [`Batch::finished`].
pub fn read_rows(dialect: &Dialect, cursor: Cursor, window: &[u8], at_end: bool, limits: Limits) -> Batch {
    if !dialect.encoding.is_utf16() {
        return Scan::of(dialect, cursor, window, at_end, limits).run();
    }
    let (mut batch, mut wanted) = (Batch::empty(cursor), DECODED_BYTES);
    loop {
        let rest = window.get(batch.consumed..).unwrap_or_default();
        let chunk = rest.get(..wanted).unwrap_or(rest);
        let is_rest = chunk.len() == rest.len();
        let left = Limits {
            rows: limits.rows.max(1).saturating_sub(batch.rows.len()),
            bytes: limits.bytes.saturating_sub(batch.consumed),
        };
        let part = read_utf16(dialect, batch.next, chunk, at_end && is_rest, left);
        wanted = if part.stalled { wanted.saturating_mul(2) } else { DECODED_BYTES };
        batch.append(part);
        if is_rest || batch.is_full(limits) {
            return batch;
        }
    }
}

/// Reads rows from a part of a window that is decoded at once.
fn read_utf16(dialect: &Dialect, cursor: Cursor, window: &[u8], at_end: bool, limits: Limits) -> Batch {
    let text = utf16::decode(window, dialect.encoding, at_end);
    let start = Cursor { offset: 0, ..cursor };
    let mut batch = Scan::of(dialect, start, text.as_bytes(), at_end, limits).run();
    let mut positions = Positions::of(&text);
    let mut in_file = |at: u64| positions.in_file(usize::try_from(at).unwrap_or(usize::MAX));
    for row in &mut batch.rows {
        let (start, end) = (in_file(row.span.start), in_file(row.span.end));
        row.span = cursor.offset + start as u64..cursor.offset + end as u64;
    }
    batch.consumed = if batch.finished { window.len() } else { in_file(batch.next.offset) };
    batch.next.offset = cursor.offset + batch.consumed as u64;
    batch
}

impl Batch {
    fn empty(next: Cursor) -> Self {
        Self { rows: Vec::new(), consumed: 0, next, finished: false, stalled: true }
    }

    fn append(&mut self, more: Self) {
        self.rows.extend(more.rows);
        self.consumed += more.consumed;
        self.next = more.next;
        self.finished = more.finished;
        self.stalled &= more.stalled;
    }

    fn is_full(&self, limits: Limits) -> bool {
        is_full(self.rows.len(), self.consumed, limits)
    }
}

fn is_full(rows: usize, bytes: usize, limits: Limits) -> bool {
    rows >= limits.rows.max(1) || (rows > 0 && bytes >= limits.bytes)
}

/// A walk over the rows of a text. `pos` is always at the start of a row or of a blank line.
#[derive(Clone, Copy)]
struct Walk<'a> {
    dialect: &'a Dialect,
    text: &'a [u8],
    at_end: bool,
    pos: usize,
    row: u64,
    line: u64,
}

impl Walk<'_> {
    /// Goes to the next row, past blank lines and byte order marks, and reads it. Returns `None` if there is no
    /// whole row in the text.
    fn find_row(&mut self) -> Option<Found> {
        loop {
            match self.rest() {
                [b'\r'] if !self.at_end => return None,
                [] => return None,
                [byte, ..] if is_break(*byte) => self.skip_break(),
                // Joined files have a byte order mark in the middle, which is not text.
                rest if rest.starts_with(UTF8_BOM) => self.pos += UTF8_BOM.len(),
                _ => return read_row(self.text, self.pos, self.at_end, self.dialect),
            }
        }
    }

    /// Goes past a row and its line ending.
    fn pass(&mut self, found: &Found) {
        self.line += line_breaks(self.text.get(self.pos..found.end).unwrap_or_default());
        self.pos = found.end;
        match self.rest() {
            [] => self.row += 1,
            _ => self.skip_break(),
        }
    }

    /// Goes past the line ending at `pos`.
    fn skip_break(&mut self) {
        self.pos += if self.rest().starts_with(b"\r\n") { 2 } else { 1 };
        self.row += 1;
        self.line += 1;
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    /// Returns the line of a position in the row at `pos`.
    fn line_of(&self, at: usize) -> u64 {
        self.line + line_breaks(self.text.get(self.pos..at).unwrap_or_default())
    }
}

/// The state of one call of [`read_rows`].
struct Scan<'a> {
    walk: Walk<'a>,
    limits: Limits,
    base: u64,
    marks: Marks,
    rows: Vec<Row>,
}

impl<'a> Scan<'a> {
    fn of(dialect: &'a Dialect, cursor: Cursor, text: &'a [u8], at_end: bool, limits: Limits) -> Self {
        let walk = Walk { dialect, text, at_end, pos: 0, row: cursor.row, line: cursor.line };
        Self { walk, limits, base: cursor.offset, marks: cursor.marks, rows: Vec::new() }
    }

    fn run(mut self) -> Batch {
        while !is_full(self.rows.len(), self.walk.pos, self.limits) {
            let Some(found) = self.walk.find_row() else { break };
            let Some(fault) = self.fault_of_quotes(&found) else { break };
            self.push(&found, fault);
            self.walk.pass(&found);
        }
        let Walk { pos, row, line, at_end, text, .. } = self.walk;
        let finished = at_end && pos == text.len();
        Batch {
            consumed: pos,
            next: Cursor { offset: self.base + pos as u64, row, line, marks: self.marks },
            finished,
            stalled: pos == 0 && !finished,
            rows: self.rows,
        }
    }

    /// Returns what is wrong with the quotation marks of a row, or with those of the cell that it may belong to.
    /// Returns `None` if a longer window is needed to decide.
    fn fault_of_quotes(&mut self, found: &Found) -> Option<Option<RowFault>> {
        if let Marks::Inside { first, last } = self.marks {
            if self.walk.line <= last {
                return Some(Some(RowFault::InNote { first, last }));
            }
            self.marks = Marks::Unknown;
        }
        let undoubled = match found.quotes {
            Quotes::Right | Quotes::Undoubled { is_open: false, .. } => return Some(None),
            Quotes::Undoubled { at, .. } => Some(at),
            Quotes::Open { undoubled } => undoubled,
        };
        let fault = |at: usize| RowFault::UndoubledQuote { line: self.walk.line_of(at) };
        if self.marks == Marks::Unknown {
            let first = self.walk.line;
            self.marks = match self.line_that_closes(found)? {
                Some(last) => Marks::Inside { first, last },
                None => Marks::NoneLeft,
            };
        }
        Some(match (found.quotes, undoubled, self.marks) {
            (Quotes::Undoubled { .. }, _, Marks::NoneLeft) => None,
            (_, Some(at), _) => Some(fault(at)),
            (_, None, _) => Some(RowFault::OpenQuote),
        })
    }

    /// Looks for a row that may close the quoted cell of a row, and returns its line.
    fn line_that_closes(&self, found: &Found) -> Option<Option<u64>> {
        let mut walk = self.walk;
        walk.pass(found);
        while let Some(next) = walk.find_row() {
            if next.closes {
                return Some(Some(walk.line));
            }
            walk.pass(&next);
        }
        (walk.at_end && walk.pos == walk.text.len()).then_some(None)
    }

    fn push(&mut self, found: &Found, fault: Option<RowFault>) {
        let Walk { dialect, text, pos, row: number, line, .. } = self.walk;
        let raw = text.get(pos..found.end).unwrap_or_default();
        let cell = |cell: &super::quotes::Cell| decode(&cell.bytes(text, dialect));
        let fields: Vec<String> = found.cells.iter().map(cell).collect();
        let last = fields.iter().rposition(|field| !field.is_empty());
        let Some(last) = last.or_else(|| fault.is_some().then_some(0)) else { return };
        let undoubled = match found.quotes {
            Quotes::Undoubled { at, .. } => Some(self.walk.line_of(at)),
            _ => None,
        };
        let fault = fault.or_else(|| match undoubled {
            _ if raw.contains(&0) => Some(RowFault::NulByte),
            _ if last < dialect.columns => None,
            Some(line) => Some(RowFault::UndoubledQuote { line }),
            None => Some(RowFault::TooManyCells { found: last + 1, expected: dialect.columns }),
        });
        let warning = match undoubled {
            _ if fault.is_some() => None,
            Some(line) => Some(RowWarning::UndoubledQuote { line }),
            None => self.rows_in_cell(found),
        };
        let span = self.base + pos as u64..self.base + found.end as u64;
        self.rows.push(Row { number, line, span, fields, fault, warning });
    }

    /// Returns a warning if all lines inside a quoted cell look like rows: the first and the last one do not
    /// count, and blank ones neither.
    fn rows_in_cell(&self, found: &Found) -> Option<RowWarning> {
        let Walk { dialect, text, .. } = self.walk;
        let delimiters = dialect.columns.checked_sub(1).filter(|count| *count > 0)?;
        found.cells.iter().filter(|cell| cell.is_quoted).find_map(|cell| {
            let raw = text.get(cell.range.clone())?;
            let start = find_break(raw, 0)?;
            let end = raw.iter().rposition(|&byte| is_break(byte))?;
            let mut lines =
                raw.get(start..end)?.split(|&byte| is_break(byte)).filter(|line| !line.is_empty());
            let is_row = |line: &[u8]| {
                let found = line.iter().filter(|&&byte| byte == dialect.delimiter).count();
                found == delimiters && line.contains(&b'@')
            };
            let first = lines.next()?;
            let (first_line, last_line) =
                (self.walk.line_of(cell.range.start), self.walk.line_of(cell.range.end));
            (is_row(first) && lines.all(is_row))
                .then_some(RowWarning::RowsInCell { first: first_line, last: last_line })
        })
    }
}
