//! Messages that were not applied: kept whole, with the reason, until somebody retries or dismisses them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Delivery, MessageId, Note, ParseError, Sku, Source};
use crate::base::identity::Actor;
use crate::base::values::{Invalid, Version, text_value};
use crate::inventory::domain::MOST_KEPT;

/// A parked message's id. It follows from where the message came from and what it says, so that the same delivery twice
/// is parked once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParkedId(Uuid);

impl ParkedId {
    /// The id of what came from this source with these bytes.
    pub fn of(source: &Source, raw: &[u8]) -> Self {
        let mut hash = Sha256::new();
        // A place in a topic holds one message for ever; what has no place is told by what it says.
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

impl FromStr for ParkedId {
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

impl fmt::Display for ParkedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What became of a parked message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ParkedStatus {
    /// It waits for somebody.
    Open,
    /// A retry applied it.
    Applied,
    /// Somebody dismissed it.
    Dismissed,
}

impl ParkedStatus {
    /// All.
    pub const ALL: [Self; 3] = [Self::Open, Self::Applied, Self::Dismissed];

    /// The name everywhere.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Applied => "APPLIED",
            Self::Dismissed => "DISMISSED",
        }
    }
}

impl FromStr for ParkedStatus {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let status = Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text));
        status.ok_or_else(|| Invalid::new("A parked message is OPEN, APPLIED or DISMISSED."))
    }
}

text_value!(ParkedStatus);

/// Why a message is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The name for programs.
    pub name: String,
    /// What is wrong, in words.
    pub words: String,
}

impl From<&ParseError> for Reason {
    fn from(flaw: &ParseError) -> Self {
        let name = match flaw {
            ParseError::Empty | ParseError::NotJson(_) => "bad-json",
            ParseError::NoObject | ParseError::Fields(_) => "wrong-schema",
            ParseError::Cut { .. } => "too-large",
        };
        Self { name: name.to_owned(), words: flaw.to_string() }
    }
}

/// A parked message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// The id.
    pub id: ParkedId,
    /// Why it is parked.
    pub reason: Reason,
    /// Where it came from.
    pub source: Source,
    /// Its id, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// Its product, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    /// How many bytes it has.
    pub bytes: u64,
    /// The SHA-256 of all its bytes in hexadecimal, where it was too large and only its beginning is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What became of it.
    pub status: ParkedStatus,
    /// 1 when it is parked, one more with every change.
    pub version: Version,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Who changed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// Why it was dismissed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

impl Parked {
    /// How many are kept of one that has more.
    const HEAD: usize = 262_144;

    /// What is kept of a message: all of it, or its beginning where it is too large.
    pub fn kept(raw: &[u8]) -> &[u8] {
        if raw.len() <= MOST_KEPT {
            return raw;
        }
        // A character of UTF-8 is not cut in two: what follows its first byte begins with the bits 10.
        let begins = |place: &usize| raw.get(*place).is_some_and(|byte| byte & 0xc0 != 0x80);
        let end = (Self::HEAD - 3..=Self::HEAD).rev().find(begins).unwrap_or(Self::HEAD);
        raw.get(..end).unwrap_or(raw)
    }

    /// The message, of what was kept of it.
    ///
    /// # Errors
    /// [`ParseError`] where it is none, or not all of it was kept.
    pub fn delivery(&self, kept: Vec<u8>) -> Result<Delivery, ParseError> {
        if self.sha256.is_some() {
            return Err(ParseError::Cut { kept: kept.len() as u64, bytes: self.bytes });
        }
        Delivery::of_bytes(&self.source, kept)
    }

    /// A message that is parked now.
    pub fn new(source: &Source, raw: &[u8], reason: Reason, now: Timestamp) -> Self {
        Self {
            id: ParkedId::of(source, raw),
            reason,
            source: source.clone(),
            message_id: None,
            sku: None,
            bytes: raw.len() as u64,
            sha256: (raw.len() > MOST_KEPT).then(|| sha256(raw)),
            status: ParkedStatus::Open,
            version: Version::FIRST,
            parked_at: now,
            updated_at: now,
            by: None,
            note: None,
        }
    }

    /// With what became of it.
    pub fn ended(&self, status: ParkedStatus, by: &Actor, note: Option<Note>, now: Timestamp) -> Self {
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
    fn of_a_message_that_is_too_large_the_beginning_the_length_and_a_hash_are_kept() {
        let raw = "é".repeat(MOST_KEPT / 2 + 1);
        let reason = Reason { name: "bad-json".to_owned(), words: "It is not JSON.".to_owned() };
        let parked =
            Parked::new(&Source::of(Channel::Api), raw.as_bytes(), reason.clone(), Timestamp::UNIX_EPOCH);
        let kept = Parked::kept(raw.as_bytes());
        assert!((262_141..=262_144).contains(&kept.len()) && str::from_utf8(kept).is_ok());
        assert_eq!(parked.bytes, 2_500_002);
        assert_eq!(parked.sha256.as_deref(), Some(sha256(raw.as_bytes()).as_str()));
        assert!(matches!(parked.delivery(kept.to_vec()), Err(ParseError::Cut { bytes: 2_500_002, .. })));
        let whole = &raw.as_bytes()[..MOST_KEPT];
        let parked = Parked::new(&Source::of(Channel::Api), whole, reason, Timestamp::UNIX_EPOCH);
        assert_eq!((Parked::kept(whole).len(), parked.sha256), (MOST_KEPT, None));
    }

    #[test]
    fn the_same_delivery_has_the_same_id_and_another_another() {
        let place = Source::kafka("t", 0, 7);
        let id = ParkedId::of(&place, b"one");
        assert_eq!(id, ParkedId::of(&place, b"one"));
        assert_ne!(id, ParkedId::of(&Source::kafka("t", 0, 8), b"one"));
        let request = Source::of(Channel::Api);
        assert_eq!(ParkedId::of(&request, b"one"), ParkedId::of(&request, b"one"));
        assert_ne!(ParkedId::of(&request, b"one"), ParkedId::of(&request, b"two"));
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
