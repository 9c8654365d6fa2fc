//! Why a command failed.

use crate::inventory::InventoryError;
use crate::leads::LeadError;
use crate::orders::OrderError;
use crate::store::StoreError;
use crate::store::idempotency::KeyReused;
use crate::web::problem::{IntoProblem, Problem};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum AutomationError {
    /// An order error.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// An error about dead letters.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// A lead error.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// The idempotency key was used for another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The idempotency record of a command has an answer that is not the result of a command.
    #[error("the stored answer of a command cannot be read: {0}")]
    Answer(serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for AutomationError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Order(error) => error.into_problem(),
            Self::Inventory(error) => error.into_problem(),
            Self::Lead(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
            Self::KeyReused(error) => error.into_problem(),
            Self::Answer(_) => Problem::unknown(&self),
        }
    }
}
