//! Why something about dead letters was not done.

use super::domain::{DeadLetter, DeadLetterId};
use crate::dynamo::{CursorError, StoreError};
use crate::inventory::domain::Reason;

/// Why something about dead letters was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// There is no such dead letter.
    #[error("there is no dead letter {0}")]
    NotFound(DeadLetterId),
    /// It has changed or is closed: this is it now.
    #[error("the dead letter has changed")]
    Conflict(Box<DeadLetter>),
    /// It still cannot be applied, for this reason.
    #[error("the record still cannot be applied: {}", .0.name)]
    StillRefused(Reason),
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor is none of this list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
