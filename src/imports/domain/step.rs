//! The result of a step of an import. Pure.

use serde::{Deserialize, Serialize};

use crate::imports::file::{Cursor, Row};
use crate::imports::outcome::RowOutcome;

/// The most bytes of a rejected row's cells that are stored.
pub(super) const KEPT_ROW_BYTES: usize = 64 * 1024;

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
    /// The outcome of each row, in the order of the file.
    pub outcomes: Vec<RowOutcome>,
    /// The rejected rows, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// Where the next step begins.
    pub next: Cursor,
    /// Whether the end of the file is reached.
    pub finished: bool,
}

impl Step {
    /// Creates a step that ends at this position, without rows.
    pub fn new(next: Cursor, finished: bool) -> Self {
        Self { outcomes: Vec::new(), rejections: Vec::new(), next, finished }
    }

    /// Adds a row that cannot become a lead.
    pub fn reject(&mut self, row: &Row, reason: String) {
        self.outcomes.push(RowOutcome::rejected(row.number, reason.clone()));
        self.rejections.push(Rejection::of(row, reason));
    }
}
