//! Who changed something, when, and because of which rule.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::Actor;

/// Which rule brought a change about, and how many rules stand behind it in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The rule's id.
    pub rule: String,
    /// 1 for a rule that an event set off which no rule had caused.
    pub depth: u8,
}

/// Who changes something: a person or program, or a rule on someone's behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// As the history names them.
    pub actor: Actor,
    /// The rule, if it is one.
    pub cause: Option<Cause>,
}

impl From<Actor> for Author {
    fn from(actor: Actor) -> Self {
        Self { actor, cause: None }
    }
}

/// Who and when, as one change stamps all that it writes.
#[derive(Debug, Clone)]
pub struct AuditStamp {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The rule, if a rule did it.
    pub cause: Option<Cause>,
}
