//! Changes from the table's stream, each with the item before and after it.
//!
//! Invariants: the changes of one item arrive in the order in which they happened, each at least once. A change that
//! arrives twice must count once, so a consumer must store the [`id`](Change::id) or compare versions. A record that
//! cannot be read arrives as [`Unreadable`] beside the changes, so it blocks none of them.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::schema_versions::SCHEMA_VERSIONS;
use super::{Item, Key, StoreError};
use crate::base::values::{Invalid, text_value};

pub use self::event::{EventError, batch};

mod event;

/// A change of an item. The stream may deliver it more than once.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Identifies the change, and is the same with every delivery.
    pub id: String,
    /// When it happened, to about a second.
    pub at: Timestamp,
    /// The position among the changes of its shard.
    pub sequence: Sequence,
    /// The item's key.
    pub key: Key,
    /// The item before the change, or `None` if the change created it.
    pub before: Option<Item>,
    /// The item after the change, or `None` if the change deleted it.
    pub after: Option<Item>,
}

/// The records of one read of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// The records that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

impl Batch {
    /// Whether it has no records.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.unreadable.is_empty()
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.changes.len() + self.unreadable.len()
    }

    /// Adds a record.
    pub fn push(&mut self, record: Result<Change, Box<Unreadable>>) {
        match record {
            Ok(change) => self.changes.push(change),
            Err(unreadable) => self.unreadable.push(*unreadable),
        }
    }
}

/// A record of a stream that this program cannot read, with the parts that it can read.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// Identifies the record, and is the same with every delivery.
    pub id: String,
    /// When it happened, if that can be read.
    pub at: Option<Timestamp>,
    /// The position among the records of its shard, if it can be read.
    pub sequence: Option<Sequence>,
    /// The item's key, if that can be read.
    pub key: Option<Key>,
    /// Why it cannot be read. The text names the place and never quotes a value, which may be personal data.
    pub cause: String,
    /// The item's schema, if this program does not read that schema.
    pub schema: Option<String>,
    /// The item before the change, unconverted.
    pub before: Option<Item>,
    /// The item after the change, unconverted.
    pub after: Option<Item>,
}

/// Converts a raw record to a change.
///
/// # Errors
/// [`Unreadable`] if there is no image, or if this program does not read an image's schema.
pub fn readable(record: Raw) -> Result<Change, Box<Unreadable>> {
    if record.before.is_none() && record.after.is_none() {
        return Err(record.unreadable("has no image: the stream must carry NEW_AND_OLD_IMAGES", None));
    }
    let read =
        |image: &Option<Item>| image.clone().map(|image| SCHEMA_VERSIONS.to_current(image)).transpose();
    match read(&record.before).and_then(|before| Ok((before, read(&record.after)?))) {
        Ok((before, after)) => {
            let Raw { id, at, sequence, key, .. } = record;
            Ok(Change { id, at, sequence, key, before, after })
        }
        Err(StoreError::OtherSchema { found, .. }) => {
            Err(record.unreadable("has an image of a schema that this program does not read", Some(found)))
        }
        Err(_) => Err(record.unreadable("has an image that cannot be read", None)),
    }
}

/// A record with unconverted images.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Identifies the record, and is the same with every delivery.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The position among the records of its shard.
    pub sequence: Sequence,
    /// The item's key.
    pub key: Key,
    /// The item before the change, in the schema in which it was written.
    pub before: Option<Item>,
    /// The item after the change, in the schema in which it was written.
    pub after: Option<Item>,
}

impl Raw {
    fn unreadable(self, cause: &str, schema: Option<String>) -> Box<Unreadable> {
        let Self { id, at, sequence, key, before, after } = self;
        let (at, sequence, key, cause) = (Some(at), Some(sequence), Some(key), cause.to_owned());
        Box::new(Unreadable { id, at, sequence, key, cause, schema, before, after })
    }
}

/// The position of a change in its shard. Later is greater, also as text, because the number is padded to 40 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sequence(String);

impl Default for Sequence {
    /// Returns a position before all others.
    fn default() -> Self {
        Self("0".repeat(Self::DIGITS))
    }
}

impl Sequence {
    /// The most digits that DynamoDB uses.
    const DIGITS: usize = 40;
    /// The fewest digits that DynamoDB uses and accepts.
    const FEWEST: usize = 21;

    /// Returns the number with 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number in the form that the stream issued and accepts.
    pub fn as_issued(&self) -> &str {
        let zeros = self.0.bytes().take_while(|digit| *digit == b'0').count();
        &self.0[zeros.min(Self::DIGITS - Self::FEWEST)..]
    }
}

impl FromStr for Sequence {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (1..=Self::DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(format!("{text:0>40}")))
        } else {
            Err(Invalid::new("A sequence number has 1 to 40 digits."))
        }
    }
}

text_value!(Sequence);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sequences_sort_as_numbers_and_round_trip_as_text(a in any::<u128>(), b in any::<u128>()) {
            let [first, second]: [Sequence; 2] = [a, b].map(|number| number.to_string().parse().unwrap());
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            prop_assert_eq!(first.as_str().cmp(second.as_str()), a.cmp(&b));
            prop_assert_eq!(first.as_issued().parse::<u128>().unwrap(), a);
            let json = serde_json::to_string(&first).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sequence>(&json).unwrap(), first);
        }
    }

    #[test]
    fn a_sequence_is_issued_in_the_form_in_which_it_arrived() {
        for issued in [
            "000000000000000000007",
            "100000000000000000007",
            "4421584500000000017450439091",
            &"9".repeat(40),
        ] {
            assert_eq!(issued.parse::<Sequence>().unwrap().as_issued(), issued);
        }
        for wrong in ["", "1.5", "-1", " 1", "１", &"1".repeat(41)] {
            assert!(wrong.parse::<Sequence>().is_err(), "{wrong:?}");
        }
    }
}
