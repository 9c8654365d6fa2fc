//! Errors of imports, and the problem documents that they become.

use http::StatusCode;

use super::file::FileError;
use super::mapping::MappingError;
use crate::imports::limits::{FORM_BYTES, MAX_COLUMNS, MAX_FILE_BYTES};
use crate::leads::LeadError;
use crate::shared::numbers::counted;
use crate::store::StoreError;
use crate::web::problem::{IntoProblem, Problem};

/// Why a request about an import failed. All messages except those of the last two are shown to people.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The import does not exist, or another person owns it.
    #[error("It belongs to another person, or it expired after a week.")]
    NotFound,
    /// The form was sent without a file.
    #[error("Choose a CSV file or a workbook (.xlsx).")]
    NoFile,
    /// The file is longer than an import allows.
    #[error(
        "The file has {:.1} MB; the limit is {} MB. Split it, with the headers in each part, or use the command line: holdfast import leads FILE.",
        megabytes(*.0),
        MAX_FILE_BYTES / MEGABYTE
    )]
    TooLarge(u64),
    /// The file is longer than a form allows.
    #[error(
        "Without JavaScript, a file can have at most {} MB. Split it, with the headers in each part, or turn on JavaScript.",
        FORM_BYTES as u64 / MEGABYTE
    )]
    TooLargeForForm,
    /// The file has more columns than can be mapped.
    #[error("The file has {0} columns; at most {MAX_COLUMNS} can be imported. Remove those you don't need.")]
    TooManyColumns(usize),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The mapping of the columns is invalid.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A part of the file arrived out of order.
    #[error("Part {expected} of the file comes next. Send the parts in order.")]
    PartOutOfOrder {
        /// The number of the part that must come next, counted from 0.
        expected: u32,
    },
    /// A part of the file has the wrong length.
    #[error("This part of the file has {} and should have {expected}. Choose the file again.", counted(*.found, "byte", "bytes"))]
    PartLength {
        /// How many bytes the part should have.
        expected: u64,
        /// How many bytes arrived.
        found: u64,
    },
    /// The file has no header row. It has the cells of its first row.
    #[error(
        "The file has no header row: its first row is {}. Add a row with the names of the columns, or import it with --no-header and --map 'Column 1=name'.",
        .0.join(", ")
    )]
    NoHeader(Vec<String>),
    /// Rows are still processed.
    #[error("Wait until all rows are read.")]
    NotDone,
    /// The columns are not mapped yet, or the file is not complete.
    #[error("Open the import's page and match its columns first.")]
    NotStarted,
    /// An error of a lead.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const MEGABYTE: u64 = 1024 * 1024;

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE as f64
}

impl IntoProblem for ImportError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        let (status, name, title) = match self {
            ImportError::Lead(error) => return error.into_problem(),
            ImportError::Store(error) => return error.into_problem(),
            ImportError::NotFound => (S::NOT_FOUND, "not-found", "Import not found"),
            ImportError::TooLarge(_) | ImportError::TooLargeForForm => {
                (S::PAYLOAD_TOO_LARGE, "too-long", "The file is too large")
            }
            ImportError::PartOutOfOrder { .. } | ImportError::PartLength { .. } => {
                (S::UNPROCESSABLE_ENTITY, "wrong-part", "This part of the file doesn't fit")
            }
            ImportError::NotDone => (S::UNPROCESSABLE_ENTITY, "not-done", "The import isn't finished"),
            ImportError::NotStarted => (S::UNPROCESSABLE_ENTITY, "not-started", "The import hasn't started"),
            ImportError::NoFile
            | ImportError::NoHeader(_)
            | ImportError::TooManyColumns(_)
            | ImportError::File(_)
            | ImportError::Mapping(_) => (S::UNPROCESSABLE_ENTITY, "bad-file", "This file can't be imported"),
        };
        Problem::new(status, name, title, self.to_string())
    }
}
