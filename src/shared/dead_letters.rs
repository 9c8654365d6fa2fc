//! What the dead letters of messages about stock and those of the table's stream share.

pub mod api;
pub mod service;
pub mod table;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::values::single_line;
use crate::base::values::{text_enum, text_type, uuid_id};

uuid_id!(
    /// The id of a dead letter. It is derived from what failed, so that a repeated delivery has one dead letter.
    DeadLetterId,
    "a dead letter"
);

impl From<Sha256> for DeadLetterId {
    /// Returns the id of what was hashed.
    fn from(hash: Sha256) -> Self {
        let hash: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
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
