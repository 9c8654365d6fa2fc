//! What the dead letters of messages about stock and those of the table's stream share.

pub mod requests;
pub mod table;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::values::{single_line, text_type};
use crate::base::values::{Invalid, text_enum};

/// The id of a dead letter. It is derived from what failed, so that a repeated delivery has one dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeadLetterId(Uuid);

impl From<Sha256> for DeadLetterId {
    /// Returns the id of what was hashed.
    fn from(hash: Sha256) -> Self {
        let hash: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl FromStr for DeadLetterId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = "The ID of a dead letter is a UUID, for example 019f0000-0000-7000-8000-000000000000.";
        Uuid::try_parse(text).map(Self).map_err(|_| Invalid::new(invalid))
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_enum! {
    /// The status of a dead letter.
    pub enum DeadLetterStatus, "The status must be OPEN, APPLIED, or DISMISSED.";
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

/// The reason why something could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The machine-readable name.
    pub name: String,
    /// A description for people.
    pub words: String,
}

text_type!(
    /// A person's reason for a decision: one line of 1 to 500 characters.
    Note,
    |text| single_line(text, 500),
    "A note must be one line of 1 to 500 characters."
);
