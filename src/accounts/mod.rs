//! Accounts: who may use Holdfast.

pub mod domain;

use http::HeaderMap;

use crate::app::App;
use crate::dynamo::StoreError;
use domain::SignedIn;

/// Why a request about accounts was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who sends a request, by its session cookie or its token. At most one call.
///
/// # Errors
/// [`AccountError::Store`] if the store failed.
pub async fn authenticate(_app: &App, _headers: &HeaderMap) -> Result<Option<SignedIn>, AccountError> {
    Ok(None)
}
