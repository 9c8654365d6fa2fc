//! Errors of inventory requests.

use http::StatusCode;

use super::domain::{DeadLetter, DeadLetterId, Product, Reason, Sku};
use crate::shared::dead_letters::api::still_refused;
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
            Self::NotFound(_) => not_found("Product not found", "A RECEIPT or COUNT of its SKU creates it."),
            Self::NoSuchDeadLetter(_) => {
                not_found("Dead letter not found", "It was deleted or never existed.")
            }
            Self::Conflict(fresh) => stale("This product has changed", &fresh),
            Self::DeadLetterConflict(fresh) => stale("This dead letter has changed", &fresh),
            Self::StillRefused(reason) => still_refused("The message still can't be applied", &reason),
            Self::DetailsVersionMissing => Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "version-missing",
                "The change doesn't say which version it's based on",
                "Send the last `detailsVersion` you saw. If-Match is the version of the stock.",
            ),
            Self::KeyReused(error) => error.into_problem(),
            Self::Contention => {
                tracing::warn!(error = %self, "an inventory request failed because of contention");
                Problem::busy("Other requests kept changing the same data. Nothing was saved; try again.")
            }
            Self::Cursor(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}
