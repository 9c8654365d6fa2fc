//! Messages about stock: their contents and their sources.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MessageId, ProductName, Reference, Sku, Units};
use crate::base::fields::{
    FieldError, Fields, FromFields, integer, not_json, read_known, text, whole_number,
};
use crate::base::values::{Invalid, Version, fingerprint, text_enum};

/// The most bytes kept of a message. A transaction can hold 4 MB.
pub const MOST_KEPT: usize = 2_500_000;

text_enum! {
    /// The effect of a message on a stock.
    pub enum Kind, exact, "The kind must be SALE, RETURN, RECEIPT, or COUNT.";
    /// Pieces were sold.
    Sale = "SALE",
    /// Pieces were returned.
    Return = "RETURN",
    /// Pieces were delivered.
    Receipt = "RECEIPT",
    /// Pieces were counted: the quantity is the new stock.
    Count = "COUNT",
}

/// A message, as described by the schema `infra/inventory-event.schema.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The unique id.
    pub message_id: MessageId,
    /// The product.
    pub sku: Sku,
    /// The kind of change.
    pub kind: Kind,
    /// The number of pieces. For a COUNT, this is the new stock.
    pub quantity: Units,
    /// The time of the change.
    pub occurred_at: Timestamp,
    /// What the message refers to, such as an invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The product's name, used if this message creates the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ProductName>,
    /// The product's version at the time of a COUNT. A COUNT without a version applies regardless of later movements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// The reason why bytes are not a valid message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There are no bytes: a tombstone of a compacted topic, or an empty record.
    #[error("The value is empty, like a tombstone in a compacted topic. A message must be a JSON object.")]
    Empty,
    /// The bytes are not JSON.
    #[error("It isn't JSON: {0}.")]
    NotJson(String),
    /// The JSON is not an object.
    #[error("A message must be a JSON object.")]
    NoObject,
    /// Some fields are invalid.
    #[error("{}", joined(.0))]
    Fields(Vec<FieldError>),
    /// Only the beginning of the message was kept, so it cannot be read again.
    #[error(
        "Only its first {kept} of {bytes} bytes were kept. Send it again in fewer than {} bytes.",
        MOST_KEPT
    )]
    Cut {
        /// How many bytes were kept.
        kept: u64,
        /// How many the message had.
        bytes: u64,
    },
}

fn joined(wrong: &[FieldError]) -> String {
    wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The first byte of Confluent's wire format. The schema id follows in four bytes.
const MAGIC_BYTE: u8 = 0;

/// Parses JSON, after an optional byte order mark and an optional Confluent header, which some producers add.
fn parse_json(bytes: &[u8]) -> Result<Value, ParseError> {
    let (body, schema) = match bytes {
        [MAGIC_BYTE, a, b, c, d, body @ ..] => (body, Some(u32::from_be_bytes([*a, *b, *c, *d]))),
        body => (body, None),
    };
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() && schema.is_none() {
        return Err(ParseError::Empty);
    }
    serde_json::from_slice(body).map_err(|error| match (schema, body) {
        (Some(schema), _) => ParseError::NotJson(format!(
            "it looks like Confluent's wire format with schema ID {schema}, but the payload is not JSON; it may be Avro"
        )),
        (None, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) => {
            ParseError::NotJson("it starts with a UTF-16 byte order mark; send UTF-8".to_owned())
        }
        (None, body) if str::from_utf8(body).is_err() => ParseError::NotJson("it is not in UTF-8".to_owned()),
        (None, _) => ParseError::NotJson(not_json(&error)),
    })
}

/// Parses a timestamp in RFC 3339, which is stricter than ISO 8601.
///
/// # Errors
/// For anything else, such as a time without an offset.
fn moment(value: &Value) -> Result<Timestamp, Invalid> {
    let moment = value.as_str().and_then(rfc3339);
    moment.ok_or_else(|| {
        Invalid::new("Use RFC 3339 time with an offset from UTC, for example 2026-03-01T09:30:00-05:00.")
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
    // Timestamps have nanosecond precision. Further digits are dropped.
    let fraction = fraction.get(..10).unwrap_or(fraction);
    let moment: Timestamp = format!("{local}{fraction}{offset}").parse().ok()?;
    // A leap second is the last second of a UTC day.
    let is_leap = local.ends_with(":60");
    (!is_leap || moment.as_second().rem_euclid(86_400) == 86_399).then_some(moment)
}

/// A message before its id is known.
struct MessageFields {
    message_id: Option<MessageId>,
    sku: Sku,
    kind: Kind,
    quantity: Units,
    occurred_at: Timestamp,
    reference: Option<Reference>,
    name: Option<ProductName>,
    version: Option<Version>,
}

impl FromFields for MessageFields {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.required("schema", |value| match integer(value) {
            Some(Message::SCHEMA) => Ok(()),
            _ => Err(Invalid::new("Only schema 1 is supported.")),
        });
        let message_id = fields.optional("messageId", text);
        let (sku, kind) = (fields.required("sku", text), fields.required("kind", text));
        let quantity: Option<Units> = fields.required("quantity", whole_number);
        let occurred_at = fields.required("occurredAt", moment);
        let (reference, name) = (fields.optional("reference", text), fields.optional("name", text));
        let version = fields.optional("version", whole_number);
        let is_count = kind.is_none_or(|kind| kind == Kind::Count);
        if !is_count && quantity.is_some_and(|quantity| quantity.get() == 0) {
            fields.refuse("quantity", "Only a COUNT can be 0.");
        }
        if !is_count && version.is_some() {
            fields.refuse("version", "Only a COUNT can have a version.");
        }
        let (sku, kind, quantity, occurred_at) = (sku?, kind?, quantity?, occurred_at?);
        Some(Self { message_id, sku, kind, quantity, occurred_at, reference, name, version })
    }
}

impl Message {
    /// The version of the schema.
    pub const SCHEMA: i64 = 1;

    /// Parses a message and counts its unknown fields, which are ignored. `fallback` is its id if it has none.
    fn read(value: Value, fallback: Option<MessageId>) -> Result<(Self, usize), ParseError> {
        let Value::Object(fields) = value else { return Err(ParseError::NoObject) };
        let (sent, others): (MessageFields, usize) = read_known(fields.into()).map_err(ParseError::Fields)?;
        let MessageFields { message_id, sku, kind, quantity, occurred_at, reference, name, version } = sent;
        let message_id = message_id.or(fallback).ok_or_else(|| {
            let message = "This is missing. Send a unique ID for the message.".to_owned();
            ParseError::Fields(vec![FieldError { field: "messageId".to_owned(), message }])
        })?;
        Ok((Self { message_id, sku, kind, quantity, occurred_at, reference, name, version }, others))
    }

    /// Returns a hash of the contents. It tells apart different messages with the same id.
    pub fn fingerprint(&self) -> String {
        // Serializing this type cannot fail.
        fingerprint(&[&serde_json::to_vec(self).unwrap_or_default()])
    }
}

/// The channel through which a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// A Kafka topic.
    Kafka,
    /// The JSON API.
    Api,
    /// A form on a page.
    Page,
    /// A file.
    Replay,
}

/// The source of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The channel.
    #[serde(rename = "way")]
    pub channel: Channel,
    /// The topic or file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The partition of the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The offset in the partition, or the row of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
}

impl Source {
    /// Returns the source of a record in a topic.
    pub fn kafka(topic: &str, partition: i32, offset: i64) -> Self {
        Self {
            channel: Channel::Kafka,
            topic: Some(topic.to_owned()),
            partition: Some(partition),
            offset: Some(offset),
        }
    }

    /// Returns a source without a position, such as a request.
    pub fn of(channel: Channel) -> Self {
        Self { channel, topic: None, partition: None, offset: None }
    }

    /// Returns the default id of a message from this source: its position in the topic.
    pub fn message_id(&self) -> Option<MessageId> {
        let (topic, partition, offset) = (self.topic.as_ref()?, self.partition?, self.offset?);
        format!("{topic}-{partition}-{offset}").parse().ok()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = match self.channel {
            Channel::Kafka => "Kafka",
            Channel::Api => "API",
            Channel::Page => "Page",
            Channel::Replay => "File",
        };
        f.write_str(channel)?;
        if let Some(topic) = &self.topic {
            write!(f, " {topic}")?;
        }
        if let Some(partition) = self.partition {
            write!(f, "/{partition}")?;
        }
        self.offset.map_or(Ok(()), |offset| write!(f, " at {offset}"))
    }
}

/// A message with its source and its original bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The source.
    pub source: Source,
    /// The original bytes, shown if the message becomes a dead letter.
    pub raw: Vec<u8>,
    /// How many unknown fields were ignored.
    pub ignored: usize,
}

impl Delivery {
    /// Parses the bytes of a message.
    ///
    /// # Errors
    /// [`ParseError`] if they are not a valid message.
    pub fn of_bytes(source: &Source, raw: Vec<u8>) -> Result<Self, ParseError> {
        let (message, ignored) = Message::read(parse_json(&raw)?, source.message_id())?;
        Ok(Self { message, source: source.clone(), raw, ignored })
    }

    /// Builds a delivery from JSON. The message must have an id.
    ///
    /// # Errors
    /// [`ParseError`] if it is not a valid message.
    pub fn of_json(source: Source, value: Value) -> Result<Self, ParseError> {
        let raw = value.to_string().into_bytes();
        let (message, ignored) = Message::read(value, None)?;
        Ok(Self { message, source, raw, ignored })
    }
}

#[cfg(test)]
mod tests;
