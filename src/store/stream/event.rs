//! Reads the event with records of the stream that Lambda hands to a function.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{Batch, Change, Raw, Sequence, Unreadable, readable};
use crate::base::values::fingerprint;
use crate::store::Item;
use crate::store::item::key_of;

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
    use crate::store::Key;
    use aws_sdk_dynamodb::types::AttributeValue;
    use serde_json::json;

    fn event() -> Value {
        let text = include_str!("../../../tests/fixtures/events/stream.json");
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
}
