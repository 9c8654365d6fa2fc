//! The history of a lead: one entry for each accepted change, with each changed field.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CustomFieldChange, Lead, LeadField};
use crate::base::identity::Actor;
use crate::base::values::{Invalid, OrderId, Version, text_type};

text_type!(
    /// The reason for reopening a lead, one to 500 characters.
    Reason,
    parse_reason
);

impl Reason {
    const MAX_CHARS: usize = 500;

    /// Creates a reason from its kind and an optional note, cut to the maximum length.
    pub fn of_kind(kind: &str, note: Option<&Self>) -> Self {
        let words = note.map_or(kind.to_owned(), |note| format!("{kind}: {}", note.0));
        Self(words.chars().take(Self::MAX_CHARS).collect())
    }
}

fn parse_reason(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.is_empty() {
        Err(Invalid::new("Enter a reason. It's kept in the lead's history."))
    } else if text.chars().count() > Reason::MAX_CHARS {
        Err(Invalid::new("A reason can have at most 500 characters."))
    } else if text.chars().any(bad) {
        Err(Invalid::new("A reason can't have control characters."))
    } else {
        Ok(text.to_owned())
    }
}

/// The kind of change that made a version of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// Created by a person or a program.
    Created,
    /// Created by an import.
    Imported,
    /// Some fields changed.
    Updated,
    /// Reopened from CONVERTED by an administrator.
    Reopened,
    /// Assigned to an order.
    Assigned,
    /// Released from an order, with a reason.
    Released,
    /// Delivered with its fulfilled order.
    Fulfilled,
    /// Returned to stock because its order was deleted.
    Returned,
    /// Put back in stock by an agent.
    Restocked,
    /// Deleted: moved to the trash.
    Deleted,
    /// Restored from the trash.
    Restored,
    /// Changed back to the values of an earlier version.
    Reverted,
    /// Another lead was merged into this one.
    Merged,
    /// Merged into another lead. This is the last entry.
    MergedInto,
}

impl Action {
    /// Returns the action as a verb for people: "Ann Lee created this lead".
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
            Self::Restored => "restored",
            Self::Reverted => "changed back",
            Self::Merged => "merged",
            Self::MergedInto => "merged away",
        }
    }
}

/// The change of one field. Null means no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field.
    pub field: LeadField,
    /// The value before the change.
    pub old: Value,
    /// The value after the change.
    pub new: Value,
}

/// One accepted change of a lead, written in the same transaction as the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The version that the change made.
    pub version: Version,
    /// The time of the change.
    pub at: Timestamp,
    /// The actor who made the change.
    pub by: Actor,
    /// The kind of change.
    pub action: Action,
    /// Every field whose value changed.
    pub changes: Vec<FieldChange>,
    /// Every custom field whose text changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<CustomFieldChange>,
    /// The reason, if the change requires one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The related order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The import and its row that made the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl HistoryEntry {
    /// Creates the entry for a new or imported lead.
    pub fn of_new(lead: &Lead, action: Action) -> Self {
        Self::between(None, lead, action, None)
    }

    /// Creates the entry for a change from one version of a lead to the next.
    pub fn of_change(before: &Lead, after: &Lead, action: Action, reason: Option<Reason>) -> Self {
        Self::between(Some(before), after, action, reason)
    }

    /// Adds the changes of custom fields.
    pub fn with_fields(self, fields: Vec<CustomFieldChange>) -> Self {
        Self { fields, ..self }
    }

    /// Sets the row of an import that made the change.
    pub fn with_source(self, source: Option<&str>) -> Self {
        Self { source: source.map(str::to_owned), ..self }
    }

    /// Sets the related order.
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
            fields: Vec::new(),
            reason,
            order: None,
            source: None,
        }
    }
}
