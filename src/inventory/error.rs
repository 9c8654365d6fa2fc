//! What can be wrong with a request about products and parked messages.

use http::StatusCode;
use serde_json::{Value, json};

use super::domain::{Parked, ParkedId, Product, Reason, Sku};
use crate::store::{CursorError, DeadlineExceeded, StoreError};
use crate::web::problem::{IntoProblem, Problem};

/// Why a request about the inventory was not done. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// There is no such product.
    #[error("there is no product {0}")]
    NotFound(Sku),
    /// There is no such parked message.
    #[error("there is no parked message {0}")]
    NoSuchParked(ParkedId),
    /// The product moved, or was changed, since it was read; this is how it is now.
    #[error("the product has changed since it was read")]
    Conflict(Box<Product>),
    /// The parked message was retried or dismissed since it was read; this is how it is now.
    #[error("the parked message has changed since it was read")]
    ParkedConflict(Box<Parked>),
    /// A retry would be refused as the message was; it stays parked.
    #[error("{}", .0.words)]
    StillRefused(Reason),
    /// A change of name or low-stock mark that does not say which version of them was seen.
    #[error("the change does not say which version of the details it is of")]
    DetailsVersionMissing,
    /// The key belongs to another request.
    #[error("the key belongs to another request")]
    KeyOfAnotherRequest,
    /// Others change the same product so fast that no attempt came through in time.
    #[error("others were faster until the deadline")]
    Contention,
    /// The cursor is none of this list's.
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
                "A RECEIPT or a COUNT of its sku makes it.",
            ),
            InventoryError::NoSuchParked(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such parked message",
                "Look for it in the list.",
            ),
            InventoryError::Conflict(fresh) => {
                stale("The product has changed since it was read", json!(fresh))
            }
            InventoryError::ParkedConflict(fresh) => {
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
                "The change does not say which version it is of",
                "Send the `detailsVersion` last seen; If-Match names that of the stock.",
            ),
            InventoryError::KeyOfAnotherRequest => Problem::key_reused(),
            InventoryError::Contention => {
                tracing::warn!(error = %self, "a request about the inventory gave way");
                Problem::busy("Others were faster until the deadline. Trying again in a moment is safe.")
            }
            InventoryError::Cursor(error) => error.into_problem(),
            InventoryError::Store(error) => error.into_problem(),
        }
    }
}
