//! A run of a rule, and its item in the table.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::domain::{RepeatPolicy, Rule, RuleId};
use super::events::Event;
use crate::base::values::{Name, Version, text_enum, time_ordered_id};
use crate::store::schema::{self, Index, TTL};
use crate::store::{Item, Key, StoreError, to_attribute, to_item};

time_ordered_id!(
    /// A run's id.
    RunId,
    "a run"
);

/// The sort key of every run.
pub(super) const RUN: &str = "RUN";
pub(super) const LIST: &str = "runs";
/// The maximum number of keys in one read.
pub(super) const MAX_KEYS: usize = 100;
pub(super) const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

text_enum! {
    /// The state of a run.
    pub enum RunState, "The state must be DONE, FAILED, PARKED, or STOPPED.";
    /// The command succeeded.
    Done = "DONE",
    /// It failed and will be retried soon.
    Failed = "FAILED",
    /// It failed too often and waits for a person.
    DeadLetter = "PARKED",
    /// It was not tried, because too many rules in a row led to it.
    Stopped = "STOPPED",
}

impl RunState {
    /// Returns the name for people.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Failed => "Failed, will retry",
            Self::DeadLetter => "Needs attention",
            Self::Stopped => "Stopped",
        }
    }
}

/// A run of a rule, as stored and in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The id.
    pub id: RunId,
    /// The rule.
    pub rule: RuleId,
    /// The name of the rule at that time.
    pub rule_name: Name,
    /// The event that triggered it.
    pub event: Event,
    /// The command with the values of the event, as it was last tried.
    pub command: String,
    /// The state.
    pub state: RunState,
    /// What it did or why it failed, as text.
    pub result: String,
    /// The number of attempts.
    pub attempts: u32,
    /// 1 at first, incremented with every attempt.
    pub version: Version,
    /// When it was first tried.
    pub created_at: Timestamp,
    /// When it was last tried.
    pub updated_at: Timestamp,
    /// When it will be tried again.
    pub due: Option<Timestamp>,
    /// Whether it is kept forever.
    #[serde(default)]
    pub stays: bool,
}

/// Returns the id of the run of a rule for an event: for a rule that runs once, the same for all events.
pub(super) fn run_id(rule: &Rule, event: &Event) -> RunId {
    match rule.settings.repeat {
        RepeatPolicy::Always => id_of(rule, &event.id, event.at),
        RepeatPolicy::Once => id_of(rule, "once", rule.created_at),
    }
}

/// Returns the id of the record that an event was not answered.
pub(super) fn stop_id(rule: &Rule, event: &Event) -> RunId {
    id_of(rule, &event.id, event.at)
}

fn id_of(rule: &Rule, what: &str, at: Timestamp) -> RunId {
    let hash = Sha256::digest(format!("{}#{what}", rule.id));
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    RunId::new(at, &random)
}

pub(super) fn run_key(id: RunId) -> Key {
    Key::new(format!("RUN#{id}"), RUN)
}

/// A filter for lists of runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs of this rule.
    pub rule: Option<RuleId>,
    /// Only runs in this state.
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

/// Returns the sort key of a retry time.
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
    /// Returns when it expires in Unix seconds, or `None` if it is kept forever.
    pub(super) fn expires_at(&self) -> Option<i64> {
        let until = self.created_at.saturating_add(RETENTION).unwrap_or(Timestamp::MAX);
        (!self.stays).then(|| until.as_second())
    }
}
