//! Dead letters and their reasons. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::base::identity::Actor;
use crate::base::values::{Invalid, Version};
pub use crate::inventory::domain::DeadLetterStatus;
use crate::inventory::domain::{Note, Reason};
use crate::store::stream::{Change, Sequence, Unreadable};
use crate::store::{Item, Key, StoreError};

/// The id of a dead letter. It is derived from the record, so a record that is delivered twice has one dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeadLetterId(Uuid);

impl DeadLetterId {
    /// Returns the id for a record. The time separates the records of a restored table from earlier ones.
    pub fn of(record: &str, at: Option<Timestamp>) -> Self {
        let mut hash = Sha256::new();
        hash.update(record);
        hash.update(at.map_or_else(String::new, |at| format!("#{at}")));
        let hash: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl FromStr for DeadLetterId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let id = Uuid::try_parse(text).map(Self);
        id.map_err(|_| Invalid::new("This is not the id of a dead letter; one is a UUID."))
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The key of the item in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemKey {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

impl From<&Key> for ItemKey {
    fn from(key: &Key) -> Self {
        Self { pk: key.pk.clone(), sk: key.sk.clone() }
    }
}

/// A record of the stream that could not be read or applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The id.
    pub id: DeadLetterId,
    /// The key of the changed item, if it could be read.
    #[serde(default)]
    pub key: Option<ItemKey>,
    /// Why it was not applied.
    pub reason: Reason,
    /// When the item changed, if that could be read.
    #[serde(default)]
    pub changed_at: Option<Timestamp>,
    /// The status.
    pub status: DeadLetterStatus,
    /// 1 at first, incremented with every change.
    pub version: Version,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who last changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// Why it was dismissed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

impl DeadLetter {
    /// Returns the dead letter after an administrator closed it.
    pub fn closed(&self, status: DeadLetterStatus, by: &Actor, note: Option<Note>, now: Timestamp) -> Self {
        Self {
            status,
            version: self.version.next(),
            updated_at: now,
            by: Some(by.clone()),
            note,
            ..self.clone()
        }
    }
}

/// A record to store as a dead letter, with everything that is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedRecord {
    /// The id of the record.
    pub record: String,
    /// When the item changed.
    pub at: Option<Timestamp>,
    /// The sequence number in its shard.
    pub sequence: Option<Sequence>,
    /// The key of the item.
    pub key: Option<Key>,
    /// Why it was not applied.
    pub reason: Reason,
    /// The item before the change.
    pub before: Option<Item>,
    /// The item after the change.
    pub after: Option<Item>,
}

impl FailedRecord {
    /// Creates it from a change that failed.
    pub fn change(change: &Change, error: &StoreError) -> Self {
        let Change { id, at, sequence, key, before, after } = change.clone();
        let (at, sequence, key) = (Some(at), Some(sequence), Some(key));
        Self { record: id, at, sequence, key, reason: reason_of(error), before, after }
    }
}

impl From<&Unreadable> for FailedRecord {
    fn from(unreadable: &Unreadable) -> Self {
        let Unreadable { id, at, sequence, key, schema, before, after, .. } = unreadable.clone();
        let reason = match schema {
            Some(found) => other_schema(&found),
            None => unreadable_reason(),
        };
        Self { record: id, at, sequence, key, reason, before, after }
    }
}

fn reason(name: &str, words: String) -> Reason {
    Reason { name: name.to_owned(), words }
}

fn unreadable_reason() -> Reason {
    reason(
        "unreadable",
        "The record is not in a form that Holdfast writes. The log says what is wrong with it.".to_owned(),
    )
}

fn other_schema(found: &str) -> Reason {
    let words = format!(
        "Another version of Holdfast wrote it, in schema {found}. Install a version that reads this schema, then retry."
    );
    reason("other-schema", words)
}

/// Returns why a change was not applied, without any data.
pub fn reason_of(error: &StoreError) -> Reason {
    match error {
        StoreError::OtherSchema { found, .. } => other_schema(found),
        StoreError::Malformed { .. } => unreadable_reason(),
        error if error.is_outage() => {
            reason("unavailable", "The table did not take the effects of this change for an hour.".to_owned())
        }
        _ => reason("refused", "The table refused the effects of this change. The log says why.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_one_id_and_a_restored_table_has_different_ids() {
        let at = Some("2026-11-01T00:00:00Z".parse().unwrap());
        let id = DeadLetterId::of("7", at);
        assert_eq!(id, DeadLetterId::of("7", at));
        assert_ne!(id, DeadLetterId::of("8", at));
        assert_ne!(id, DeadLetterId::of("7", Some("2026-11-02T00:00:00Z".parse().unwrap())));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("x".parse::<DeadLetterId>().is_err());
    }

    #[test]
    fn reasons_contain_no_data() {
        let malformed = StoreError::Malformed {
            item: "LEAD#1 LEAD".to_owned(),
            cause: "unknown variant `ann@example.com`".to_owned(),
        };
        let other = StoreError::OtherSchema { item: "LEAD#1 LEAD".to_owned(), found: "9".to_owned() };
        for (error, name) in [(malformed, "unreadable"), (other, "other-schema")] {
            let reason = reason_of(&error);
            assert_eq!(reason.name, name);
            assert!(!reason.words.contains("ann@") && reason.words.ends_with('.'), "{}", reason.words);
        }
    }
}
