//! Audit data of a change: who, when, and by which rule.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::{AccountId, Actor, SignedIn};
use crate::store::{Item, StoreError, from_item};

/// The rule that caused a change, and its depth in a chain of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCause {
    /// The rule's id.
    pub rule: String,
    /// The length of the chain: 1 if the rule reacted to an event that no rule caused.
    pub depth: u8,
}

impl RuleCause {
    /// Reads it from the attribute `cause` of an item.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if the attribute cannot be read.
    pub fn of(item: Item) -> Result<Option<Self>, StoreError> {
        #[derive(Deserialize)]
        struct WithCause {
            #[serde(default)]
            cause: Option<RuleCause>,
        }
        from_item::<WithCause>(item).map(|with| with.cause)
    }
}

/// The author of a change: a person or program, or a rule on their behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The actor in the history.
    pub actor: Actor,
    /// The rule, if a rule made the change.
    pub cause: Option<RuleCause>,
    /// The account, if there is one.
    pub account: Option<AccountId>,
    /// The address that the request came from, if the host knows it.
    pub address: Option<IpAddr>,
    /// How the audit log records what it does.
    pub audited: Audited,
}

impl Author {
    /// Returns this author with another way to record what it does.
    #[must_use]
    pub fn audited(self, audited: Audited) -> Self {
        Self { audited, ..self }
    }
}

impl From<Actor> for Author {
    fn from(actor: Actor) -> Self {
        Self { actor, cause: None, account: None, address: None, audited: Audited::Each }
    }
}

impl From<&SignedIn> for Author {
    fn from(who: &SignedIn) -> Self {
        Self { account: Some(who.id), address: who.address, ..who.actor().into() }
    }
}

/// How the audit log records the actions of an author.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Audited {
    /// Each action has its own entry.
    #[default]
    Each,
    /// The action is the first one of a bulk action. Its entry describes all of them.
    Bulk {
        /// What they change, for people: `3 orders`.
        subject: String,
        /// What happens, in one sentence.
        detail: String,
    },
    /// The entry of the bulk action exists already.
    Covered,
}

/// The audit data that one change adds to everything it writes.
#[derive(Debug, Clone)]
pub struct AuditStamp {
    /// The time of the change.
    pub at: Timestamp,
    /// The author.
    pub actor: Actor,
    /// The rule, if a rule made the change.
    pub cause: Option<RuleCause>,
}
