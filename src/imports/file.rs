//! Reads an uploaded CSV file piece by piece, from any byte offset.
//!
//! | module | what it does |
//! | --- | --- |
//! | `dialect` | the format of a file: its separator, its encoding, its escapes |
//! | `text` | line endings, and the text of a cell |
//! | `row` | a row, what may be wrong with it, and the position between two steps |
//! | `quotes` | the cells of one row, and marks that are not doubled |
//! | `utf16` | text in UTF-16, and its positions in the file |
//! | `scan` | reads the rows of a window |
//! | `sniff` | guesses the format and finds the header |
//! | `head` | the format and the header of a file |
//! | `error` | why a file cannot be imported |
//! | `workbook` | turns a workbook into CSV |
//!
//! Invariants:
//! - The structure is determined from bytes. A file in UTF-16 is decoded first. Otherwise each cell is decoded
//!   separately: as UTF-8 if it is valid UTF-8, otherwise as Windows-1252. White space and invisible characters
//!   around a cell are removed.
//! - Reading a file in windows of any size gives the same rows as reading it in one go. A window that is too
//!   short for a whole row gives [`Batch::stalled`], and the caller comes back with a longer one. So memory is
//!   bounded by the file, and the time is linear in its length.
//! - No row is lost silently: a row that cannot be read becomes a [`Row`] with a [`RowFault`]. An open
//!   quotation mark costs the rest of its line, not the rest of the file.
//! - A line inside a quoted cell never becomes a row. If the marks of that cell are not doubled, so that its end
//!   is uncertain, the lines that may belong to it become rows with [`RowFault::InNote`].
//! - Rows have the numbers that a spreadsheet shows: the first line is row 1. Blank lines are counted but not
//!   returned. A row with a cell of several lines counts once. A first line `sep=;` is not counted.

pub use dialect::{Dialect, Encoding};
pub use error::FileError;
pub use head::Head;
pub use row::{Batch, Cursor, Limits, Marks, Row, RowFault, RowWarning};
pub use scan::{WINDOW_BYTES, read_rows};
pub use workbook::{csv_of, is_workbook};

mod dialect;
mod error;
mod head;
mod quotes;
mod row;
mod scan;
mod sniff;
#[cfg(test)]
mod tests;
mod text;
mod utf16;
mod workbook;
