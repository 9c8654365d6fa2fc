//! Closing dead letters: a retry applies the record, a dismissal drops it.
//!
//! What always holds: what a record does is safe to repeat, so a retry that is cut off, or sent twice, does nothing
//! twice.

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, reason_of};
use super::error::DeadLetterError;
use super::store::{Stored, close, find};
use crate::app::App;
use crate::automation::consume::apply;
use crate::dynamo::WriteError;
use crate::dynamo::ledger::{Done, Once, Recall};
use crate::dynamo::stream::readable;
use crate::inventory::domain::{Note, Reason};
use crate::leads::domain::Actor;
use crate::values::Version;

/// The dead letter, if it is open and of this version.
fn expect(stored: Stored, version: Version) -> Result<Stored, DeadLetterError> {
    let letter = &stored.letter;
    if letter.version != version || letter.status != DeadLetterStatus::Open {
        return Err(DeadLetterError::Conflict(Box::new(letter.clone())));
    }
    Ok(stored)
}

/// Applies a dead letter's record now.
///
/// # Errors
/// [`DeadLetterError::StillRefused`] with the reason of now, [`DeadLetterError::Conflict`],
/// [`DeadLetterError::NotFound`].
pub async fn retry(
    app: &App,
    id: DeadLetterId,
    version: Version,
    by: &Actor,
    once: Option<&Once<'_, DeadLetter>>,
) -> Result<Done<DeadLetter>, DeadLetterError> {
    if let Some(done) = done_before(Once::look_up(once, &app.dynamo).await?)? {
        return Ok(done);
    }
    let before = expect(find(app, id).await?, version)?;
    apply_record(app, &before).await?;
    let after = before.letter.closed(DeadLetterStatus::Applied, by, None, app.clock.now());
    let write = Once::record(once, close(app, &before.letter, &after)?, &after)?;
    match app.dynamo.write(write).await {
        Ok(()) => Ok(Done::Now(after)),
        Err(WriteError::Store(error)) => Err(error.into()),
        Err(WriteError::Refused(refusal)) => match done_before(Once::recall(once, &refusal)?)? {
            Some(done) => Ok(done),
            None => Err(DeadLetterError::Conflict(Box::new(find(app, id).await?.letter))),
        },
    }
}

fn done_before(recall: Recall) -> Result<Option<Done<DeadLetter>>, DeadLetterError> {
    match recall {
        Recall::Same(answer) => Ok(Some(Done::Before(answer))),
        Recall::Other => Err(DeadLetterError::KeyOfAnotherRequest),
        Recall::Nothing => Ok(None),
    }
}

async fn apply_record(app: &App, stored: &Stored) -> Result<(), DeadLetterError> {
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
    match apply(app, &change).await {
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
pub async fn dismiss(
    app: &App,
    id: DeadLetterId,
    version: Version,
    note: Option<Note>,
    by: &Actor,
) -> Result<DeadLetter, DeadLetterError> {
    let before = expect(find(app, id).await?, version)?.letter;
    let after = before.closed(DeadLetterStatus::Dismissed, by, note, app.clock.now());
    match app.dynamo.write(close(app, &before, &after)?).await {
        Ok(()) => Ok(after),
        Err(WriteError::Store(error)) => Err(error.into()),
        Err(WriteError::Refused(_)) => Err(DeadLetterError::Conflict(Box::new(find(app, id).await?.letter))),
    }
}
