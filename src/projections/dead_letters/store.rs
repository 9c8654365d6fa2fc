//! Dead letters in the table.
//!
//! Invariants: the first dead letter of a record stays; a closed one contains nothing of the record.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::domain::{DeadLetter, FailedRecord, ItemKey, id_of};
use super::error::DeadLetterError;
use crate::base::telemetry::metrics;
use crate::base::values::Version;
use crate::projections::Projections;
use crate::shared::dead_letters::table::DeadLetterList;
use crate::shared::dead_letters::{DeadLetterId, DeadLetterStatus};
use crate::store::schema::TTL;
use crate::store::stream::{Raw, Sequence};
use crate::store::{Condition, GuardedWrite, Item, Key, StoreError, WriteError, from_item, to_attribute};

/// The dead letters of the stream.
pub(super) const DEAD_LETTERS: DeadLetterList = DeadLetterList {
    sort_key: "DEADLETTER",
    partition: "DEADLETTERS",
    name: "dead letters",
    oldest_first: false,
};
/// The attribute with the id of the record in the stream.
const RECORD: &str = "record";
const SEQUENCE: &str = "sequence";
const BEFORE: &str = "before";
const AFTER: &str = "after";
/// The maximum size of a stored record in bytes. An item may have 400 KB.
const MAX_BYTES: usize = 300_000;
/// How long a closed dead letter is kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

fn item(letter: &DeadLetter) -> Result<Item, StoreError> {
    DEAD_LETTERS.item(letter, letter.id, letter.status, letter.created_at)
}

/// Returns the item of a record that failed now.
fn failed_item(failed: &FailedRecord, now: Timestamp) -> Result<(DeadLetterId, Item), StoreError> {
    let letter = DeadLetter {
        id: id_of(&failed.record, failed.at),
        key: failed.key.as_ref().map(ItemKey::from),
        reason: failed.reason.clone(),
        changed_at: failed.at,
        status: DeadLetterStatus::Open,
        version: Version::FIRST,
        created_at: now,
        updated_at: now,
        by: None,
        note: None,
    };
    let mut item = item(&letter)?;
    item.insert(RECORD.to_owned(), AttributeValue::S(failed.record.clone()));
    if let Some(sequence) = &failed.sequence {
        item.insert(SEQUENCE.to_owned(), AttributeValue::S(sequence.as_str().to_owned()));
    }
    let images = [(BEFORE, &failed.before), (AFTER, &failed.after)];
    // The debug output of an item is larger than the item in the table.
    let bytes: usize = images.iter().map(|(_, image)| format!("{image:?}").len()).sum();
    if bytes <= MAX_BYTES {
        for (name, image) in images {
            let image = image.clone().map(AttributeValue::M);
            item.extend(image.map(|image| (name.to_owned(), image)));
        }
    }
    Ok((letter.id, item))
}

impl Projections {
    /// Stores a record that cannot be read or applied. A record that is stored already stays the same.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed; the record must then be delivered again.
    pub async fn add_dead_letter(&self, failed: &FailedRecord) -> Result<(), StoreError> {
        let (id, item) = failed_item(failed, self.clock.now())?;
        let write = self.background.guarded_write().put("dead letter", item, Condition::Absent);
        match self.background.write(write).await {
            Ok(()) => {
                metrics::dead_letter();
                let reason = &failed.reason.name;
                tracing::error!(%id, reason, "a record of the stream became a dead letter");
                Ok(())
            }
            Err(WriteError::Refused(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}

/// A dead letter with its record, if that was stored and can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The dead letter.
    pub letter: DeadLetter,
    /// The record with its raw images.
    pub record: Option<Raw>,
}

impl Projections {
    /// Returns a dead letter, read consistently.
    ///
    /// # Errors
    /// [`DeadLetterError::NotFound`].
    pub async fn find_dead_letter(&self, id: DeadLetterId) -> Result<Stored, DeadLetterError> {
        let mut item = self.dynamo.get(&DEAD_LETTERS.key(id)).await?.ok_or(DeadLetterError::NotFound(id))?;
        let mut image = |name: &str| match item.remove(name) {
            Some(AttributeValue::M(image)) => Some(image),
            _ => None,
        };
        let (before, after) = (image(BEFORE), image(AFTER));
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let (record, sequence) = (text(RECORD), text(SEQUENCE));
        let letter: DeadLetter = from_item(item)?;
        let record = || {
            let sequence: Sequence = sequence?.parse().ok()?;
            let ItemKey { pk, sk } = letter.key.clone()?;
            (before.is_some() || after.is_some()).then_some(())?;
            Some(Raw { id: record?, at: letter.changed_at?, sequence, key: Key { pk, sk }, before, after })
        };
        Ok(Stored { record: record(), letter })
    }

    /// Returns the write that closes a dead letter and drops its record.
    pub(super) fn close_write(
        &self,
        before: &DeadLetter,
        after: &DeadLetter,
    ) -> Result<GuardedWrite, StoreError> {
        let mut item = item(after)?;
        let until = after.updated_at.saturating_add(RETENTION).unwrap_or(Timestamp::MAX);
        item.insert(TTL.to_owned(), to_attribute(until.as_second())?);
        let same = Condition::is_number("version", before.version.get());
        Ok(self.dynamo.guarded_write().put("dead letter", item, same))
    }
}
