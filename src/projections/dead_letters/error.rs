//! Why a dead-letter operation failed.

use http::StatusCode;
use serde_json::json;

use super::domain::{DeadLetter, DeadLetterId};
use crate::inventory::domain::Reason;
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
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor belongs to another list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for DeadLetterError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        match self {
            DeadLetterError::NotFound(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such dead letter",
                "It never was, or was closed more than 30 days ago.",
            ),
            DeadLetterError::Conflict(fresh) => Problem::new(
                S::CONFLICT,
                "conflict",
                "The dead letter has changed since it was read",
                "Nothing was written. `fresh` is as it is now; send the request again with its version.",
            )
            .with("fresh", json!(fresh)),
            DeadLetterError::StillRefused(reason) => Problem::new(
                S::UNPROCESSABLE_ENTITY,
                "still-refused",
                "The record still cannot be applied",
                reason.words.clone(),
            )
            .with("reason", json!(reason)),
            DeadLetterError::KeyOfAnotherRequest => Problem::key_reused(),
            DeadLetterError::Cursor(error) => error.into_problem(),
            DeadLetterError::Store(error) => error.into_problem(),
        }
    }
}
