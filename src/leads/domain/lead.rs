//! A lead, as stored and as shown in JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Company, LeadField, LeadSource, Owner, Phone, Score, Status, Stock};
use crate::base::identity::Actor;
use crate::base::values::{Email, Name, OrderId, UsState, Version, time_ordered_id};

time_ordered_id!(
    /// A lead's id.
    LeadId,
    "a lead"
);

/// A person who may buy, as stored and as shown in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lead {
    /// The id.
    pub id: LeadId,
    /// The person's name.
    pub name: Name,
    /// The email address, unique among leads regardless of case.
    pub email: Email,
    /// The phone number, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// The organization that the person belongs to, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<Company>,
    /// The US state, if known.
    pub state: Option<UsState>,
    /// The lead score.
    pub lead_score: Score,
    /// The place in the pipeline.
    pub status: Status,
    /// Where the lead comes from, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<LeadSource>,
    /// The agent who looks after the lead, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The version at which the custom fields changed last, or `None` if the lead has none. They are another item. A
    /// reader of both compares it with the item's version to see that they belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields_version: Option<Version>,
    /// The leads that were merged into this one, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<LeadId>,
    /// Whether the lead can be sold.
    pub stock: Stock,
    /// The order that contains the lead or delivered it, or `None` if the lead is free or withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// 1 at creation, plus one for each accepted change.
    pub version: Version,
    /// When the lead was created.
    pub created_at: Timestamp,
    /// When the lead was last changed.
    pub updated_at: Timestamp,
    /// Who changed the lead last.
    pub updated_by: Actor,
}

impl Lead {
    /// Returns the state whose queue contains the lead, if the lead is free.
    pub fn free_in(&self) -> Option<UsState> {
        self.state.filter(|_| self.stock == Stock::Unassigned)
    }

    /// Returns the lead at its next version, with the same fields.
    pub fn next_version(&self, now: Timestamp, by: Actor) -> Self {
        Self { version: self.version.next(), updated_at: now, updated_by: by, ..self.clone() }
    }

    /// Returns the lead at its next version, with another stock.
    pub fn moved(&self, stock: Stock, order: Option<OrderId>, now: Timestamp, by: Actor) -> Self {
        Self { stock, order_id: order, ..self.next_version(now, by) }
    }

    /// Returns the value of a field, in the representation of the history.
    pub fn value(&self, field: LeadField) -> Value {
        match field {
            LeadField::Name => self.name.as_str().into(),
            LeadField::Email => self.email.as_str().into(),
            LeadField::Phone => text_or_null(self.phone.as_ref().map(Phone::as_str)),
            LeadField::Company => text_or_null(self.company.as_ref().map(Company::as_str)),
            LeadField::State => text_or_null(self.state.as_ref().map(UsState::as_str)),
            LeadField::LeadScore => self.lead_score.get().into(),
            LeadField::Status => self.status.as_str().into(),
            LeadField::Source => text_or_null(self.source.as_ref().map(LeadSource::as_str)),
            LeadField::Owner => self.owner.as_ref().map_or(Value::Null, |owner| serde_json::json!(owner)),
            LeadField::Stock => self.stock.as_str().into(),
        }
    }
}

fn text_or_null(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}
