//! Messages about stock: what one says, and where it came from.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MessageId, ProductName, Reference, Sku, Units};
use crate::values::{Invalid, Version, fingerprint, text_value};

/// What a message does to a stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Kind {
    /// Pieces were sold.
    Sale,
    /// Pieces came back.
    Return,
    /// Pieces came in.
    Receipt,
    /// Pieces were counted: the stock is this many.
    Count,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 4] = [Self::Sale, Self::Return, Self::Receipt, Self::Count];

    /// The name everywhere.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sale => "SALE",
            Self::Return => "RETURN",
            Self::Receipt => "RECEIPT",
            Self::Count => "COUNT",
        }
    }
}

impl FromStr for Kind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or_else(|| Invalid::new("A kind is SALE, RETURN, RECEIPT or COUNT."))
    }
}

text_value!(Kind);

/// One message, in the form of the schema `infra/inventory-event.schema.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// What tells it from every other.
    pub message_id: MessageId,
    /// Whose stock it changes.
    pub sku: Sku,
    /// How.
    pub kind: Kind,
    /// By how many pieces; for a COUNT, to how many.
    pub quantity: Units,
    /// When that was.
    pub occurred_at: Timestamp,
    /// What it refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What the product is called, where it is created by this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ProductName>,
    /// The version that whoever counted saw; a COUNT without it holds whatever happened since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// A message as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMessage {
    schema: u32,
    #[serde(default)]
    message_id: Option<MessageId>,
    sku: Sku,
    kind: Kind,
    quantity: Units,
    occurred_at: Timestamp,
    #[serde(default)]
    reference: Option<Reference>,
    #[serde(default)]
    name: Option<ProductName>,
    #[serde(default)]
    version: Option<Version>,
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// They are no JSON.
    #[error("It is not JSON: {0}.")]
    NotJson(String),
    /// They are JSON of another form.
    #[error("{0}")]
    OtherForm(String),
}

impl Message {
    /// The number of the schema.
    pub const SCHEMA: u32 = 1;

    /// Reads a message. `fallback` is its id where it names none.
    ///
    /// # Errors
    /// [`Flaw`] with what would be right.
    pub fn parse(bytes: &[u8], fallback: Option<MessageId>) -> Result<Self, Flaw> {
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| Flaw::NotJson(error.to_string()))?;
        Self::from_json(value, fallback)
    }

    /// Reads a message that is JSON already.
    ///
    /// # Errors
    /// [`Flaw::OtherForm`] with what would be right.
    pub fn from_json(value: serde_json::Value, fallback: Option<MessageId>) -> Result<Self, Flaw> {
        if !value.is_object() {
            return Err(Flaw::OtherForm("A message is a JSON object.".to_owned()));
        }
        let raw: RawMessage = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { String::new() } else { format!("{path}: ") };
            Flaw::OtherForm(format!("{field}{}", error.into_inner()))
        })?;
        let RawMessage { schema, message_id, sku, kind, quantity, occurred_at, reference, name, version } =
            raw;
        let other = |words: &str| Flaw::OtherForm(words.to_owned());
        if schema != Self::SCHEMA {
            return Err(other("schema: This reads messages of schema 1."));
        }
        if quantity.get() == 0 && kind != Kind::Count {
            return Err(other("quantity: Only a COUNT may say 0."));
        }
        if version.is_some() && kind != Kind::Count {
            return Err(other("version: Only a COUNT is of a version."));
        }
        let message_id = message_id.or(fallback).ok_or_else(|| other("messageId: It is missing."))?;
        Ok(Self { message_id, sku, kind, quantity, occurred_at, reference, name, version })
    }

    /// What tells this message from another with the same id: a hash of all that it says.
    pub fn fingerprint(&self) -> String {
        // Our own type always serialises.
        fingerprint(&[&serde_json::to_vec(self).unwrap_or_default()])
    }
}

/// By which way a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Way {
    /// From a topic.
    Kafka,
    /// By the JSON API.
    Api,
    /// By hand, on a page.
    Page,
    /// From a file.
    Replay,
}

/// Where a message came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// By which way.
    pub way: Way,
    /// From which topic, or which file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// From which of its partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// At which place: the offset, or the row of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
}

impl Source {
    /// A place in a topic.
    pub fn kafka(topic: &str, partition: i32, offset: i64) -> Self {
        Self {
            way: Way::Kafka,
            topic: Some(topic.to_owned()),
            partition: Some(partition),
            offset: Some(offset),
        }
    }

    /// Something that has no place, such as a request.
    pub fn of(way: Way) -> Self {
        Self { way, topic: None, partition: None, offset: None }
    }

    /// The id of a message from here that names none: its place in its topic.
    pub fn message_id(&self) -> Option<MessageId> {
        let (topic, partition, offset) = (self.topic.as_ref()?, self.partition?, self.offset?);
        format!("{topic}-{partition}-{offset}").parse().ok()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Kafka => "Kafka",
            Way::Api => "API",
            Way::Page => "Page",
            Way::Replay => "File",
        };
        f.write_str(way)?;
        if let Some(topic) = &self.topic {
            write!(f, " {topic}")?;
        }
        if let Some(partition) = self.partition {
            write!(f, "/{partition}")?;
        }
        self.offset.map_or(Ok(()), |offset| write!(f, " at {offset}"))
    }
}

/// A message on its way to the stock, with where it came from and as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// Where it came from.
    pub source: Source,
    /// As it came, for whoever looks at it where it is parked.
    pub raw: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sale() -> Value {
        json!({
            "schema": 1, "messageId": "m1", "sku": "85123a", "kind": "SALE", "quantity": 6,
            "occurredAt": "2010-12-01T08:26:00Z", "reference": "536365",
        })
    }

    #[test]
    fn a_message_is_read_and_its_sku_is_in_upper_case() {
        let message = Message::parse(sale().to_string().as_bytes(), None).unwrap();
        assert_eq!((message.sku.as_str(), message.kind, message.quantity.get()), ("85123A", Kind::Sale, 6));
        assert_eq!(message.message_id.as_str(), "m1");
    }

    #[test]
    fn a_message_without_an_id_has_that_of_its_place() {
        let mut without = sale();
        without.as_object_mut().unwrap().remove("messageId");
        let bytes = without.to_string().into_bytes();
        let source = Source::kafka("inventory-events", 3, 120);
        let message = Message::parse(&bytes, source.message_id()).unwrap();
        assert_eq!(message.message_id.as_str(), "inventory-events-3-120");
        assert!(Message::parse(&bytes, None).is_err());
        assert_eq!(source.to_string(), "Kafka inventory-events/3 at 120");
        assert_eq!(Source::of(Way::Page).to_string(), "Page");
    }

    #[test]
    fn what_is_no_message_is_told_with_the_field() {
        for bytes in ["", "{", "nonsense", "\u{feff}{}", "{} {}"] {
            assert!(matches!(Message::parse(bytes.as_bytes(), None), Err(Flaw::NotJson(_))), "{bytes}");
        }
        assert!(matches!(Message::parse(&[0xff, 0xfe], None), Err(Flaw::NotJson(_))));
        for (field, value) in [
            ("schema", json!(2)),
            ("schema", json!("1")),
            ("sku", json!("")),
            ("sku", json!(null)),
            ("kind", json!("sale")),
            ("kind", json!("GIFT")),
            ("quantity", json!(-1)),
            ("quantity", json!(0)),
            ("quantity", json!(1.5)),
            ("quantity", json!("6")),
            ("quantity", json!(1_000_000_001)),
            ("occurredAt", json!("yesterday")),
            ("occurredAt", json!(1_291_190_760)),
            ("reference", json!("")),
            ("messageId", json!("a b")),
            ("version", json!(3)),
            ("price", json!(2.55)),
        ] {
            let mut message = sale();
            message[field] = value.clone();
            let flaw = Message::parse(message.to_string().as_bytes(), None).unwrap_err();
            assert!(flaw.to_string().contains(field), "{field} = {value}: {flaw}");
        }
        for value in [json!([]), json!(1), json!(null), json!("SALE")] {
            assert!(matches!(Message::from_json(value, None), Err(Flaw::OtherForm(_))));
        }
    }

    /// The published schema and the reader agree about every field; the reader also forgives white space around texts, and
    /// null where a field may be missing.
    #[test]
    fn the_published_schema_says_what_the_reader_takes() {
        let schema = include_str!("../../../infra/inventory-event.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let schema = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        let with = |changes: &[(&str, Value)]| {
            let mut message = sale();
            for (field, value) in changes {
                message[field] = value.clone();
            }
            message
        };
        let long = |length: usize| json!("x".repeat(length));
        let count = ("kind", json!("COUNT"));
        let mut cases: Vec<(Value, bool)> = vec![
            (with(&[]), true),
            (with(&[("kind", json!("RETURN"))]), true),
            (with(&[("kind", json!("RECEIPT")), ("name", json!("WHITE METAL LANTERN é"))]), true),
            (with(&[count.clone(), ("quantity", json!(0))]), true),
            (with(&[count.clone(), ("version", json!(7))]), true),
            (with(&[count.clone(), ("version", json!(9_007_199_254_740_991_u64))]), true),
            (with(&[count.clone(), ("version", json!(9_007_199_254_740_992_u64))]), false),
            (with(&[count, ("version", json!(0))]), false),
            (with(&[("quantity", json!(1_000_000_000))]), true),
            (with(&[("messageId", long(200))]), true),
            (with(&[("sku", long(40))]), true),
            (with(&[("sku", json!("._-a"))]), true),
            (with(&[("reference", long(120)), ("name", long(120))]), true),
            (with(&[("occurredAt", json!("2010-12-01T08:26:00.123-05:00"))]), true),
        ];
        let bad = [
            ("schema", vec![json!(0), json!(2), json!("1"), json!(null)]),
            ("messageId", vec![json!(""), json!("a b"), json!("é"), json!(7), long(201)]),
            ("sku", vec![json!(""), json!("a b"), json!("a/b"), json!(".."), json!("é"), json!(7), long(41)]),
            ("kind", vec![json!("sale"), json!("GIFT"), json!(""), json!(1), json!(null)]),
            (
                "quantity",
                vec![json!(-1), json!(0), json!(1.5), json!("6"), json!(null), json!(1_000_000_001)],
            ),
            (
                "occurredAt",
                vec![json!("yesterday"), json!("2010-12-01"), json!("2010-12-01T08:26:00"), json!(1)],
            ),
            ("reference", vec![json!(""), json!(" "), json!("a\u{0}b"), json!(5), long(121)]),
            ("name", vec![json!(""), json!("a\u{7}b"), json!(["a"]), long(121)]),
            ("version", vec![json!(3), json!("3"), json!(1.5)]),
            ("price", vec![json!(2.55)]),
        ];
        for (field, values) in bad {
            cases.extend(values.into_iter().map(|value| (with(&[(field, value)]), false)));
        }
        for field in ["schema", "sku", "kind", "quantity", "occurredAt"] {
            let mut without = sale();
            without.as_object_mut().unwrap().remove(field);
            cases.push((without, false));
        }
        cases.extend([json!([]), json!(null), json!("SALE"), json!({})].map(|value| (value, false)));
        for (message, good) in cases {
            assert_eq!(schema.is_valid(&message), good, "the schema on {message}");
            assert_eq!(Message::from_json(message.clone(), None).is_ok(), good, "the reader on {message}");
        }
    }

    #[test]
    fn a_count_may_say_zero_and_name_a_version() {
        let mut count = sale();
        count["kind"] = json!("COUNT");
        count["quantity"] = json!(0);
        count["version"] = json!(7);
        let message = Message::from_json(count, None).unwrap();
        assert_eq!((message.quantity.get(), message.version.map(Version::get)), (0, Some(7)));
    }

    #[test]
    fn a_fingerprint_is_of_what_a_message_says_and_not_of_how_it_is_written() {
        let one = Message::from_json(sale(), None).unwrap();
        let spaced = serde_json::to_string_pretty(&sale()).unwrap().replace("85123a", "85123A");
        assert_eq!(Message::parse(spaced.as_bytes(), None).unwrap().fingerprint(), one.fingerprint());
        let mut other = sale();
        other["quantity"] = json!(7);
        assert_ne!(Message::from_json(other, None).unwrap().fingerprint(), one.fingerprint());
    }
}
