//! The cells of one row, and quotation marks that are not doubled.
//!
//! Invariants:
//! - A quoted cell ends at the first mark that is not doubled and has a separator, a line ending or only spaces
//!   behind it. In a proper file that is every mark that is not doubled.
//! - A mark with other text behind it is wrong. If the cell has been on one line until then, it continues to the
//!   last mark before a separator of this line. Otherwise its end is unknown, and the row ends with the line on
//!   which the cell begins.
//! - The time is linear in the bytes up to the end of the row, or up to the wrong mark.

use std::borrow::Cow;
use std::ops::Range;

use super::dialect::Dialect;
use super::text::{find_break, is_break};

/// One row. The positions are those of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) cells: Vec<Cell>,
    /// The end of the row, without its line ending.
    pub(super) end: usize,
    pub(super) quotes: Quotes,
    /// Whether a mark closes a cell that no mark in this row opens.
    pub(super) closes: bool,
}

/// A cell, without the quotation marks around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) range: Range<usize>,
    pub(super) is_quoted: bool,
}

/// Whether the quotation marks of a row are as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// They are.
    Right,
    /// A mark in a quoted cell is not doubled. The cell ends on the same line.
    Undoubled {
        /// The position of the mark.
        at: usize,
        /// Whether the cell seems to go on after its line.
        is_open: bool,
    },
    /// A quoted cell of several lines has no known end.
    Open {
        /// The position of the mark in it that is not doubled. `None` if there is none, or if it opens another
        /// cell.
        undoubled: Option<usize>,
    },
}

impl Cell {
    /// Returns the bytes of the cell, with each doubled mark once.
    pub(super) fn bytes<'a>(&self, text: &'a [u8], dialect: &Dialect) -> Cow<'a, [u8]> {
        let raw = text.get(self.range.clone()).unwrap_or_default();
        let is_special = |byte: &u8| *byte == b'"' || (dialect.escape && *byte == b'\\');
        if !self.is_quoted || !raw.iter().any(is_special) {
            return Cow::Borrowed(raw);
        }
        let mut bytes = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((&byte, after)) = rest.split_first() {
            let skip = match (byte, after.first()) {
                (b'"', Some(b'"')) => true,
                (b'\\', Some(b'"' | b'\\')) => dialect.escape,
                _ => false,
            };
            let (byte, after) =
                if skip { after.split_first().unwrap_or((&byte, after)) } else { (&byte, after) };
            bytes.push(*byte);
            rest = after;
        }
        Cow::Owned(bytes)
    }
}

/// Reads the row at `start`. Returns `None` if the text ends inside the row, or before it is clear where the row ends.
pub(super) fn read_row(text: &[u8], start: usize, at_end: bool, dialect: &Dialect) -> Option<Found> {
    let mut reader = RowReader {
        text,
        at_end,
        dialect,
        found: Found { cells: Vec::new(), end: start, quotes: Quotes::Right, closes: false },
    };
    let mut at = start;
    loop {
        let end = match text.get(at) {
            Some(b'"') => reader.quoted_cell(at)?,
            _ => reader.plain_cell(at),
        };
        let is_open = matches!(reader.found.quotes, Quotes::Open { .. });
        match text.get(end..).unwrap_or_default() {
            [byte, ..] if *byte == dialect.delimiter && !is_open => at = end + 1,
            [] | [b'\r'] if !at_end => return None,
            _ => return Some(Found { end, ..reader.found }),
        }
    }
}

struct RowReader<'a> {
    text: &'a [u8],
    at_end: bool,
    dialect: &'a Dialect,
    found: Found,
}

impl RowReader<'_> {
    /// Reads the cell at `start` that no mark opens, and returns its end.
    fn plain_cell(&mut self, start: usize) -> usize {
        let end = self.end_of_plain(start);
        self.check_marks(start..end);
        self.push(start..end, false);
        end
    }

    /// Reads the cell that the mark at `start` opens, and returns its end.
    fn quoted_cell(&mut self, start: usize) -> Option<usize> {
        let mut from = start + 1;
        let close = loop {
            let Some(marks) = self.next_marks(from) else {
                return self.at_end.then(|| self.open_cell(start, None));
            };
            if marks.end == self.text.len() && !self.at_end {
                return None;
            }
            if marks.len() % 2 == 1 {
                break marks;
            }
            from = marks.end;
        };
        let after = self.skip_spaces(close.end);
        if after == self.text.len() && !self.at_end {
            return None;
        }
        if self.ends_cell(after) {
            self.push(start + 1..close.end - 1, true);
            return Some(after);
        }
        let spans_lines = find_break(self.text, start).is_some_and(|line_end| line_end < close.start);
        if spans_lines {
            let is_opening = self.text.get(close.start - 1).is_none_or(|&byte| self.is_separator(byte));
            return Some(self.open_cell(start, (!is_opening).then_some(close.end - 1)));
        }
        self.undoubled_cell(start, close.end - 1)
    }

    /// Reads a quoted cell whose end is unknown: up to the end of its line.
    fn open_cell(&mut self, start: usize, undoubled: Option<usize>) -> usize {
        let end = find_break(self.text, start).unwrap_or(self.text.len());
        // Perhaps the mark does not open a cell here, but closes that of an earlier line.
        self.found.closes |= self.skip_spaces(start + 1) == end;
        self.found.quotes = Quotes::Open { undoubled };
        self.push(start + 1..end, true);
        end
    }

    /// Reads a quoted cell in which the mark at `wrong`, on the same line, is not doubled.
    fn undoubled_cell(&mut self, start: usize, wrong: usize) -> Option<usize> {
        let line_end = match find_break(self.text, wrong) {
            Some(end) => end,
            None if self.at_end => self.text.len(),
            None => return None,
        };
        let (marked, end) = match self.closing_mark(wrong + 1, line_end) {
            Some((mark, end)) => {
                self.push(start + 1..mark, true);
                (start..mark + 1, end)
            }
            None => {
                let end = self.end_of_plain(wrong);
                self.push(start..end, false);
                (start..end, end)
            }
        };
        let is_open = self.check_marks(marked) > 0;
        self.found.quotes = match self.found.quotes {
            Quotes::Undoubled { at, is_open: before } => Quotes::Undoubled { at, is_open: before || is_open },
            _ => Quotes::Undoubled { at: wrong, is_open },
        };
        Some(end)
    }

    /// Returns the mark that closes a cell before `line_end`, and the end of the cell. Another cell that a mark
    /// opens must not begin before it.
    fn closing_mark(&self, from: usize, line_end: usize) -> Option<(usize, usize)> {
        let mut from = from;
        loop {
            let marks = runs(self.text.get(..line_end)?, from).next()?;
            if self.text.get(marks.start - 1) == Some(&self.dialect.delimiter) {
                return None;
            }
            let after = self.skip_spaces(marks.end);
            if self.ends_cell(after) {
                return Some((marks.end - 1, after));
            }
            from = marks.end;
        }
    }

    /// Returns the balance of the marks in a cell, and remembers whether they close a cell of an earlier row.
    fn check_marks(&mut self, range: Range<usize>) -> i32 {
        let cell = self.text.get(range).unwrap_or_default();
        if !cell.contains(&b'"') {
            return 0;
        }
        let cell = cell.trim_ascii();
        let balance = balance(cell);
        self.found.closes |= balance < 0 && cell.ends_with(b"\"");
        balance
    }

    /// Returns the next marks that no backslash escapes.
    fn next_marks(&self, from: usize) -> Option<Range<usize>> {
        if !self.dialect.escape {
            return runs(self.text, from).next();
        }
        let mut at = from;
        loop {
            let rest = self.text.get(at..)?;
            at += rest.iter().position(|&byte| matches!(byte, b'"' | b'\\'))?;
            if self.text.get(at) == Some(&b'"') {
                return runs(self.text, at).next();
            }
            at += 2;
        }
    }

    fn end_of_plain(&self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        start + rest.iter().position(|&byte| self.is_separator(byte)).unwrap_or(rest.len())
    }

    fn skip_spaces(&self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let is_space = |byte: u8| matches!(byte, b' ' | b'\t') && byte != self.dialect.delimiter;
        start + rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len())
    }

    fn ends_cell(&self, at: usize) -> bool {
        self.text.get(at).is_none_or(|&byte| self.is_separator(byte))
    }

    fn is_separator(&self, byte: u8) -> bool {
        byte == self.dialect.delimiter || is_break(byte)
    }

    fn push(&mut self, range: Range<usize>, is_quoted: bool) {
        self.found.cells.push(Cell { range, is_quoted });
    }
}

/// Returns the runs of marks from `from` on.
fn runs(text: &[u8], from: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = from;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.iter().position(|&byte| byte == b'"')?;
        let length = text.get(start..)?.iter().take_while(|&&byte| byte == b'"').count();
        at = start + length;
        Some(start..at)
    })
}

/// Returns the number of opening marks minus the number of closing marks, judged by the characters around them.
/// Above zero, the cell seems to go on after its line. Below zero, it seems to begin on an earlier line.
fn balance(cell: &[u8]) -> i32 {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let mut balance = 0;
    for marks in runs(cell, 0) {
        let before = marks.start.checked_sub(1).and_then(|at| cell.get(at)).copied();
        let after = cell.get(marks.end).copied();
        // At an edge, one of two marks may open or close the cell. Elsewhere two marks are one doubled mark.
        let edge = if marks.len() % 2 == 1 { 1 } else { 2 };
        let inner = if marks.len() % 2 == 1 { 1 } else { 0 };
        balance += match (before, after) {
            (None, None) => 0,
            (None, Some(_)) => edge,
            (Some(_), None) => -edge,
            (Some(before), Some(after)) => {
                match (before.is_ascii_whitespace(), after.is_ascii_whitespace()) {
                    (true, true) => 0,
                    (true, false) => inner,
                    (false, true) => -inner,
                    (false, false) => match (is_word(before), is_word(after)) {
                        (true, false) => -inner,
                        (false, true) => inner,
                        _ => 0,
                    },
                }
            }
        };
    }
    balance
}
