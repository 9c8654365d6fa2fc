//! Failures about products and parked messages → status and words.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Problem, bad_cursor, busy, key_of_another_request, store_problem};
use crate::inventory::InventoryError;

pub(super) fn problem(error: InventoryError) -> Problem {
    use StatusCode as S;
    let stale = |what: &'static str, fresh: Value| {
        let detail = "Nothing was written. `fresh` is as it is now; send the change again with its version.";
        Problem::new(S::CONFLICT, "conflict", what, detail).with("fresh", fresh)
    };
    match error {
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
        InventoryError::Conflict(fresh) => stale("The product has changed since it was read", json!(fresh)),
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
        InventoryError::KeyOfAnotherRequest => key_of_another_request(),
        InventoryError::Crowded => {
            tracing::warn!(%error, "a request about the inventory gave way");
            busy("Others were faster until the deadline. Trying again in a moment is safe.")
        }
        InventoryError::Cursor(error) => bad_cursor(error),
        InventoryError::Store(error) => store_problem(&error),
    }
}
