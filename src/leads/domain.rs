//! Leads, their changes, and the rules for changes. Pure: time and ids are arguments.
//!
//! DynamoDB decides whether a change is allowed: [`LeadChange::guard`] is the condition on the stored lead. When
//! DynamoDB refuses a change, [`LeadChange::broken_rule`] names the rule that the change broke.

mod contact;
mod custom_fields;
mod history;
mod note;
mod rules;
mod status_or_stock;
mod stored_lead;

pub use contact::{Company, LeadSource, Owner, Phone};
pub use custom_fields::{CustomField, CustomFieldChange, CustomFields, FieldEdits, FieldName, FieldText};
pub use history::{Action, FieldChange, HistoryEntry, Reason};
pub use note::{Note, NoteId, NoteText};
pub use rules::{Guard, LeadChange, Rule};
pub use status_or_stock::StatusOrStock;
pub use stored_lead::StoredLead;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::identity::Actor;
use crate::base::values::{Email, Invalid, Name, OrderId, UsState, Version, text_enum, time_ordered_id};

time_ordered_id!(
    /// A lead's id.
    LeadId,
    "a lead"
);

/// How likely the lead is to buy, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Score(u8);

impl Score {
    /// The lowest score of a CONVERTED lead.
    pub const TO_CONVERT: Self = Self(80);

    /// Returns the score as a number from 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Score {
    type Error = Invalid;

    fn try_from(number: i64) -> Result<Self, Invalid> {
        u8::try_from(number)
            .ok()
            .filter(|score| *score <= 100)
            .map(Self)
            .ok_or_else(|| Invalid::new("A lead score must be a whole number from 0 to 100."))
    }
}

impl From<Score> for i64 {
    fn from(score: Score) -> Self {
        score.0.into()
    }
}

impl FromStr for Score {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.trim()
            .parse::<i64>()
            .map_err(|_| Invalid::new("A lead score must be a whole number from 0 to 100."))
            .and_then(Self::try_from)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_enum! {
    /// The lead's place in the pipeline.
    #[derive(Default)]
    pub enum Status, "The status must be PROSPECT, QUALIFIED, or CONVERTED.";
    /// Known, but not yet assessed.
    #[default]
    Prospect = "PROSPECT",
    /// Worth an agent's time.
    Qualified = "QUALIFIED",
    /// Bought. Only an administrator can reopen the lead.
    Converted = "CONVERTED",
}

impl Status {
    /// Returns the name for people, for example `Prospect`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Prospect => "Prospect",
            Self::Qualified => "Qualified",
            Self::Converted => "Converted",
        }
    }

    /// Returns the name in style sheets, for example `prospect`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Prospect => "prospect",
            Self::Qualified => "qualified",
            Self::Converted => "converted",
        }
    }
}

text_enum! {
    /// Whether a lead can be sold. Orders set the stock; people do not edit it.
    #[derive(Default)]
    pub enum Stock, "The stock must be UNASSIGNED, ASSIGNED, FULFILLED, or WITHHELD.";
    /// Free.
    #[default]
    Unassigned = "UNASSIGNED",
    /// In an open order.
    Assigned = "ASSIGNED",
    /// Delivered in a fulfilled order.
    Fulfilled = "FULFILLED",
    /// Kept out of stock after a bad contact until an agent puts it back.
    Withheld = "WITHHELD",
}

impl Stock {
    /// Returns the name for people, for example `Unassigned`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unassigned => "Unassigned",
            Self::Assigned => "Assigned",
            Self::Fulfilled => "Fulfilled",
            Self::Withheld => "Withheld",
        }
    }

    /// Returns the name in style sheets, for example `unassigned`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Assigned => "assigned",
            Self::Fulfilled => "fulfilled",
            Self::Withheld => "withheld",
        }
    }
}

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
    /// The version at which the custom fields changed last, or `None` if the lead has none. They are an item of their
    /// own; a reader of both knows by this that they belong together.
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

/// A field of a lead whose changes the history records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LeadField {
    /// `name`
    Name,
    /// `email`
    Email,
    /// `phone`
    Phone,
    /// `company`
    Company,
    /// `state`
    State,
    /// `leadScore`
    LeadScore,
    /// `status`
    Status,
    /// `source`
    Source,
    /// `owner`
    Owner,
    /// `stock`
    Stock,
}

impl LeadField {
    /// All fields, in the order in which pages show them.
    pub const ALL: [Self; 10] = [
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::State,
        Self::LeadScore,
        Self::Status,
        Self::Source,
        Self::Owner,
        Self::Stock,
    ];
    /// The fields that people edit.
    pub const EDITABLE: [Self; 9] = [
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::State,
        Self::LeadScore,
        Self::Status,
        Self::Source,
        Self::Owner,
    ];

    /// Returns the name in JSON, in forms and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Company => "company",
            Self::State => "state",
            Self::LeadScore => "leadScore",
            Self::Status => "status",
            Self::Source => "source",
            Self::Owner => "owner",
            Self::Stock => "stock",
        }
    }

    /// Returns the name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Email => "Email",
            Self::Phone => "Phone",
            Self::Company => "Company",
            Self::State => "State",
            Self::LeadScore => "Lead score",
            Self::Status => "Status",
            Self::Source => "Source",
            Self::Owner => "Owner",
            Self::Stock => "Stock",
        }
    }
}

/// The input for a new lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewLead {
    /// The person's name.
    pub name: Name,
    /// The email address.
    pub email: Email,
    /// The phone number, if known.
    #[serde(default)]
    pub phone: Option<Phone>,
    /// The organization that the person belongs to, if known.
    #[serde(default)]
    pub company: Option<Company>,
    /// The US state, if known.
    #[serde(default)]
    pub state: Option<UsState>,
    /// The lead score. The default is 0.
    #[serde(default)]
    pub lead_score: Score,
    /// The place in the pipeline. The default is PROSPECT.
    #[serde(default)]
    pub status: Status,
    /// Where the lead comes from, if known.
    #[serde(default)]
    pub source: Option<LeadSource>,
    /// The agent who looks after the lead, if there is one.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// The custom fields.
    #[serde(default)]
    pub fields: CustomFields,
}

impl NewLead {
    /// Returns a lead with only a name and an email address.
    pub fn named(name: Name, email: Email) -> Self {
        Self {
            name,
            email,
            phone: None,
            company: None,
            state: None,
            lead_score: Score::default(),
            status: Status::default(),
            source: None,
            owner: None,
            fields: CustomFields::default(),
        }
    }

    /// Returns the lead at its first version. Its custom fields are another item.
    ///
    /// # Errors
    /// The [`Rule`] that the lead breaks.
    pub fn into_lead(self, id: LeadId, now: Timestamp, by: Actor) -> Result<Lead, Rule> {
        if self.status == Status::Converted && self.lead_score < Score::TO_CONVERT {
            return Err(Rule::ConvertNeedsScore);
        }
        Ok(Lead {
            id,
            name: self.name,
            email: self.email,
            phone: self.phone,
            company: self.company,
            state: self.state,
            lead_score: self.lead_score,
            status: self.status,
            source: self.source,
            owner: self.owner,
            fields_version: (!self.fields.is_empty()).then_some(Version::FIRST),
            merged: Vec::new(),
            stock: Stock::Unassigned,
            order_id: None,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            updated_by: by,
        })
    }
}
