//! A run of a rule: what became of it, and its item in the table.

use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::domain::{RepeatPolicy, Rule, RuleId};
use crate::base::values::{Invalid, Name, Version, text_value, time_ordered_id};
use crate::rules::events::Event;
use crate::store::schema;
use crate::store::schema::{Index, TTL};
use crate::store::{Item, Key, StoreError, to_attribute, to_item};

time_ordered_id!(
    /// A run's id.
    RunId,
    "a run"
);

/// The sort key of every run.
pub(super) const RUN: &str = "RUN";
pub(super) const LIST: &str = "runs";
/// The most keys of one read.
pub(super) const TOGETHER: usize = 100;
pub(super) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RunState {
    /// The command was done.
    Done,
    /// It failed and is tried again soon.
    Failed,
    /// It failed too often, and waits for a person.
    Parked,
    /// It was not tried: rules set each other off.
    Stopped,
}

impl RunState {
    /// All.
    pub const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Parked, Self::Stopped];

    /// The name in JSON and in the table, for example `DONE`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Failed => "FAILED",
            Self::Parked => "PARKED",
            Self::Stopped => "STOPPED",
        }
    }

    /// The name for people.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Failed => "Failed, tried again soon",
            Self::Parked => "Parked",
            Self::Stopped => "Stopped",
        }
    }
}

impl FromStr for RunState {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| Invalid::new("A run is DONE, FAILED, PARKED or STOPPED."))
    }
}

text_value!(RunState);

/// One run of a rule, as stored and as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The id.
    pub id: RunId,
    /// The rule.
    pub rule: RuleId,
    /// What the rule was called then.
    pub rule_name: Name,
    /// What set it off.
    pub event: Event,
    /// The command with what the event put in, as it was last tried.
    pub command: String,
    /// What became of it.
    pub state: RunState,
    /// What it did or why it failed, in words.
    pub result: String,
    /// How often it was tried.
    pub attempts: u32,
    /// 1 at first, one more with every attempt.
    pub version: Version,
    /// When it was first tried.
    pub created_at: Timestamp,
    /// When it was last tried.
    pub updated_at: Timestamp,
    /// When it is tried again.
    pub due: Option<Timestamp>,
    /// Whether it stays for ever.
    #[serde(default)]
    pub stays: bool,
}

/// The name of the run of a rule for an event: for a rule that runs once, the same for all events.
pub(super) fn run_id(rule: &Rule, event: &Event) -> RunId {
    match rule.repeat {
        RepeatPolicy::Always => id_of(rule, &event.id, event.at),
        RepeatPolicy::Once => id_of(rule, "once", rule.created_at),
    }
}

/// The name of the record that an event was not answered.
pub(super) fn stop_id(rule: &Rule, event: &Event) -> RunId {
    id_of(rule, &event.id, event.at)
}

pub(super) fn id_of(rule: &Rule, what: &str, at: Timestamp) -> RunId {
    let hash =
        Sha256::new().chain_update(rule.id.to_string()).chain_update("#").chain_update(what).finalize();
    let mut random = [0; 10];
    random.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
    RunId::new(at, &random)
}

pub(super) fn run_key(id: RunId) -> Key {
    Key::new(format!("RUN#{id}"), RUN)
}

/// Which runs a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this rule.
    pub rule: Option<RuleId>,
    /// Only those that became this.
    pub state: Option<RunState>,
}

pub(super) fn partition(filter: RunFilter) -> (Index, String) {
    match (filter.rule, filter.state) {
        (None, None) => (schema::ALL_NEWEST, "RUNS".to_owned()),
        (None, Some(state)) => (schema::STATUS_NEWEST, format!("RUNS#{state}")),
        (Some(rule), None) => (schema::STATE_NEWEST, format!("RUNS#{rule}")),
        (Some(rule), Some(state)) => (schema::STATUS_STATE_NEWEST, format!("RUNS#{rule}#{state}")),
    }
}

/// The place of a moment among the runs that are to be tried again.
pub(super) fn due_sort(due: Timestamp) -> String {
    format!("{:015}", due.as_millisecond().max(0))
}

pub(super) fn run_item(run: &Run) -> Result<Item, StoreError> {
    let mut item = to_item(&run_key(run.id), run)?;
    let mut list = |name: &str, text: String| item.insert(name.to_owned(), AttributeValue::S(text));
    for rule in [None, Some(run.rule)] {
        for state in [None, Some(run.state)] {
            let (index, partition) = partition(RunFilter { rule, state });
            list(index.partition, partition);
        }
    }
    list(schema::ALL_NEWEST.sort, run.id.to_string());
    if let Some(due) = run.due {
        list(schema::STATUS_SCORE.sort, format!("{}#{}", due_sort(due), run.id));
    }
    if let Some(until) = run.expires_at() {
        item.insert(TTL.to_owned(), to_attribute(until)?);
    }
    Ok(item)
}

impl Run {
    /// When it goes, in seconds; nothing if it stays.
    pub(super) fn expires_at(&self) -> Option<i64> {
        let until = self.created_at.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX);
        (!self.stays).then(|| until.as_second())
    }
}
