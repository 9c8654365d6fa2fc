//! The reasons for releasing a lead from an order.

use crate::base::values::{Invalid, text_enum};
use crate::leads::domain::Reason;

text_enum! {
    /// A kind of reason.
    pub enum ReleaseReason, "The reason must be BAD_CONTACT, DUPLICATE, OUT_OF_AREA, or OTHER.";
    /// The person cannot be reached or does not exist. The lead does not go back to stock automatically.
    BadContact = "BAD_CONTACT",
    /// The customer already knows the person.
    Duplicate = "DUPLICATE",
    /// The person lives outside the area in which the customer works.
    OutOfArea = "OUT_OF_AREA",
    /// Another reason, explained in a note.
    Other = "OTHER",
}

impl ReleaseReason {
    /// Returns the name shown to people, for example `Bad contact`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::BadContact => "Bad contact",
            Self::Duplicate => "Duplicate",
            Self::OutOfArea => "Out of area",
            Self::Other => "Other",
        }
    }

    /// Returns whether a lead released for this reason goes back to stock.
    pub fn restocks(self) -> bool {
        self != Self::BadContact
    }
}

/// The reason for a release, with an optional note. The reason "other" needs a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    reason: ReleaseReason,
    note: Option<Reason>,
}

impl Release {
    /// Creates a release.
    ///
    /// # Errors
    /// If the reason is "other" and there is no note.
    pub fn new(reason: ReleaseReason, note: Option<Reason>) -> Result<Self, Invalid> {
        if reason == ReleaseReason::Other && note.is_none() {
            return Err(Invalid::new("Add a note for this reason."));
        }
        Ok(Self { reason, note })
    }

    /// Returns the kind of reason.
    pub fn reason(&self) -> ReleaseReason {
        self.reason
    }

    /// Returns the reason as the history stores it: `Bad contact: the number is dead`.
    pub fn words(&self) -> Reason {
        match (&self.note, self.reason) {
            (Some(note), ReleaseReason::Other) => note.clone(),
            (note, reason) => Reason::of_kind(reason.label(), note.as_ref()),
        }
    }
}
