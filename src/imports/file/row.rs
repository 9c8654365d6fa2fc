//! A row, what may be wrong with it, and the position between two steps.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Why one row cannot be read. The rows after it can be read. The messages are shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// A quoted cell is not closed, or is closed only by a quotation mark that opens another cell.
    #[error("A quotation mark in this row isn't closed. Close it or remove it.")]
    OpenQuote,
    /// A quotation mark inside a quoted cell is not doubled, so that the end of the cell is uncertain.
    #[error(
        "A quotation mark inside a quoted cell isn't doubled (line {line}). Write it twice, or remove it."
    )]
    UndoubledQuote {
        /// The line of the file with the mark, counted from 1.
        line: u64,
    },
    /// The row may be a part of a cell that begins in an earlier row, because marks in that cell are not
    /// doubled.
    #[error(
        "This row may belong to a quoted cell of an earlier row (line {first}) whose quotation marks aren't doubled. Correct that cell, or import this row by itself."
    )]
    InNote {
        /// The line on which the row with that cell begins, counted from 1.
        first: u64,
        /// The line on which the last row begins that may belong to the cell.
        last: u64,
    },
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
    /// The row contains a NUL character.
    #[error("The row contains a NUL character. Remove it.")]
    NulByte,
}

/// What a person should look at in a row that can be read. The messages are shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowWarning {
    /// A quotation mark inside a quoted cell is not doubled. The cell was read up to the mark before the next
    /// separator.
    #[error("A quotation mark inside a quoted cell isn't doubled (line {line}). Check this row.")]
    UndoubledQuote {
        /// The line of the file with the mark, counted from 1.
        line: u64,
    },
    /// The lines of a quoted cell look like rows: its quotation mark may have been left open.
    #[error(
        "A quoted cell in this row continues to line {last}, and the lines in it look like rows. If they are, close the cell on line {first}."
    )]
    RowsInCell {
        /// The line on which the cell begins, counted from 1.
        first: u64,
        /// The line on which it ends.
        last: u64,
    },
}

/// What is known about the quoted cells whose marks are not doubled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Marks {
    /// Nothing yet.
    #[default]
    Unknown,
    /// The rows up to one may belong to such a cell.
    Inside {
        /// The line on which the row with the cell begins.
        first: u64,
        /// The line on which the last row begins that may belong to it.
        last: u64,
    },
    /// No mark in the rest of the file can close such a cell.
    NoneLeft,
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
    /// What is known about quotation marks that are not doubled.
    #[serde(default)]
    pub marks: Marks,
}

impl Default for Cursor {
    /// Returns the start of a file.
    fn default() -> Self {
        Self { offset: 0, row: 1, line: 1, marks: Marks::Unknown }
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The row number that a spreadsheet shows.
    pub number: u64,
    /// The line of the file on which the row begins, counted from 1.
    pub line: u64,
    /// The byte range of the row in the file, without its line ending.
    pub span: Range<u64>,
    /// The cells, decoded and without white space around them. There may be fewer cells than columns. If the
    /// row has an open quotation mark, these are its cells up to the end of the line with the mark.
    pub fields: Vec<String>,
    /// Why the row must be rejected, if it must.
    pub fault: Option<RowFault>,
    /// What a person should look at, although the row can be read.
    pub warning: Option<RowWarning>,
}

impl Row {
    /// Returns the position of this row. Reading one row from there gives this row again, so a rejected row
    /// can be shown later without being stored.
    pub fn cursor(&self) -> Cursor {
        let marks = match self.fault {
            Some(RowFault::InNote { first, last }) => Marks::Inside { first, last },
            _ => Marks::Unknown,
        };
        Cursor { offset: self.span.start, row: self.number, line: self.line, marks }
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
    /// Whether nothing was read because the window is too short. Read again with a longer one.
    pub stalled: bool,
}
