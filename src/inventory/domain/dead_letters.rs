//! Dead letters: messages that could not be applied, kept with the reason until a person retries or dismisses them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    DeadLetterId, DeadLetterStatus, Delivery, MOST_KEPT, MessageId, Note, ParseError, Reason, Sku, Source,
};
use crate::base::identity::Actor;
use crate::base::values::{Version, text_enum};

/// Returns the id of the dead letter for these bytes from this source.
fn id_of(source: &Source, raw: &[u8]) -> DeadLetterId {
    let mut hash = Sha256::new();
    // A position in a topic identifies a message forever. Without a position, the bytes identify it.
    match source.message_id() {
        Some(place) => hash.update(place.as_str()),
        None => hash.update(raw),
    }
    hash.update([source.channel as u8]);
    hash.into()
}

text_enum! {
    /// The machine-readable name of a reason.
    pub enum ReasonName,
    "The reason must be one of bad-json, wrong-schema, too-large, unknown-sku, insufficient-stock, stale-count, too-much, \
     conflicting-duplicate.";
    /// The bytes are not JSON.
    BadJson = "bad-json",
    /// The JSON is not a message.
    WrongSchema = "wrong-schema",
    /// Only the beginning of the message was kept.
    TooLarge = "too-large",
    /// The product does not exist.
    UnknownSku = "unknown-sku",
    /// The stock would go below zero.
    InsufficientStock = "insufficient-stock",
    /// The stock has moved since it was counted.
    StaleCount = "stale-count",
    /// The stock would exceed the largest value.
    TooMuch = "too-much",
    /// The same id was used before with other contents.
    ConflictingDuplicate = "conflicting-duplicate",
}

impl ReasonName {
    /// Returns the name of the reason for pages.
    pub fn label(self) -> &'static str {
        match self {
            Self::BadJson => "Not JSON",
            Self::WrongSchema => "Not a valid message",
            Self::TooLarge => "Too large",
            Self::UnknownSku => "Unknown SKU",
            Self::InsufficientStock => "Not enough stock",
            Self::StaleCount => "Outdated count",
            Self::TooMuch => "Too much stock",
            Self::ConflictingDuplicate => "Same ID, other contents",
        }
    }
}

impl From<&ParseError> for Reason {
    fn from(error: &ParseError) -> Self {
        let name = match error {
            ParseError::Empty | ParseError::NotJson(_) => ReasonName::BadJson,
            ParseError::NoObject | ParseError::Fields(_) => ReasonName::WrongSchema,
            ParseError::Cut { .. } => ReasonName::TooLarge,
        };
        Self { name: name.to_string(), words: error.to_string() }
    }
}

/// A message that could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The id.
    pub id: DeadLetterId,
    /// The reason why it could not be applied.
    pub reason: Reason,
    /// The source of the message.
    pub source: Source,
    /// The message id, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The product, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    /// The size of the message in bytes.
    pub bytes: u64,
    /// The SHA-256 of all bytes in hexadecimal, if the message was too large and only its beginning is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The status.
    pub status: DeadLetterStatus,
    /// 1 at creation, +1 with every change.
    pub version: Version,
    /// The time it was stored.
    #[serde(rename = "parkedAt")]
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Who made the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The note of its dismissal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

impl DeadLetter {
    /// How many bytes are kept of a message that is too large.
    const HEAD: usize = 262_144;

    /// Returns the bytes to keep: all of them, or the beginning of a message that is too large.
    pub fn kept(raw: &[u8]) -> &[u8] {
        if raw.len() <= MOST_KEPT {
            return raw;
        }
        // Do not split a UTF-8 character: its continuation bytes start with the bits 10.
        let begins = |place: &usize| raw.get(*place).is_some_and(|byte| byte & 0xc0 != 0x80);
        let end = (Self::HEAD - 3..=Self::HEAD).rev().find(begins).unwrap_or(Self::HEAD);
        raw.get(..end).unwrap_or(raw)
    }

    /// Parses the message again from its kept bytes.
    ///
    /// # Errors
    /// [`ParseError`] if they are not a valid message, or only the beginning was kept.
    pub fn delivery(&self, kept: Vec<u8>) -> Result<Delivery, ParseError> {
        if self.sha256.is_some() {
            return Err(ParseError::Cut { kept: kept.len() as u64, bytes: self.bytes });
        }
        Delivery::of_bytes(&self.source, kept)
    }

    /// Creates an open dead letter.
    pub fn new(source: &Source, raw: &[u8], reason: Reason, now: Timestamp) -> Self {
        Self {
            id: id_of(source, raw),
            reason,
            source: source.clone(),
            message_id: None,
            sku: None,
            bytes: raw.len() as u64,
            sha256: (raw.len() > MOST_KEPT).then(|| sha256(raw)),
            status: DeadLetterStatus::Open,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            by: None,
            note: None,
        }
    }

    /// Returns the dead letter after a retry or a dismissal closed it.
    pub fn closed(&self, status: DeadLetterStatus, by: &Actor, note: Option<Note>, now: Timestamp) -> Self {
        let (version, by) = (self.version.next(), Some(by.clone()));
        Self { status, version, updated_at: now, by, note, ..self.clone() }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::domain::Channel;

    #[test]
    fn a_large_message_keeps_its_beginning_its_length_and_a_hash() {
        let raw = "é".repeat(MOST_KEPT / 2 + 1);
        let reason = Reason { name: "bad-json".to_owned(), words: "It is not JSON.".to_owned() };
        let dead_letter =
            DeadLetter::new(&Source::of(Channel::Api), raw.as_bytes(), reason.clone(), Timestamp::UNIX_EPOCH);
        let kept = DeadLetter::kept(raw.as_bytes());
        assert!((262_141..=262_144).contains(&kept.len()) && str::from_utf8(kept).is_ok());
        assert_eq!(dead_letter.bytes, 2_500_002);
        assert_eq!(dead_letter.sha256.as_deref(), Some(sha256(raw.as_bytes()).as_str()));
        assert!(matches!(dead_letter.delivery(kept.to_vec()), Err(ParseError::Cut { bytes: 2_500_002, .. })));
        let whole = &raw.as_bytes()[..MOST_KEPT];
        let dead_letter = DeadLetter::new(&Source::of(Channel::Api), whole, reason, Timestamp::UNIX_EPOCH);
        assert_eq!((DeadLetter::kept(whole).len(), dead_letter.sha256), (MOST_KEPT, None));
    }

    #[test]
    fn a_dead_letter_id_is_derived_from_the_delivery() {
        let place = Source::kafka("t", 0, 7);
        let id = id_of(&place, b"one");
        assert_eq!(id, id_of(&place, b"one"));
        assert_ne!(id, id_of(&Source::kafka("t", 0, 8), b"one"));
        let request = Source::of(Channel::Api);
        assert_eq!(id_of(&request, b"one"), id_of(&request, b"one"));
        assert_ne!(id_of(&request, b"one"), id_of(&request, b"two"));
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
