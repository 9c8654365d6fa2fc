//! Why a lead is released from an order.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::values::{Invalid, text_value};
use crate::leads::domain::Reason;

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ReleaseReason {
    /// The person cannot be reached, or is none. The lead does not go back to stock by itself.
    BadContact,
    /// The customer knows the person already.
    Duplicate,
    /// The person lives elsewhere than the customer works.
    OutOfArea,
    /// Something else, in words.
    Other,
}

impl ReleaseReason {
    /// All.
    pub const ALL: [Self; 4] = [Self::BadContact, Self::Duplicate, Self::OutOfArea, Self::Other];

    /// The name in JSON, in forms and in the table, for example `BAD_CONTACT`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BadContact => "BAD_CONTACT",
            Self::Duplicate => "DUPLICATE",
            Self::OutOfArea => "OUT_OF_AREA",
            Self::Other => "OTHER",
        }
    }

    /// The name for people, for example `Bad contact`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::BadContact => "Bad contact",
            Self::Duplicate => "Duplicate",
            Self::OutOfArea => "Out of area",
            Self::Other => "Other",
        }
    }

    /// Whether a lead that is released so goes back to stock.
    pub fn restocks(self) -> bool {
        self != Self::BadContact
    }
}

impl FromStr for ReleaseReason {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let name = text.trim().replace([' ', '-'], "_");
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str().eq_ignore_ascii_case(&name))
            .ok_or_else(|| Invalid::new("A reason is BAD_CONTACT, DUPLICATE, OUT_OF_AREA or OTHER."))
    }
}

text_value!(ReleaseReason);

/// Why a lead is released: a kind of reason, and words, which "other" needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    reason: ReleaseReason,
    note: Option<Reason>,
}

impl Release {
    /// A release for this reason.
    ///
    /// # Errors
    /// Where the reason is "other" and no words say which.
    pub fn new(reason: ReleaseReason, note: Option<Reason>) -> Result<Self, Invalid> {
        if reason == ReleaseReason::Other && note.is_none() {
            return Err(Invalid::new("Say in words why; \"other\" alone says nothing."));
        }
        Ok(Self { reason, note })
    }

    /// The kind of reason.
    pub fn reason(&self) -> ReleaseReason {
        self.reason
    }

    /// The reason as histories keep it: `Bad contact: the number is dead`.
    pub fn words(&self) -> Reason {
        match (&self.note, self.reason) {
            (Some(note), ReleaseReason::Other) => note.clone(),
            (note, reason) => Reason::of_kind(reason.label(), note.as_ref()),
        }
    }
}
