//! Errors of inventory requests.

use http::StatusCode;
use serde_json::{Value, json};

use super::domain::{DeadLetter, DeadLetterId, Product, Reason, Sku};
use crate::store::{CursorError, DeadlineExceeded, StoreError};
use crate::web::problem::{IntoProblem, Problem};

/// An error of an inventory request. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The product does not exist.
    #[error("there is no product {0}")]
    NotFound(Sku),
    /// The dead letter does not exist.
    #[error("there is no dead letter {0}")]
    NoSuchDeadLetter(DeadLetterId),
    /// The product has moved or changed since it was read. Contains the current product.
    #[error("the product has changed since it was read")]
    Conflict(Box<Product>),
    /// The dead letter was retried or dismissed since it was read. Contains the current dead letter.
    #[error("the dead letter has changed since it was read")]
    DeadLetterConflict(Box<DeadLetter>),
    /// The message still cannot be applied. It stays a dead letter.
    #[error("{}", .0.words)]
    StillRefused(Reason),
    /// The change of a name or low-stock mark does not name the version it is based on.
    #[error("the change does not name the details version it is based on")]
    DetailsVersionMissing,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// Concurrent changes of the same product prevented success before the deadline.
    #[error("concurrent writes prevented success before the deadline")]
    Contention,
    /// The cursor does not belong to this list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DeadlineExceeded> for InventoryError {
    fn from(_: DeadlineExceeded) -> Self {
        Self::Contention
    }
}

impl IntoProblem for InventoryError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        let stale = |what: &'static str, fresh: Value| {
            let detail =
                "Nothing was written. `fresh` is as it is now; send the change again with its version.";
            Problem::new(S::CONFLICT, "conflict", what, detail).with("fresh", fresh)
        };
        match self {
            InventoryError::NotFound(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such product",
                "A RECEIPT or a COUNT of its sku creates it.",
            ),
            InventoryError::NoSuchDeadLetter(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such parked message",
                "Look for it in the list.",
            ),
            InventoryError::Conflict(fresh) => {
                stale("The product has changed since it was read", json!(fresh))
            }
            InventoryError::DeadLetterConflict(fresh) => {
                stale("The parked message has changed since it was read", json!(fresh))
            }
            InventoryError::StillRefused(reason) => Problem::new(
                S::UNPROCESSABLE_ENTITY,
                "still-refused",
                "The message still cannot be applied",
                reason.words.clone(),
            )
            .with("reason", json!(reason)),
            InventoryError::DetailsVersionMissing => Problem::new(
                S::PRECONDITION_REQUIRED,
                "version-missing",
                "The change does not name the version it is based on",
                "Send the `detailsVersion` last seen; If-Match names that of the stock.",
            ),
            InventoryError::KeyOfAnotherRequest => Problem::key_reused(),
            InventoryError::Contention => {
                tracing::warn!(error = %self, "an inventory request failed because of contention");
                Problem::busy("Other requests were faster until the deadline. It is safe to try again.")
            }
            InventoryError::Cursor(error) => error.into_problem(),
            InventoryError::Store(error) => error.into_problem(),
        }
    }
}
