//! Why a dead-letter operation failed.

use super::domain::DeadLetter;
use crate::shared::dead_letters::api::still_refused;
use crate::shared::dead_letters::{DeadLetterId, Reason};
use crate::shared::problems::{not_found, stale};
use crate::store::idempotency::KeyReused;
use crate::store::{CursorError, StoreError};
use crate::web::problem::{IntoProblem, Problem};

/// Why a dead-letter operation failed.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The dead letter does not exist.
    #[error("there is no dead letter {0}")]
    NotFound(DeadLetterId),
    /// It has changed or is closed. Contains the current dead letter.
    #[error("the dead letter has changed")]
    Conflict(Box<DeadLetter>),
    /// It still cannot be applied, for this reason.
    #[error("the record still cannot be applied: {}", .0.name)]
    StillRefused(Reason),
    /// The idempotency key was used for another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The cursor belongs to another list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for DeadLetterError {
    fn into_problem(self) -> Problem {
        match self {
            Self::NotFound(_) => {
                not_found("Dead letter not found", "It never existed, or was closed more than 30 days ago.")
            }
            Self::Conflict(fresh) => stale("This dead letter has changed", &fresh),
            Self::StillRefused(reason) => still_refused("The record still can't be applied", &reason),
            Self::KeyReused(error) => error.into_problem(),
            Self::Cursor(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}
