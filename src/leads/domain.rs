//! What a lead is, how it may change, and which rules a change must keep. Pure: time and ids are arguments.
//!
//! A change is decided by DynamoDB, not here: [`LeadChange::guard`] says what the stored lead must satisfy for the
//! change to be allowed, and [`LeadChange::broken_rule`] names, after a refusal, the rule that it broke.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::values::{Email, Invalid, Name, UsState, Version, text_value};

/// A lead's id: a UUIDv7, so ids sort by the time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeadId(Uuid);

impl LeadId {
    /// An id made at `now` from ten random bytes.
    pub fn new(now: Timestamp, random: &[u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }
}

impl FromStr for LeadId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| Invalid::new("This is not the id of a lead; one is a UUID."))
    }
}

impl fmt::Display for LeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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
}

impl Stock {
    /// All, in the order of a lead's life.
    pub const ALL: [Self; 3] = [Self::Unassigned, Self::Assigned, Self::Fulfilled];

    /// The name in JSON and in the table, for example `UNASSIGNED`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Assigned => "ASSIGNED",
            Self::Fulfilled => "FULFILLED",
        }
    }

    /// The name for people, for example `Unassigned`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unassigned => "Unassigned",
            Self::Assigned => "Assigned",
            Self::Fulfilled => "Fulfilled",
        }
    }

    /// The name in style sheets, for example `unassigned`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Assigned => "assigned",
            Self::Fulfilled => "fulfilled",
        }
    }
}

impl FromStr for Stock {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|stock| stock.as_str() == text)
            .ok_or_else(|| Invalid::new("A stock is UNASSIGNED, ASSIGNED or FULFILLED."))
    }
}

text_value!(Stock);

/// Who did something, as the history names them: an account's name, or a program's beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// Someone by this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

/// A business rule that a change broke although its version was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Into CONVERTED only with a score of 80 or more.
    ConvertNeedsScore,
    /// A CONVERTED lead's score stays at 80 or more.
    ConvertedKeepsScore,
    /// CONVERTED is left only by an administrator's reopening.
    ConvertedIsReopened,
    /// Only a CONVERTED lead can be reopened.
    OnlyConvertedReopens,
    /// A lead that is out in an order cannot be deleted.
    AssignedStays,
    /// Two leads cannot have one e-mail address.
    EmailIsUnique,
}

impl Rule {
    /// The field beside which the rule is shown.
    pub fn field(self) -> LeadField {
        match self {
            Self::ConvertNeedsScore | Self::ConvertedIsReopened | Self::OnlyConvertedReopens => {
                LeadField::Status
            }
            Self::ConvertedKeepsScore => LeadField::LeadScore,
            Self::AssignedStays => LeadField::Stock,
            Self::EmailIsUnique => LeadField::Email,
        }
    }

    /// The rule's name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConvertNeedsScore => "convert-needs-score",
            Self::ConvertedKeepsScore => "converted-keeps-score",
            Self::ConvertedIsReopened => "converted-is-reopened",
            Self::OnlyConvertedReopens => "only-converted-reopens",
            Self::AssignedStays => "assigned-stays",
            Self::EmailIsUnique => "email-is-unique",
        }
    }

    /// The rule in words, with what would be right.
    pub fn words(self) -> &'static str {
        match self {
            Self::ConvertNeedsScore => {
                "A lead is converted only with a lead score of 80 or more. Raise the score first, or together with the status."
            }
            Self::ConvertedKeepsScore => {
                "The score of a converted lead cannot be lowered under 80. An administrator can reopen the lead first."
            }
            Self::ConvertedIsReopened => {
                "A converted lead keeps its status. An administrator can reopen it, with a reason."
            }
            Self::OnlyConvertedReopens => "Only a converted lead can be reopened; this one is open.",
            Self::AssignedStays => {
                "This lead is out in an order and cannot be deleted. Release it from the order or delete the order first."
            }
            Self::EmailIsUnique => "Another lead has this e-mail address already.",
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
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            updated_by: by,
        })
    }
}

/// What the stored lead must satisfy, beside its version, for a change to be allowed. A condition in DynamoDB sees
/// the lead as it was, so the guard speaks of stored values only where the change leaves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Nothing: the values that the change brings are right by themselves.
    VersionAlone,
    /// The stored score is 80 or more.
    ScoreAllowsConversion,
    /// The stored status is not CONVERTED.
    NotConverted,
    /// No stored lead allows it: the values that the change brings contradict each other.
    Never,
}

/// A change of some fields; those that are `None` stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadChange {
    /// The new name.
    pub name: Option<Name>,
    /// The new e-mail address.
    pub email: Option<Email>,
    /// The new state; `Some(None)` takes it away.
    pub state: Option<Option<UsState>>,
    /// The new score.
    pub lead_score: Option<Score>,
    /// The new status.
    pub status: Option<Status>,
}

impl LeadChange {
    /// What the stored lead must satisfy for this change.
    pub fn guard(&self) -> Guard {
        match (self.status, self.lead_score) {
            (Some(Status::Converted), Some(score)) if score < Score::TO_CONVERT => Guard::Never,
            (Some(Status::Converted), Some(_)) => Guard::VersionAlone,
            (Some(Status::Converted), None) => Guard::ScoreAllowsConversion,
            (Some(_), _) => Guard::NotConverted,
            (None, Some(score)) if score < Score::TO_CONVERT => Guard::NotConverted,
            (None, _) => Guard::VersionAlone,
        }
    }

    /// The rule that this change breaks on a stored lead, if it breaks one.
    pub fn broken_rule(&self, stored: &Lead) -> Option<Rule> {
        let status = self.status.unwrap_or(stored.status);
        let score = self.lead_score.unwrap_or(stored.lead_score);
        let was_converted = stored.status == Status::Converted;
        if status != Status::Converted {
            return was_converted.then_some(Rule::ConvertedIsReopened);
        }
        (score < Score::TO_CONVERT).then_some(if was_converted {
            Rule::ConvertedKeepsScore
        } else {
            Rule::ConvertNeedsScore
        })
    }

    /// The lead as it stands after this change, whether or not the rules allow it.
    pub fn applied_to(&self, stored: &Lead, now: Timestamp, by: Actor) -> Lead {
        Lead {
            id: stored.id,
            name: self.name.clone().unwrap_or_else(|| stored.name.clone()),
            email: self.email.clone().unwrap_or_else(|| stored.email.clone()),
            state: self.state.unwrap_or(stored.state),
            lead_score: self.lead_score.unwrap_or(stored.lead_score),
            status: self.status.unwrap_or(stored.status),
            stock: stored.stock,
            version: stored.version.next(),
            created_at: stored.created_at,
            updated_at: now,
            updated_by: by,
        }
    }

    /// Whether it brings no value at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The reason for reopening a lead, one to 500 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// The reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.is_empty() {
            Err(Invalid::new("Give a reason; it is kept in the lead's history."))
        } else if text.chars().count() > 500 {
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
        }
    }
}
