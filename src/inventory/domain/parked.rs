//! Dead letters: messages that could not be applied, kept with the reason until a person retries or dismisses them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Delivery, MessageId, Note, ParseError, Sku, Source};
use crate::base::identity::Actor;
use crate::base::values::{Invalid, Version, text_enum};
use crate::inventory::domain::MOST_KEPT;

/// The id of a dead letter. It is derived from the message's source and bytes, so that the same delivery is stored
/// once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeadLetterId(Uuid);

impl DeadLetterId {
    /// Returns the id for these bytes from this source.
    pub fn of(source: &Source, raw: &[u8]) -> Self {
        let mut hash = Sha256::new();
        // A position in a topic identifies a message forever. Without a position, the bytes identify it.
        match source.message_id() {
            Some(place) => hash.update(place.as_str()),
            None => hash.update(raw),
        }
        hash.update([source.way as u8]);
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
        id.map_err(|_| {
            Invalid::new(
                "The id of a dead letter is a UUID, for example 019f0000-0000-7000-8000-000000000000.",
            )
        })
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_enum! {
    /// The status of a dead letter.
    pub enum DeadLetterStatus, "A dead letter is OPEN, APPLIED or DISMISSED.";
    /// It waits for a decision.
    Open = "OPEN",
    /// A retry applied it.
    Applied = "APPLIED",
    /// A person dismissed it.
    Dismissed = "DISMISSED",
}

impl DeadLetterStatus {
    /// Returns the name shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Applied => "Applied",
            Self::Dismissed => "Dismissed",
        }
    }
}

/// The reason why a message could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The machine-readable name.
    pub name: String,
    /// A description for people.
    pub words: String,
}

impl From<&ParseError> for Reason {
    fn from(error: &ParseError) -> Self {
        let name = match error {
            ParseError::Empty | ParseError::NotJson(_) => "bad-json",
            ParseError::NoObject | ParseError::Fields(_) => "wrong-schema",
            ParseError::Cut { .. } => "too-large",
        };
        Self { name: name.to_owned(), words: error.to_string() }
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
    pub parked_at: Timestamp,
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
            id: DeadLetterId::of(source, raw),
            reason,
            source: source.clone(),
            message_id: None,
            sku: None,
            bytes: raw.len() as u64,
            sha256: (raw.len() > MOST_KEPT).then(|| sha256(raw)),
            status: DeadLetterStatus::Open,
            version: Version::FIRST,
            parked_at: now,
            updated_at: now,
            by: None,
            note: None,
        }
    }

    /// Returns the dead letter with its final status.
    pub fn with_status(
        &self,
        status: DeadLetterStatus,
        by: &Actor,
        note: Option<Note>,
        now: Timestamp,
    ) -> Self {
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
        let id = DeadLetterId::of(&place, b"one");
        assert_eq!(id, DeadLetterId::of(&place, b"one"));
        assert_ne!(id, DeadLetterId::of(&Source::kafka("t", 0, 8), b"one"));
        let request = Source::of(Channel::Api);
        assert_eq!(DeadLetterId::of(&request, b"one"), DeadLetterId::of(&request, b"one"));
        assert_ne!(DeadLetterId::of(&request, b"one"), DeadLetterId::of(&request, b"two"));
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
