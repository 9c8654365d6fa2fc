//! Writes whose refusal needs no details.

use crate::store::{Dynamo, GuardedWrite, StoreError, WriteError};

impl Dynamo {
    /// Makes a guarded write. Returns false if a condition failed, so that nothing was written.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn try_write(&self, write: GuardedWrite) -> Result<bool, StoreError> {
        match self.write(write).await {
            Ok(()) => Ok(true),
            Err(WriteError::Refused(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
