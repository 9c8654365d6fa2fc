//! What can be wrong with a request about products and parked messages.

use super::domain::{Parked, ParkedId, Product, Reason, Sku};
use crate::dynamo::{CursorError, DeadlineExceeded, StoreError};

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
    Crowded,
    /// The cursor is none of this list's.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DeadlineExceeded> for InventoryError {
    fn from(_: DeadlineExceeded) -> Self {
        Self::Crowded
    }
}
