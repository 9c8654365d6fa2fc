//! What can be wrong with an import.

use http::StatusCode;

use super::file::FileError;
use super::mapping::MappingError;
use crate::imports::limits::{FORM_BYTES, MAX_COLUMNS, MAX_FILE_BYTES};
use crate::leads::LeadError;
use crate::store::StoreError;
use crate::web::problem::{IntoProblem, Problem};

/// Why something about an import was not done. The messages of all but the last two are made to be shown.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such import, or it is another person's.
    #[error("There is no such import. It is another person's, or its week has passed.")]
    NotFound,
    /// The form was sent without a file.
    #[error("No file was chosen. Choose a CSV file.")]
    NoFile,
    /// The file is longer than can be imported.
    #[error(
        "The file has {:.1} MB; an import takes up to {} MB. Split it, each part with the header row, or use the command line: holdfast import leads FILE.",
        megabytes(*.0),
        MAX_FILE_BYTES / MEGABYTE
    )]
    TooLarge(u64),
    /// The file is longer than a form can carry.
    #[error(
        "Without JavaScript a file has at most {} MB. Split it, each part with the header row, or switch JavaScript on.",
        FORM_BYTES as u64 / MEGABYTE
    )]
    TooLargeForForm,
    /// The file has more columns than a page can map.
    #[error(
        "The file has {0} columns; at most {MAX_COLUMNS} can be mapped. Remove those that are not needed."
    )]
    TooManyColumns(usize),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The columns cannot be used as they are mapped.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A part of the file came before the parts in front of it.
    #[error("Part {expected} of the file comes next. Send the parts in order.")]
    PartOutOfOrder {
        /// The number of the part that comes next, counted from 0.
        expected: u32,
    },
    /// A part of the file has another length than it should.
    #[error("This part of the file has {found} bytes and should have {expected}. Choose the file again.")]
    PartLength {
        /// How many bytes the part should have.
        expected: u64,
        /// How many came.
        found: u64,
    },
    /// The columns were not mapped yet, or the file is not whole.
    #[error("This import has not been started. Open its page and say what each column means.")]
    NotStarted,
    /// About a lead.
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
            ImportError::NotFound => (S::NOT_FOUND, "not-found", "There is no such import"),
            ImportError::TooLarge(_) | ImportError::TooLargeForForm => {
                (S::PAYLOAD_TOO_LARGE, "too-long", "The file is too large")
            }
            ImportError::PartOutOfOrder { .. } | ImportError::PartLength { .. } => {
                (S::UNPROCESSABLE_ENTITY, "wrong-part", "This part of the file does not fit")
            }
            ImportError::NotStarted => (S::UNPROCESSABLE_ENTITY, "not-started", "The import was not started"),
            ImportError::NoFile
            | ImportError::TooManyColumns(_)
            | ImportError::File(_)
            | ImportError::Mapping(_) => (S::UNPROCESSABLE_ENTITY, "bad-file", "The file cannot be imported"),
        };
        Problem::new(status, name, title, self.to_string())
    }
}
