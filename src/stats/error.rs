//! Why the statistics cannot be shown.

use crate::orders::OrderError;
use crate::store::StoreError;
use crate::web::problem::{IntoProblem, Problem};

/// Why the statistics cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// The caps, which are shown beside them, could not be read.
    #[error(transparent)]
    Caps(#[from] OrderError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for StatisticsError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Caps(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}
