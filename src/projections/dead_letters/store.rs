//! Dead letters in the table.
//!
//! Invariants: the first dead letter of a record stays; a closed one contains nothing of the record.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, FailedRecord, ItemKey};
use super::error::DeadLetterError;
use crate::base::telemetry::metrics;
use crate::base::values::Version;
use crate::projections::Projections;
use crate::store::schema::{PK, STATUS_NEWEST, TTL};
use crate::store::stream::{Raw, Sequence};
use crate::store::{
    Condition, Cursor, CursorError, GuardedWrite, Item, Key, Select, StoreError, WriteError, from_item,
    to_attribute, to_item,
};

const DEAD_LETTER: &str = "DEADLETTER";
const PREFIX: &str = "DEADLETTER#";
const LIST: &str = "dead letters";
/// The attribute with the id of the record in the stream.
const RECORD: &str = "record";
const SEQUENCE: &str = "sequence";
const BEFORE: &str = "before";
const AFTER: &str = "after";
/// The maximum size of a stored record in bytes. An item may have 400 KB.
const MAX_BYTES: usize = 300_000;
/// How long a closed dead letter is kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

fn key(id: DeadLetterId) -> Key {
    Key::new(format!("{PREFIX}{id}"), DEAD_LETTER)
}

fn partition(status: DeadLetterStatus) -> String {
    format!("DEADLETTERS#{status}")
}

fn sort(letter: &DeadLetter) -> String {
    format!("{:015}#{}", letter.created_at.as_millisecond().max(0), letter.id)
}

fn item(letter: &DeadLetter) -> Result<Item, StoreError> {
    let mut item = to_item(&key(letter.id), letter)?;
    item.insert(STATUS_NEWEST.partition.to_owned(), AttributeValue::S(partition(letter.status)));
    item.insert(STATUS_NEWEST.sort.to_owned(), AttributeValue::S(sort(letter)));
    Ok(item)
}

/// Returns the item of a record that failed now.
fn failed_item(failed: &FailedRecord, now: Timestamp) -> Result<(DeadLetterId, Item), StoreError> {
    let letter = DeadLetter {
        id: DeadLetterId::of(&failed.record, failed.at),
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

/// A page of dead letters.
#[derive(Debug, Default)]
pub struct DeadLetterPage {
    /// The dead letters, newest first.
    pub letters: Vec<DeadLetter>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Projections {
    /// Returns a page of the dead letters with a status, newest first. Takes two calls.
    ///
    /// # Errors
    /// [`DeadLetterError::Cursor`] for a cursor of another list.
    pub async fn list_dead_letters(
        &self,
        status: DeadLetterStatus,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<DeadLetterPage, DeadLetterError> {
        let mut select = Select::index(STATUS_NEWEST, partition(status), i32::from(limit)).backwards();
        if let Some(text) = cursor {
            let cursor = Cursor::<2>::decode(LIST, text)?;
            let [sort, id] = cursor.parts();
            let id: DeadLetterId = id.parse().map_err(|_| CursorError)?;
            if !sort.ends_with(&id.to_string()) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let position = |item: &Item| {
            let text = |name: &str| item.get(name)?.as_s().ok().cloned();
            let id = text(PK)?.strip_prefix(PREFIX)?.to_owned();
            Some([text(STATUS_NEWEST.sort)?, id])
        };
        let positions: Vec<[String; 2]> = page.items.iter().filter_map(position).collect();
        let next =
            positions.last().filter(|_| page.more).map(|last| Cursor::after(last.clone()).encode(LIST));
        let keys: Vec<Key> = positions.iter().filter_map(|[_, id]| Some(key(id.parse().ok()?))).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let mut letters = items.into_iter().map(from_item).collect::<Result<Vec<DeadLetter>, _>>()?;
        // The index may be slightly old.
        letters.retain(|letter| letter.status == status);
        Ok(DeadLetterPage { letters, next })
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
        let mut item = self.dynamo.get(&key(id)).await?.ok_or(DeadLetterError::NotFound(id))?;
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
    ///
    /// # Errors
    /// [`StoreError::Malformed`], which does not happen in practice.
    pub(super) fn close_dead_letter(
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
