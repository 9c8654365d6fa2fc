//! Closes dead letters: a retry applies the record, and a dismissal drops it.
//!
//! Invariant: the effects of a record are safe to repeat, so a retry that is interrupted or sent twice takes effect
//! once.

use super::domain::{DeadLetter, FailedRecord, reason_of};
use super::error::DeadLetterError;
use super::store::{DEAD_LETTERS, Stored};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::projections::Projections;
use crate::shared::dead_letters::service::DeadLetters;
use crate::shared::dead_letters::{DeadLetterId, DeadLetterStatus, Note, Reason};
use crate::shared::idempotency::{refuse, replayed_answer, write_with_record};
use crate::store::idempotency::{Done, Idempotency};
use crate::store::stream::readable;
use crate::web::lists::Listed;

/// Checks that a dead letter is open and has this version.
fn expect_open(stored: Stored, version: Version) -> Result<Stored, DeadLetterError> {
    let letter = &stored.letter;
    if letter.version != version || letter.status != DeadLetterStatus::Open {
        return Err(DeadLetterError::Conflict(Box::new(letter.clone())));
    }
    Ok(stored)
}

impl DeadLetters for Projections {
    type DeadLetter = DeadLetter;
    type Error = DeadLetterError;

    fn version_of(letter: &DeadLetter) -> Version {
        letter.version
    }

    async fn list_dead_letters(
        &self,
        status: DeadLetterStatus,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<DeadLetter>, DeadLetterError> {
        DEAD_LETTERS.page(&self.dynamo, status, limit, cursor).await
    }

    /// Applies a dead letter's record now, and drops it.
    async fn retry_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, DeadLetterError> {
        if let Some(answer) = replayed_answer(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
            return Ok(Done::Replayed(answer));
        }
        let before = match expect_open(self.find_dead_letter(id).await?, version) {
            Ok(before) => before,
            // The same request may have closed it since.
            Err(error) => return refuse(&self.dynamo, idempotency, error).await,
        };
        self.apply_record(&before).await?;
        let after = before.letter.closed(DeadLetterStatus::Applied, by, None, self.clock.now());
        self.close(&before.letter, after, idempotency).await
    }

    /// Dismisses a dead letter and drops its record.
    async fn dismiss_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        note: Option<Note>,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, DeadLetterError> {
        let before = match expect_open(self.find_dead_letter(id).await?, version) {
            Ok(before) => before.letter,
            Err(error) => return refuse(&self.dynamo, idempotency, error).await,
        };
        let after = before.closed(DeadLetterStatus::Dismissed, by, note, self.clock.now());
        self.close(&before, after, idempotency).await
    }
}

impl Projections {
    /// Writes a closed dead letter, without its record.
    async fn close(
        &self,
        before: &DeadLetter,
        after: DeadLetter,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, DeadLetterError> {
        let write = self.close_write(before, &after)?;
        match write_with_record::<_, DeadLetterError>(&self.dynamo, write, after, idempotency).await? {
            Ok(done) => Ok(done),
            Err(_) => {
                Err(DeadLetterError::Conflict(Box::new(self.find_dead_letter(before.id).await?.letter)))
            }
        }
    }

    async fn apply_record(&self, stored: &Stored) -> Result<(), DeadLetterError> {
        let Some(record) = stored.record.clone() else {
            return Err(DeadLetterError::StillRefused(Reason {
                name: "record-missing".to_owned(),
                words: "The record itself couldn't be kept. Run holdfast recount, then dismiss it."
                    .to_owned(),
            }));
        };
        let change = readable(record)
            .map_err(|unreadable| DeadLetterError::StillRefused(FailedRecord::from(&*unreadable).reason))?;
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
}
