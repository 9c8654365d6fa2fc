//! Errors of inventory requests.

use http::StatusCode;

use super::domain::{DeadLetter, DeadLetterId, Product, Reason, Sku};
use crate::shared::dead_letters::requests::still_refused;
use crate::shared::problems::{not_found, stale};
use crate::store::idempotency::KeyReused;
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
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
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
        match self {
            Self::NotFound(_) => {
                not_found("There is no such product", "A RECEIPT or a COUNT of its sku creates it.")
            }
            Self::NoSuchDeadLetter(_) => {
                not_found("There is no such parked message", "Look for it in the list.")
            }
            Self::Conflict(fresh) => stale("The product has changed since it was read", &fresh),
            Self::DeadLetterConflict(fresh) => {
                stale("The parked message has changed since it was read", &fresh)
            }
            Self::StillRefused(reason) => still_refused("The message still cannot be applied", &reason),
            Self::DetailsVersionMissing => Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "version-missing",
                "The change does not name the version it is based on",
                "Send the `detailsVersion` last seen; If-Match names that of the stock.",
            ),
            Self::KeyReused(error) => error.into_problem(),
            Self::Contention => {
                tracing::warn!(error = %self, "an inventory request failed because of contention");
                Problem::busy("Other requests were faster until the deadline. It is safe to try again.")
            }
            Self::Cursor(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}
