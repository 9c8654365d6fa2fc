//! The guarded write: one `TransactWriteItems` whose conditions carry the version and the rule, together with
//! everything that must be true if and only if the change happened.
//!
//! Invariants: a write that succeeded happened exactly once, even if its first reply was lost, because every attempt
//! sends the same `ClientRequestToken`. A write that was refused or failed changed nothing and never will. If an attempt
//! was not answered and no later one succeeded or was refused, [`outcome`](super::outcome) finds out what happened. An
//! outcome that cannot be found is reported as unknown.

use super::record::fence_item;
use super::transaction::SendError;
use super::{Dynamo, GuardedWrite, StoreError, WriteError};

impl Dynamo {
    /// Makes a guarded write exactly once, or not at all.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if a condition failed, [`WriteError::Store`] if the store failed.
    pub async fn write(&self, write: GuardedWrite) -> Result<(), WriteError> {
        self.refresh_schema_to_write().await?;
        let sent = self.fenced(write)?.into_sent()?;
        match self.send(&sent, self.deadline_of_write()).await {
            Ok(()) => Ok(()),
            Err(SendError::Refused(refusal)) => Err(WriteError::Refused(refusal)),
            Err(SendError::Failed(failed)) if failed.unanswered => self.find_outcome(&sent, failed).await,
            Err(SendError::Failed(failed)) => Err(WriteError::Store(failed.error)),
        }
    }

    /// Adds a record to the write, if the request asks for one and the write has none.
    fn fenced(&self, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let has_capacity = write.actions.len() < GuardedWrite::MAX_ACTIONS;
        if write.record.is_some() || !has_capacity || !self.fences_writes() {
            return Ok(write);
        }
        let item = fence_item(&write.token, self.clock.now())?;
        Ok(write.put_record("fence", item))
    }
}
