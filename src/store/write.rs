//! The guarded write: one `TransactWriteItems` whose conditions carry the version and the rule, together with
//! everything that must be true if and only if the change happened.
//!
//! What always holds: a write that succeeded happened exactly once, also when its first reply was lost (the same
//! `ClientRequestToken` goes with every attempt); a write that was refused or unavailable changed nothing and never will.
//! Where an attempt was not answered until the deadline, [`outcome`](super::outcome) finds out what became of it, and what
//! cannot be found out is said to be unknown.

use super::record::fence_item;
use super::{Dynamo, GuardedWrite, StoreError, WriteError};

impl Dynamo {
    /// Does a guarded write: once, or not at all.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if a condition did not hold, [`WriteError::Store`] if the store failed.
    pub async fn write(&self, write: GuardedWrite) -> Result<(), WriteError> {
        self.ask_for_form().await?;
        let sent = self.fenced(write)?.into_sent()?;
        match self.send(&sent, self.deadline_of_write()).await? {
            Ok(()) => Ok(()),
            Err(given_up) if given_up.unanswered => self.find_outcome(&sent, given_up).await,
            Err(given_up) => Err(WriteError::Store(given_up.into())),
        }
    }

    /// The write with a record of its own, if its request asks for one and the write has none.
    fn fenced(&self, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let has_room = write.actions.len() < GuardedWrite::MAX_ACTIONS;
        if write.record.is_some() || !has_room || !self.fences_writes() {
            return Ok(write);
        }
        let item = fence_item(&write.token, self.clock.now())?;
        Ok(write.put_record("fence", item))
    }
}
