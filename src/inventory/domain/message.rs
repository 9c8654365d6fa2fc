//! Messages about stock: what one says, and where it came from.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MessageId, ProductName, Reference, Sku, Units};
use crate::base::fields::{
    FieldError, Fields, FromFields, integer, not_json, read_known, text, whole_number,
};
use crate::base::values::{Invalid, Version, fingerprint, text_value};

/// The most bytes that are kept of a message: a transaction holds 4 MB.
pub const MOST_KEPT: usize = 2_500_000;

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

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is nothing: a tombstone of a compacted topic, or an empty record.
    #[error("It has no value, as a tombstone of a compacted topic. A message is a JSON object.")]
    Empty,
    /// They are no JSON.
    #[error("It is not JSON: {0}.")]
    NotJson(String),
    /// They are JSON, and no object.
    #[error("A message is a JSON object.")]
    NoObject,
    /// Fields are not what they should be.
    #[error("{}", listed(.0))]
    Fields(Vec<FieldError>),
    /// Only the beginning was kept, so that there is nothing to read any more.
    #[error(
        "Only its first {kept} of {bytes} bytes were kept. Send it again in fewer than {} bytes.",
        MOST_KEPT
    )]
    Cut {
        /// How many bytes were kept.
        kept: u64,
        /// How many it had.
        bytes: u64,
    },
}

fn listed(wrong: &[FieldError]) -> String {
    wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The byte with which Confluent's wire format begins; the id of the schema follows in four more.
const FRAME: u8 = 0;

/// The JSON in bytes: behind a byte order mark and Confluent's frame, which some producers put before it.
fn json_in(bytes: &[u8]) -> Result<Value, ParseError> {
    let (body, schema) = match bytes {
        [FRAME, a, b, c, d, body @ ..] => (body, Some(u32::from_be_bytes([*a, *b, *c, *d]))),
        body => (body, None),
    };
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() && schema.is_none() {
        return Err(ParseError::Empty);
    }
    serde_json::from_slice(body).map_err(|error| match (schema, body) {
        (Some(schema), _) => ParseError::NotJson(format!(
            "it looks like Confluent's wire format with schema id {schema}, and what follows is no JSON, as in Avro"
        )),
        (None, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) => {
            ParseError::NotJson("it begins with the byte order mark of UTF-16, and UTF-8 would be right".to_owned())
        }
        (None, body) if str::from_utf8(body).is_err() => ParseError::NotJson("it is not in UTF-8".to_owned()),
        (None, _) => ParseError::NotJson(not_json(&error)),
    })
}

/// A time as RFC 3339 has it, which is narrower than ISO 8601.
///
/// # Errors
/// For anything else, such as a time without its offset.
fn moment(value: &Value) -> Result<Timestamp, Invalid> {
    let moment = value.as_str().and_then(|text| rfc3339(text.trim()));
    moment.ok_or_else(|| {
        Invalid::new(
            "Give a time in RFC 3339 with its offset from UTC, for example 2026-03-01T09:30:00-05:00.",
        )
    })
}

fn rfc3339(text: &str) -> Option<Timestamp> {
    let (local, rest) = text.split_at_checked("2026-03-01T09:30:00".len())?;
    let shape = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text.bytes().zip(pattern.bytes()).all(|(byte, pattern)| match pattern {
                b'0' => byte.is_ascii_digit(),
                mark => byte.eq_ignore_ascii_case(&mark),
            })
    };
    if !shape(local, "0000-00-00T00:00:00") {
        return None;
    }
    let digits = rest.strip_prefix('.').map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, offset) = match digits {
        Some(0) => return None,
        Some(digits) => rest.split_at_checked(digits + 1)?,
        None => ("", rest),
    };
    let is_offset = offset.eq_ignore_ascii_case("z")
        || ((shape(offset, "+00:00") || shape(offset, "-00:00"))
            && offset.get(1..3)? <= "23"
            && offset.get(4..6)? <= "59");
    if !is_offset {
        return None;
    }
    // Nothing here counts less than nanoseconds.
    let fraction = fraction.get(..10).unwrap_or(fraction);
    let moment: Timestamp = format!("{local}{fraction}{offset}").parse().ok()?;
    // A leap second is the last of a day in UTC.
    let is_leap = local.ends_with(":60");
    (!is_leap || moment.as_second().rem_euclid(86_400) == 86_399).then_some(moment)
}

/// A message while it is read: its id may be missing.
struct Sent {
    message_id: Option<MessageId>,
    sku: Sku,
    kind: Kind,
    quantity: Units,
    occurred_at: Timestamp,
    reference: Option<Reference>,
    name: Option<ProductName>,
    version: Option<Version>,
}

impl FromFields for Sent {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.required("schema", |value| match integer(value) {
            Some(Message::SCHEMA) => Ok(()),
            _ => Err(Invalid::new("This reads messages of schema 1.")),
        });
        let message_id = fields.optional("messageId", text);
        let (sku, kind) = (fields.required("sku", text), fields.required("kind", text));
        let quantity: Option<Units> = fields.required("quantity", whole_number);
        let occurred_at = fields.required("occurredAt", moment);
        let (reference, name) = (fields.optional("reference", text), fields.optional("name", text));
        let version = fields.optional("version", whole_number);
        let is_count = kind.is_none_or(|kind| kind == Kind::Count);
        if !is_count && quantity.is_some_and(|quantity| quantity.get() == 0) {
            fields.refuse("quantity", "Only a COUNT may say 0.");
        }
        if !is_count && version.is_some() {
            fields.refuse("version", "Only a COUNT is of a version.");
        }
        let (sku, kind, quantity, occurred_at) = (sku?, kind?, quantity?, occurred_at?);
        Some(Self { message_id, sku, kind, quantity, occurred_at, reference, name, version })
    }
}

impl Message {
    /// The number of the schema.
    pub const SCHEMA: i64 = 1;

    /// Reads a message. `fallback` is its id where it names none.
    ///
    /// # Errors
    /// [`ParseError`] with what would be right.
    pub fn parse(bytes: &[u8], fallback: Option<MessageId>) -> Result<Self, ParseError> {
        Self::read(json_in(bytes)?, fallback).map(|(message, _)| message)
    }

    /// Reads a message that is JSON already.
    ///
    /// # Errors
    /// [`ParseError::NoObject`] and [`ParseError::Fields`] with what would be right.
    pub fn from_json(value: Value, fallback: Option<MessageId>) -> Result<Self, ParseError> {
        Self::read(value, fallback).map(|(message, _)| message)
    }

    /// The same, with how many fields of other names it has, which are left aside.
    fn read(value: Value, fallback: Option<MessageId>) -> Result<(Self, usize), ParseError> {
        let Value::Object(fields) = value else { return Err(ParseError::NoObject) };
        let (sent, others): (Sent, usize) = read_known(fields.into()).map_err(ParseError::Fields)?;
        let Sent { message_id, sku, kind, quantity, occurred_at, reference, name, version } = sent;
        let message_id = message_id.or(fallback).ok_or_else(|| {
            let message = "This is missing. Give what tells the message from every other.".to_owned();
            ParseError::Fields(vec![FieldError { field: "messageId".to_owned(), message }])
        })?;
        Ok((Self { message_id, sku, kind, quantity, occurred_at, reference, name, version }, others))
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
pub enum Channel {
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
    pub way: Channel,
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
            way: Channel::Kafka,
            topic: Some(topic.to_owned()),
            partition: Some(partition),
            offset: Some(offset),
        }
    }

    /// Something that has no place, such as a request.
    pub fn of(way: Channel) -> Self {
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
            Channel::Kafka => "Kafka",
            Channel::Api => "API",
            Channel::Page => "Page",
            Channel::Replay => "File",
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
    /// How many fields it has that nothing here knows, and that are left aside.
    pub ignored: usize,
}

impl Delivery {
    /// The message in bytes that came from this source.
    ///
    /// # Errors
    /// [`ParseError`] where it is none.
    pub fn of_bytes(source: &Source, raw: Vec<u8>) -> Result<Self, ParseError> {
        let (message, ignored) = Message::read(json_in(&raw)?, source.message_id())?;
        Ok(Self { message, source: source.clone(), raw, ignored })
    }

    /// The message in JSON that came from this source, and names its own id.
    ///
    /// # Errors
    /// [`ParseError`] where it is none.
    pub fn of_json(source: Source, value: Value) -> Result<Self, ParseError> {
        let raw = value.to_string().into_bytes();
        let (message, ignored) = Message::read(value, None)?;
        Ok(Self { message, source, raw, ignored })
    }
}

#[cfg(test)]
mod tests;
