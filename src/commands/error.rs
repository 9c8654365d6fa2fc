//! Why a command failed.

use crate::inventory::InventoryError;
use crate::leads::LeadError;
use crate::orders::OrderError;
use crate::store::StoreError;
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
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
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
            AutomationError::Order(error) => error.into_problem(),
            AutomationError::Inventory(error) => error.into_problem(),
            AutomationError::Lead(error) => error.into_problem(),
            AutomationError::Store(error) => error.into_problem(),
            AutomationError::KeyOfAnotherRequest => Problem::key_reused(),
            AutomationError::Answer(_) => Problem::unknown(&self),
        }
    }
}
