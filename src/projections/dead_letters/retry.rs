//! Closing dead letters: a retry applies the record, a dismissal drops it.
//!
//! What always holds: what a record does is safe to repeat, so a retry that is cut off, or sent twice, does nothing
//! twice.

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, reason_of};
use super::error::DeadLetterError;
use super::store::Stored;
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::inventory::domain::{Note, Reason};
use crate::projections::Projections;
use crate::store::WriteError;
use crate::store::ledger::{Done, Idempotency, Lookup};
use crate::store::stream::readable;

/// The dead letter, if it is open and of this version.
fn expect(stored: Stored, version: Version) -> Result<Stored, DeadLetterError> {
    let letter = &stored.letter;
    if letter.version != version || letter.status != DeadLetterStatus::Open {
        return Err(DeadLetterError::Conflict(Box::new(letter.clone())));
    }
    Ok(stored)
}

impl Projections {
    /// Applies a dead letter's record now.
    ///
    /// # Errors
    /// [`DeadLetterError::StillRefused`] with the reason of now, [`DeadLetterError::Conflict`],
    /// [`DeadLetterError::NotFound`].
    pub async fn retry_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, DeadLetterError> {
        if let Some(done) = done_before(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
            return Ok(done);
        }
        let before = expect(self.find_dead_letter(id).await?, version)?;
        self.apply_record(&before).await?;
        let after = before.letter.closed(DeadLetterStatus::Applied, by, None, self.clock.now());
        let write =
            Idempotency::record(idempotency, self.close_dead_letter(&before.letter, &after)?, &after)?;
        match self.dynamo.write(write).await {
            Ok(()) => Ok(Done::Now(after)),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) => {
                match done_before(Idempotency::recall(idempotency, &refusal)?)? {
                    Some(done) => Ok(done),
                    None => Err(DeadLetterError::Conflict(Box::new(self.find_dead_letter(id).await?.letter))),
                }
            }
        }
    }
}

fn done_before(recall: Lookup) -> Result<Option<Done<DeadLetter>>, DeadLetterError> {
    match recall {
        Lookup::Same(answer) => Ok(Some(Done::Replayed(answer))),
        Lookup::Other => Err(DeadLetterError::KeyOfAnotherRequest),
        Lookup::Nothing => Ok(None),
    }
}

impl Projections {
    async fn apply_record(&self, stored: &Stored) -> Result<(), DeadLetterError> {
        let Some(record) = stored.record.clone() else {
            return Err(DeadLetterError::StillRefused(Reason {
                name: "record-missing".to_owned(),
                words: "The record itself could not be kept. Run holdfast recount for the statistics, then dismiss it."
                    .to_owned(),
            }));
        };
        let change = readable(record).map_err(|unreadable| {
            DeadLetterError::StillRefused(super::domain::Failed::from(&*unreadable).reason)
        })?;
        match self.apply(&change).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_outage() => Err(error.into()),
            Err(error) => {
                let id = stored.letter.id;
                tracing::error!(%id, %error, "a dead letter still cannot be applied");
                Err(DeadLetterError::StillRefused(reason_of(&error)))
            }
        }
    }

    /// Dismisses a dead letter: its record is dropped.
    ///
    /// # Errors
    /// [`DeadLetterError::NotFound`], [`DeadLetterError::Conflict`].
    pub async fn dismiss_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        note: Option<Note>,
        by: &Actor,
    ) -> Result<DeadLetter, DeadLetterError> {
        let before = expect(self.find_dead_letter(id).await?, version)?.letter;
        let after = before.closed(DeadLetterStatus::Dismissed, by, note, self.clock.now());
        match self.dynamo.write(self.close_dead_letter(&before, &after)?).await {
            Ok(()) => Ok(after),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(_)) => {
                Err(DeadLetterError::Conflict(Box::new(self.find_dead_letter(id).await?.letter)))
            }
        }
    }
}
