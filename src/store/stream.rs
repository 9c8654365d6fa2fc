//! Changes from the table's stream, each with the item before and after it.
//!
//! Invariants: the changes of one item arrive in the order in which they happened, each at least once. A change that
//! arrives twice must count once, so a consumer must store the [`id`](Change::id) or compare versions. A record that
//! cannot be read arrives as [`Unreadable`] beside the changes, so it blocks none of them.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::item::key_of;
use super::schema_versions::SCHEMA_VERSIONS;
use super::{Item, Key, StoreError};
use crate::base::values::{Invalid, fingerprint, text_value};

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

/// The value is not an event of a stream. The text names the place and never quotes a value, which may be personal
/// data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no event of a DynamoDB stream: {0}")]
pub struct EventError(String);

/// The event that Lambda hands to a function (source: "Using AWS Lambda with Amazon DynamoDB", example event).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    records: Vec<Value>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventID")]
    id: String,
    dynamodb: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    /// Seconds, with or without a fraction.
    approximate_creation_date_time: f64,
    keys: Image,
    old_image: Option<Image>,
    new_image: Option<Image>,
    sequence_number: Sequence,
}

type Image = HashMap<String, serde_dynamo::AttributeValue>;

/// Reads the records of a Lambda event, in order. A record that cannot be read is not an error: it is added to
/// [`Batch::unreadable`].
///
/// # Errors
/// [`EventError`] if the event itself is not in DynamoDB's format.
pub fn batch(event: Value) -> Result<Batch, EventError> {
    let event: Event = serde_path_to_error::deserialize(event).map_err(|error| {
        let place = match error.path().to_string() {
            root if root == "." => "the event".to_owned(),
            path => path,
        };
        EventError(format!("{place} is missing a field or malformed."))
    })?;
    let mut batch = Batch::default();
    for (index, record) in event.records.into_iter().enumerate() {
        batch.push(record_of(index, record));
    }
    Ok(batch)
}

/// Reads one record of an event. Error messages name its index in the event.
fn record_of(index: usize, value: Value) -> Result<Change, Box<Unreadable>> {
    let read: Result<Record, _> = serde_path_to_error::deserialize(value.clone());
    let Record { id, dynamodb: body } = read.map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => format!(".{path}"),
        };
        partly_read(&value, format!("Records[{index}]{path} is missing a field or malformed"))
    })?;
    let wrong = |cause: &str| partly_read(&value, format!("Records[{index}].dynamodb {cause}"));
    let at = timestamp(body.approximate_creation_date_time).ok_or_else(|| wrong("has an impossible time"))?;
    let key =
        key_of(&item(body.keys)).ok_or_else(|| wrong("has a key that is not pk and sk, both strings"))?;
    let (before, after) = (body.old_image.map(item), body.new_image.map(item));
    let raw = Raw { id, at, sequence: body.sequence_number, key, before, after };
    readable(raw).map_err(|mut unreadable| {
        unreadable.cause = format!("Records[{index}].dynamodb {}", unreadable.cause);
        unreadable
    })
}

/// Reads the parts that can be read of a record that cannot be read as a whole.
fn partly_read(record: &Value, cause: String) -> Box<Unreadable> {
    let body = &record["dynamodb"];
    let image = |name: &str| serde_json::from_value::<Image>(body[name].clone()).ok().map(item);
    let sequence = body["SequenceNumber"].as_str().and_then(|text| text.parse::<Sequence>().ok());
    let id = record["eventID"].as_str().map(str::to_owned);
    // A record without an id is identified by its content.
    let id = id.unwrap_or_else(|| fingerprint(&[record.to_string().as_bytes()]));
    Box::new(Unreadable {
        id,
        at: body["ApproximateCreationDateTime"].as_f64().and_then(timestamp),
        sequence,
        key: image("Keys").as_ref().and_then(key_of),
        cause,
        schema: None,
        before: image("OldImage"),
        after: image("NewImage"),
    })
}

fn timestamp(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_duration(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

/// Converts an image to an item of the SDK.
fn item(image: Image) -> Item {
    image.into_iter().map(|(name, value)| (name, value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use proptest::prelude::*;
    use serde_json::json;

    fn event() -> Value {
        let text = include_str!("../../tests/fixtures/events/stream.json");
        serde_json::from_str(text).unwrap()
    }

    fn text(item: Option<&Item>, name: &str) -> String {
        item.unwrap()[name].as_s().unwrap().clone()
    }

    #[test]
    fn a_lambda_event_yields_its_changes_in_order() {
        let Batch { changes, unreadable } = batch(event()).unwrap();
        assert_eq!(unreadable, []);
        let [created, changed, expired] = &changes[..] else { panic!("{changes:#?}") };
        let lead = "LEAD#0195a3c4-7d10-7e3b-9c53-5a1f0c2e8d41";
        assert_eq!(created.id, "7de3041dd709b024af6f29e4fa13d34c");
        assert_eq!(created.at, "2026-11-21T22:04:00Z".parse().unwrap());
        assert_eq!(created.key, Key::new(lead, "LEAD"));
        assert!(created.before.is_none());
        assert_eq!(text(created.after.as_ref(), "name"), "Ada Lovelace");

        assert_eq!(changed.key, created.key);
        assert_eq!(changed.before, created.after);
        let after = changed.after.as_ref().unwrap();
        assert_eq!(after["leadScore"], AttributeValue::N("80".into()));
        assert_eq!(after["note"], AttributeValue::Null(true));
        assert_eq!(after["tags"], AttributeValue::Ss(vec!["hot".into(), "new".into()]));
        assert!(changed.sequence > created.sequence);
        assert_eq!(changed.at, "2026-11-21T22:04:02.5Z".parse().unwrap());

        assert!(expired.after.is_none());
        assert_eq!(text(expired.before.as_ref(), "sk"), "ATTEMPTS");
        assert_eq!(expired.sequence.as_issued(), "700000000012345678901234567");
    }

    #[test]
    fn an_event_without_records_is_an_empty_batch() {
        assert!(batch(json!({ "Records": [] })).unwrap().is_empty());
    }

    #[test]
    fn an_unreadable_record_is_reported_with_its_place_and_without_its_data() {
        let body = "/Records/0/dynamodb";
        let broken: [(&str, Value, &str); 8] = [
            ("/Records/0/eventID", json!(null), "Records[0].eventID is"),
            (&format!("{body}/SequenceNumber"), json!("x1"), "Records[0].dynamodb.SequenceNumber is"),
            (&format!("{body}/Keys/pk"), json!({ "S": 1 }), "Records[0].dynamodb.Keys.pk"),
            (&format!("{body}/Keys/pk"), json!({ "N": "1" }), "Records[0].dynamodb has a key"),
            (
                &format!("{body}/NewImage/email"),
                json!("ada@example.com"),
                "Records[0].dynamodb.NewImage.email",
            ),
            (&format!("{body}/NewImage"), json!(null), "Records[0].dynamodb has no image"),
            (&format!("{body}/ApproximateCreationDateTime"), json!(1e300), "Records[0].dynamodb has an imp"),
            (&format!("{body}/NewImage/schema"), json!({ "N": "9" }), "of a schema"),
        ];
        for (pointer, value, expected) in broken {
            let mut event = event();
            match event.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => event["Records"][0]["dynamodb"]["NewImage"]["schema"] = value,
            }
            let Batch { changes, unreadable } = batch(event).expect(pointer);
            let [one] = &unreadable[..] else { panic!("{pointer}: {unreadable:?}") };
            assert_eq!(changes.len(), 2, "{pointer}: the other records are read");
            assert!(one.cause.contains(expected), "{pointer}: {}", one.cause);
            assert!(!one.cause.contains("ada@"), "{}", one.cause);
            assert!(!one.id.is_empty());
            assert_eq!(one.key.is_some(), !pointer.contains("/Keys/"), "{pointer}");
        }
    }

    #[test]
    fn a_value_that_is_not_an_event_is_rejected() {
        let other = batch(json!({ "version": "2.0" })).unwrap_err().to_string();
        assert_eq!(
            other,
            "this is no event of a DynamoDB stream: the event is missing a field or malformed."
        );
        assert!(batch(json!(null)).is_err());
        let records = batch(json!({ "Records": "a" })).unwrap_err().to_string();
        assert!(records.contains("Records is"), "{records}");
    }

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
