//! What a lead is, how it may change, and which rules a change must keep. Pure: time and ids are arguments.
//!
//! A change is decided by DynamoDB, not here: [`LeadChange::guard`] says what the stored lead must satisfy for the
//! change to be allowed, and [`LeadChange::broken_rule`] names, after a refusal, the rule that it broke.

mod history;
mod rules;
mod status_or_stock;
mod stored_lead;

pub use history::{Action, FieldChange, HistoryEntry, Reason};
pub use rules::{Guard, LeadChange, Rule};
pub use status_or_stock::StatusOrStock;
pub use stored_lead::StoredLead;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::identity::Actor;
use crate::base::values::{Email, Invalid, Name, OrderId, UsState, Version, text_value, time_ordered_id};

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
    /// The least score with which a lead may be CONVERTED.
    pub const TO_CONVERT: Self = Self(80);

    /// The score as a number, 0 to 100.
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
            .ok_or_else(|| Invalid::new("A lead score is a whole number from 0 to 100."))
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
            .map_err(|_| Invalid::new("A lead score is a whole number from 0 to 100."))
            .and_then(Self::try_from)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The lead's place in the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Status {
    /// Known, not yet judged.
    #[default]
    Prospect,
    /// Worth an agent's time.
    Qualified,
    /// Bought; only an administrator reopens it.
    Converted,
}

impl Status {
    /// All, in the order of the pipeline.
    pub const ALL: [Self; 3] = [Self::Prospect, Self::Qualified, Self::Converted];

    /// The name in JSON and in the table, for example `PROSPECT`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Prospect => "PROSPECT",
            Self::Qualified => "QUALIFIED",
            Self::Converted => "CONVERTED",
        }
    }

    /// The name for people, for example `Prospect`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Prospect => "Prospect",
            Self::Qualified => "Qualified",
            Self::Converted => "Converted",
        }
    }

    /// The name in style sheets, for example `prospect`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Prospect => "prospect",
            Self::Qualified => "qualified",
            Self::Converted => "converted",
        }
    }
}

impl FromStr for Status {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        Self::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Invalid::new("A status is PROSPECT, QUALIFIED or CONVERTED."))
    }
}

text_value!(Status);

/// Whether a lead is free to be sold. Orders set it, never a person by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Stock {
    /// Free.
    #[default]
    Unassigned,
    /// Out in an open order.
    Assigned,
    /// Delivered in a fulfilled order.
    Fulfilled,
    /// Kept out of stock after a bad contact, until an agent puts it back.
    Withheld,
}

impl Stock {
    /// All, in the order of a lead's life.
    pub const ALL: [Self; 4] = [Self::Unassigned, Self::Assigned, Self::Fulfilled, Self::Withheld];

    /// The name in JSON and in the table, for example `UNASSIGNED`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Assigned => "ASSIGNED",
            Self::Fulfilled => "FULFILLED",
            Self::Withheld => "WITHHELD",
        }
    }

    /// The name for people, for example `Unassigned`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unassigned => "Unassigned",
            Self::Assigned => "Assigned",
            Self::Fulfilled => "Fulfilled",
            Self::Withheld => "Withheld",
        }
    }

    /// The name in style sheets, for example `unassigned`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Assigned => "assigned",
            Self::Fulfilled => "fulfilled",
            Self::Withheld => "withheld",
        }
    }
}

impl FromStr for Stock {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|stock| stock.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| Invalid::new("A stock is UNASSIGNED, ASSIGNED, FULFILLED or WITHHELD."))
    }
}

text_value!(Stock);

/// A person who may buy, as stored and as JSON shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lead {
    /// The id.
    pub id: LeadId,
    /// The person's name.
    pub name: Name,
    /// Their e-mail address, unique among leads without regard to case.
    pub email: Email,
    /// Their US state, where known.
    pub state: Option<UsState>,
    /// How likely they are to buy.
    pub lead_score: Score,
    /// Their place in the pipeline.
    pub status: Status,
    /// Whether they are free to be sold.
    pub stock: Stock,
    /// The order that has it or was given it; none while it is free or withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// 1 at creation, one more with every accepted change.
    pub version: Version,
    /// When the lead was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: Actor,
}

impl Lead {
    /// The state in whose queue it waits to be sold, if it does.
    pub fn free_in(&self) -> Option<UsState> {
        self.state.filter(|_| self.stock == Stock::Unassigned)
    }

    /// The same lead with another stock, as one more accepted change.
    pub fn moved(&self, stock: Stock, order: Option<OrderId>, now: Timestamp, by: Actor) -> Self {
        Self {
            stock,
            order_id: order,
            version: self.version.next(),
            updated_at: now,
            updated_by: by,
            ..self.clone()
        }
    }

    /// The value of a field, as the history keeps it.
    pub fn value(&self, field: LeadField) -> Value {
        match field {
            LeadField::Name => self.name.as_str().into(),
            LeadField::Email => self.email.as_str().into(),
            LeadField::State => self.state.map_or(Value::Null, |state| state.as_str().into()),
            LeadField::LeadScore => self.lead_score.get().into(),
            LeadField::Status => self.status.as_str().into(),
            LeadField::Stock => self.stock.as_str().into(),
        }
    }
}

/// A field of a lead that the history follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LeadField {
    /// `name`
    Name,
    /// `email`
    Email,
    /// `state`
    State,
    /// `leadScore`
    LeadScore,
    /// `status`
    Status,
    /// `stock`
    Stock,
}

impl LeadField {
    /// All, in the order in which pages show them.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::Email, Self::State, Self::LeadScore, Self::Status, Self::Stock];
    /// Those that a person edits.
    pub const EDITABLE: [Self; 5] = [Self::Name, Self::Email, Self::State, Self::LeadScore, Self::Status];

    /// The name in JSON, in forms and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::State => "state",
            Self::LeadScore => "leadScore",
            Self::Status => "status",
            Self::Stock => "stock",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Email => "E-mail",
            Self::State => "State",
            Self::LeadScore => "Lead score",
            Self::Status => "Status",
            Self::Stock => "Stock",
        }
    }
}

/// What a person gives for a new lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewLead {
    /// The person's name.
    pub name: Name,
    /// Their e-mail address.
    pub email: Email,
    /// Their US state, where known.
    #[serde(default)]
    pub state: Option<UsState>,
    /// How likely they are to buy; 0 unless given.
    #[serde(default)]
    pub lead_score: Score,
    /// Their place in the pipeline; PROSPECT unless given.
    #[serde(default)]
    pub status: Status,
}

impl NewLead {
    /// The lead as it will be stored, or the rule that it breaks.
    pub fn into_lead(self, id: LeadId, now: Timestamp, by: Actor) -> Result<Lead, Rule> {
        if self.status == Status::Converted && self.lead_score < Score::TO_CONVERT {
            return Err(Rule::ConvertNeedsScore);
        }
        Ok(Lead {
            id,
            name: self.name,
            email: self.email,
            state: self.state,
            lead_score: self.lead_score,
            status: self.status,
            stock: Stock::Unassigned,
            order_id: None,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            updated_by: by,
        })
    }
}
