//! What happened to a lead: one entry for each accepted change, with each field old → new.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Lead, LeadField};
use crate::base::identity::Actor;
use crate::base::values::{Invalid, OrderId, Version, text_value};

/// The reason for reopening a lead, one to 500 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// The most characters.
    const MAX_CHARS: usize = 500;

    /// The reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same reason behind a word that says of which kind it is, cut where it grows too long.
    pub fn of_kind(kind: &str, note: Option<&Self>) -> Self {
        let words = note.map_or(kind.to_owned(), |note| format!("{kind}: {}", note.0));
        Self(words.chars().take(Self::MAX_CHARS).collect())
    }
}

impl FromStr for Reason {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.is_empty() {
            Err(Invalid::new("Give a reason; it is kept in the lead's history."))
        } else if text.chars().count() > Self::MAX_CHARS {
            Err(Invalid::new("A reason has at most 500 characters."))
        } else if text.chars().any(bad) {
            Err(Invalid::new("A reason has no control characters."))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

text_value!(Reason);

/// What happened to a lead at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// Created by hand or by a program.
    Created,
    /// Created by an import.
    Imported,
    /// Some fields changed.
    Updated,
    /// An administrator took it out of CONVERTED.
    Reopened,
    /// Given to an order.
    Assigned,
    /// Released from an order, with a reason.
    Released,
    /// Delivered with its order.
    Fulfilled,
    /// Back in stock, for its order was deleted.
    Returned,
    /// Put back in stock by an agent.
    Restocked,
    /// Deleted; nothing comes after it.
    Deleted,
}

impl Action {
    /// The action for people, as a verb: "Ann Lee created this lead".
    pub fn verb(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Imported => "imported",
            Self::Updated => "changed",
            Self::Reopened => "reopened",
            Self::Assigned => "assigned",
            Self::Released => "released",
            Self::Fulfilled => "delivered",
            Self::Returned => "returned",
            Self::Restocked => "restocked",
            Self::Deleted => "deleted",
        }
    }
}

/// One field's change: old → new; null where there was or is no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which field.
    pub field: LeadField,
    /// Its value before.
    pub old: Value,
    /// Its value after.
    pub new: Value,
}

/// One accepted change of a lead, written in the same transaction as the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The version that the change made.
    pub version: Version,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What kind of change.
    pub action: Action,
    /// Every field whose value changed.
    pub changes: Vec<FieldChange>,
    /// Why, where the change asks for a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The order that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
}

impl HistoryEntry {
    /// The entry for a lead that was just created or imported.
    pub fn of_new(lead: &Lead, action: Action) -> Self {
        Self::between(None, lead, action, None)
    }

    /// The entry for a change from one version of a lead to the next.
    pub fn of_change(before: &Lead, after: &Lead, action: Action, reason: Option<Reason>) -> Self {
        Self::between(Some(before), after, action, reason)
    }

    /// The same entry, about an order.
    pub fn about(self, order: OrderId) -> Self {
        Self { order: Some(order), ..self }
    }

    fn between(before: Option<&Lead>, after: &Lead, action: Action, reason: Option<Reason>) -> Self {
        let changes = LeadField::ALL.into_iter().filter_map(|field| {
            let old = before.map_or(Value::Null, |lead| lead.value(field));
            let new = after.value(field);
            (old != new).then_some(FieldChange { field, old, new })
        });
        Self {
            version: after.version,
            at: after.updated_at,
            by: after.updated_by.clone(),
            action,
            changes: changes.collect(),
            reason,
            order: None,
        }
    }
}
