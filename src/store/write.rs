//! The guarded write: one `TransactWriteItems` whose conditions carry the version and the rule, together with
//! everything that must be true if and only if the change happened.
//!
//! Invariants: a write that succeeded happened exactly once, even if its first reply was lost, because every attempt
//! sends the same `ClientRequestToken`. A write that was refused or unavailable changed nothing and never will. If no
//! answer came until the deadline, [`outcome`](super::outcome) finds out what happened. An outcome that cannot be found
//! is reported as unknown.

use super::record::fence_item;
use super::{Dynamo, GuardedWrite, StoreError, WriteError};

impl Dynamo {
    /// Makes a guarded write exactly once, or not at all.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if a condition failed, [`WriteError::Store`] if the store failed.
    pub async fn write(&self, write: GuardedWrite) -> Result<(), WriteError> {
        self.refresh_schema_to_write().await?;
        let sent = self.fenced(write)?.into_sent()?;
        match self.send(&sent, self.deadline_of_write()).await? {
            Ok(()) => Ok(()),
            Err(exhausted) if exhausted.unanswered => self.find_outcome(&sent, exhausted).await,
            Err(exhausted) => Err(WriteError::Store(exhausted.into())),
        }
    }

    /// Adds a record to the write, if the request asks for one and the write has none.
    fn fenced(&self, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let has_room = write.actions.len() < GuardedWrite::MAX_ACTIONS;
        if write.record.is_some() || !has_room || !self.fences_writes() {
            return Ok(write);
        }
        let item = fence_item(&write.token, self.clock.now())?;
        Ok(write.put_record("fence", item))
    }
}
