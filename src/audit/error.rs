//! Why the audit log cannot be read.

use crate::store::{CursorError, StoreError};
use crate::web::problem::{IntoProblem, Problem};

/// Why the audit log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The cursor belongs to another list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for AuditError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Cursor(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}
