//! Dead letters and their reasons. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::shared::dead_letters::{DeadLetterId, DeadLetterStatus, Note, Reason};
use crate::store::stream::{Change, Sequence, Unreadable};
use crate::store::{Item, Key, StoreError};

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
        let (version, by) = (self.version.next(), Some(by.clone()));
        Self { status, version, updated_at: now, by, note, ..self.clone() }
    }
}

/// Returns the id of a record's dead letter. The time separates the records of a restored table from earlier ones.
pub(super) fn id_of(record: &str, at: Option<Timestamp>) -> DeadLetterId {
    let mut hash = Sha256::new();
    hash.update(record);
    hash.update(at.map_or_else(String::new, |at| format!("#{at}")));
    hash.into()
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
    reason("unreadable", "Holdfast can't read this record. See the log for details.".to_owned())
}

fn other_schema(found: &str) -> Reason {
    let words = format!(
        "A different version of Holdfast wrote it in schema {found}. Install a version that reads this schema, then retry."
    );
    reason("other-schema", words)
}

/// Returns why a change was not applied, without any data.
pub fn reason_of(error: &StoreError) -> Reason {
    match error {
        StoreError::OtherSchema { found, .. } => other_schema(found),
        StoreError::Malformed { .. } => unreadable_reason(),
        error if error.is_outage() => reason(
            "unavailable",
            "The database didn't accept the effects of this change for an hour.".to_owned(),
        ),
        _ => reason(
            "refused",
            "The database refused the effects of this change. See the log for details.".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_one_id_and_a_restored_table_has_different_ids() {
        let at = Some("2026-11-01T00:00:00Z".parse().unwrap());
        let id = id_of("7", at);
        assert_eq!(id, id_of("7", at));
        assert_ne!(id, id_of("8", at));
        assert_ne!(id, id_of("7", Some("2026-11-02T00:00:00Z".parse().unwrap())));
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
