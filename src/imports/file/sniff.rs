//! Guesses the format of a file from its beginning, and finds the header.
//!
//! Invariants: no row above the header is a data row, judged by the first rows. Such a row has fewer cells than the
//! header, or the header consists mostly of known headers and the first email address is below it.

use super::dialect::{DELIMITERS, Dialect};
use super::row::{Cursor, Limits, Row};
use super::scan::read_rows;
use super::text::{find_break, is_break};

/// How many rows are looked at.
const SAMPLE_ROWS: usize = 40;
/// The header is one of this many rows.
const HEADER_ROWS: usize = 20;

/// The delimiter of a first line such as `sep=;`, and the length of the line with its ending.
pub(super) fn separator_line(text: &[u8]) -> Option<(u8, usize)> {
    let end = find_break(text, 0).unwrap_or(text.len());
    let line = text.get(..end)?;
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (name, rest) = line.split_at_checked(4)?;
    let (delimiter, rest) = match rest {
        [b'\\', b't', rest @ ..] => (b'\t', rest),
        [delimiter, rest @ ..] if DELIMITERS.contains(delimiter) => (*delimiter, rest),
        _ => return None,
    };
    // Spreadsheets fill the line up with separators.
    let is_filler = |byte: &u8| matches!(byte, b'"' | b' ') || DELIMITERS.contains(byte);
    let ending = if text.get(end..)?.starts_with(b"\r\n") { 2 } else { usize::from(end < text.len()) };
    (name.eq_ignore_ascii_case(b"sep=") && rest.iter().all(is_filler)).then_some((delimiter, end + ending))
}

/// Returns whether the file writes a mark in a quoted cell as `\"`, and never as `""`.
pub(super) fn escapes_quotes(text: &[u8]) -> bool {
    let is_separator = |byte: u8| is_break(byte) || DELIMITERS.contains(&byte);
    let (mut found, mut is_quoted, mut before, mut at) = (false, false, b'\n', 0);
    while let Some(&byte) = text.get(at) {
        let after = text.get(at + 1).copied();
        let mut length = 1;
        match byte {
            b'"' if !is_quoted => is_quoted = is_separator(before),
            b'"' if after == Some(b'"') => return false,
            b'"' => is_quoted = false,
            b'\\' if is_quoted => {
                length = 2;
                let behind = text.get(at + 2).copied();
                found |=
                    after == Some(b'"') && behind.is_some_and(|byte| byte != b'"' && !is_separator(byte));
            }
            _ => {}
        }
        before = byte;
        at += length;
    }
    found
}

/// The first rows of a file, read with one delimiter, and the row that is probably the header.
pub(super) struct Sample {
    pub(super) dialect: Dialect,
    pub(super) rows: Vec<Row>,
    pub(super) header: usize,
    /// Whether the row is a header, and not data.
    pub(super) is_header: bool,
    /// Where the row after these begins.
    pub(super) next: Cursor,
    /// Whether there is nothing but blank rows.
    pub(super) is_blank: bool,
    rank: (usize, usize, usize),
}

impl Sample {
    /// Reads the first rows from `start`, with the delimiter that fits them best.
    ///
    /// Many cells that are known headers or email addresses count most, then many rows with as many cells as the
    /// header, then many cells.
    pub(super) fn best(
        dialect: Dialect,
        delimiters: &[u8],
        (start, text): (Cursor, &[u8]),
        whole: bool,
        known: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let samples = delimiters.iter().map(|&delimiter| {
            let dialect = Dialect { delimiter, ..dialect };
            let limits = Limits { rows: SAMPLE_ROWS, bytes: usize::MAX };
            let batch = read_rows(&dialect, start, text, whole, limits);
            let is_blank = batch.rows.is_empty() && batch.consumed == text.len();
            Self { next: batch.next, is_blank, ..Self::of(dialect, batch.rows, known) }
        });
        let rank = |sample: &Self| (sample.is_blank, sample.rank);
        samples.reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })
    }

    fn of(dialect: Dialect, rows: Vec<Row>, known: &dyn Fn(&str) -> bool) -> Self {
        let shapes: Vec<Shape> = rows.iter().map(|row| Shape::of(row, known)).collect();
        let header = header_of(&shapes);
        let columns = rows.get(header).map_or(0, |row| row.fields.len());
        let below = || rows.iter().zip(&shapes).skip(header + 1);
        let known = shapes.get(header).map_or(0, |shape| shape.known);
        let emails = below().filter(|(_, shape)| shape.email.is_some() && shape.filled <= columns).count();
        let alike = below().filter(|(row, _)| row.fields.len() == columns).count();
        let rank = if columns < 2 { (0, 0, 0) } else { (known + emails, alike, columns) };
        let is_header = match (shapes.get(header), rows.get(header)) {
            (Some(shape), Some(row)) => {
                let column = shapes.iter().skip(header + 1).find_map(|shape| shape.email);
                shape.email.is_none() && (shape.known > 0 || !looks_like_data(row, column))
            }
            _ => true,
        };
        let next = Cursor::default();
        Self { dialect, rows, header, is_header, next, is_blank: false, rank }
    }
}

/// What the cells of a row look like.
struct Shape {
    /// The number of cells up to the last one that is not blank.
    filled: usize,
    /// The number of cells that are known headers.
    known: usize,
    /// The first cell that is an email address.
    email: Option<usize>,
}

impl Shape {
    fn of(row: &Row, known: &dyn Fn(&str) -> bool) -> Self {
        let fields = &row.fields;
        Self {
            filled: fields.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1),
            known: fields.iter().filter(|cell| !cell.is_empty() && known(cell)).count(),
            email: fields.iter().position(|cell| is_email(cell)),
        }
    }
}

/// Returns the index of the row that looks most like a header: the one with the most known headers. Without any,
/// it is the first that is as wide as most rows.
fn header_of(shapes: &[Shape]) -> usize {
    let width = usual_width(shapes);
    let first_email = shapes.iter().position(|shape| shape.email.is_some()).unwrap_or(shapes.len());
    let could_be = |at: usize, shape: &Shape| {
        let above = shapes.get(..at).unwrap_or_default();
        let is_widest = above.iter().all(|one| one.filled < shape.filled);
        let is_known = shape.known > 1;
        let is_mostly_known = is_known && 2 * shape.known >= shape.filled;
        shape.email.is_none()
            && if at < first_email { is_widest || is_mostly_known } else { is_widest && is_known }
    };
    let candidates =
        || shapes.iter().enumerate().take(HEADER_ROWS).filter(|(at, shape)| could_be(*at, shape));
    let is_known = |shape: &Shape| shape.known > 0 && (shape.filled > 1 || width == 1);
    let best =
        candidates().filter(|(_, shape)| is_known(shape)).min_by_key(|(_, shape)| usize::MAX - shape.known);
    let best = best.or_else(|| candidates().find(|(at, shape)| *at < first_email && shape.filled >= width));
    best.map_or(0, |(at, _)| at)
}

/// Returns the most common number of cells; of two equally common ones, the larger.
fn usual_width(shapes: &[Shape]) -> usize {
    let count = |width: usize| shapes.iter().filter(|shape| shape.filled == width).count();
    let widths = shapes.iter().map(|shape| shape.filled);
    widths.max_by_key(|&width| (count(width), width)).unwrap_or_default()
}

/// Returns whether a row is data rather than a header: a cell has no letters or is an address, or the column with
/// the email addresses has no name.
fn looks_like_data(row: &Row, email_column: Option<usize>) -> bool {
    let is_data = |cell: &String| {
        let has_letters = cell.chars().any(char::is_alphabetic);
        !cell.is_empty() && (!has_letters || cell.contains('@') || cell.contains("://"))
    };
    let is_unnamed = email_column.is_some_and(|at| row.fields.get(at).is_none_or(String::is_empty));
    is_unnamed || row.fields.iter().any(is_data)
}

fn is_email(cell: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "@,;|<>\"()".contains(c))
    };
    cell.split_once('@')
        .is_some_and(|(name, domain)| is_part(name) && is_part(domain) && domain.contains('.'))
}
