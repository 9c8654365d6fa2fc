//! The runs of rules: what set each off, what it did and what came of it. Kept for 30 days; that of a rule that runs
//! once stays.
//!
//! What always holds: a rule and an event have one run, whose id is made of both, so that it is written once however
//! often the event is told.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::domain::{Repeat, Rule, RuleId};
use super::error::RuleError;
use super::last::{self, LastRun};
use crate::app::App;
use crate::automation::events::Event;
use crate::dynamo::schema::{self, Index, TTL};
use crate::dynamo::{
    Condition, Cursor, CursorError, GuardedWrite, Item, Key, Select, StoreError, WriteError, from_item,
    to_attribute, to_item,
};
use crate::values::{Invalid, Name, Version, text_value, time_ordered_id};

time_ordered_id!(
    /// A run's id.
    RunId,
    "a run"
);

/// The sort key of every run.
pub(super) const RUN: &str = "RUN";
const LIST: &str = "runs";
/// The most keys of one read.
const TOGETHER: usize = 100;
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

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
        Repeat::Always => id_of(rule, &event.id, event.at),
        Repeat::Once => id_of(rule, "once", rule.created_at),
    }
}

/// The name of the record that an event was not answered.
pub(super) fn stop_id(rule: &Rule, event: &Event) -> RunId {
    id_of(rule, &event.id, event.at)
}

fn id_of(rule: &Rule, what: &str, at: Timestamp) -> RunId {
    let hash =
        Sha256::new().chain_update(rule.id.to_string()).chain_update("#").chain_update(what).finalize();
    let mut random = [0; 10];
    random.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
    RunId::new(at, &random)
}

fn run_key(id: RunId) -> Key {
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

fn partition(filter: RunFilter) -> (Index, String) {
    match (filter.rule, filter.state) {
        (None, None) => (schema::ALL_NEWEST, "RUNS".to_owned()),
        (None, Some(state)) => (schema::STATUS_NEWEST, format!("RUNS#{state}")),
        (Some(rule), None) => (schema::STATE_NEWEST, format!("RUNS#{rule}")),
        (Some(rule), Some(state)) => (schema::STATUS_STATE_NEWEST, format!("RUNS#{rule}#{state}")),
    }
}

/// The place of a moment among the runs that are to be tried again.
fn due_sort(due: Timestamp) -> String {
    format!("{:015}", due.as_millisecond().max(0))
}

fn run_item(run: &Run) -> Result<Item, StoreError> {
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

/// One run, read consistently, if there is one.
pub(super) async fn get(app: &App, id: RunId) -> Result<Option<Run>, StoreError> {
    app.dynamo.get(&run_key(id)).await?.map(from_item).transpose()
}

/// One run, read consistently.
///
/// # Errors
/// [`RuleError::NoSuchRun`].
pub async fn find(app: &App, id: RunId) -> Result<Run, RuleError> {
    get(app, id).await?.ok_or(RuleError::NoSuchRun(id))
}

/// Writes the first attempt of a run. Where somebody else has written it, theirs stays.
pub(super) async fn begin(app: &App, run: &Run) -> Result<(), StoreError> {
    let write = app.dynamo.guarded_write().put("run", run_item(run)?, Condition::Absent);
    match app.dynamo.write(write).await {
        Ok(()) | Err(WriteError::Refused(_)) => Ok(()),
        Err(WriteError::Store(error)) => Err(error),
    }
}

/// The write of one more attempt over the run as it was.
pub(super) fn again(app: &App, before: &Run, after: &Run) -> Result<GuardedWrite, StoreError> {
    let same = Condition::is_number("version", before.version.get());
    Ok(app.dynamo.guarded_write().put("run", run_item(after)?, same))
}

/// One page of runs.
#[derive(Debug)]
pub struct RunPage {
    /// The runs, newest first.
    pub runs: Vec<Run>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A page of runs, newest first, of at most `limit`.
///
/// # Errors
/// [`RuleError::Cursor`] for a cursor of another list.
pub async fn list(
    app: &App,
    filter: RunFilter,
    limit: u16,
    cursor: Option<&str>,
) -> Result<RunPage, RuleError> {
    let (ids, next) = page_ids(app, filter, limit, cursor).await?;
    let mut runs = read(app, &ids).await?;
    runs.retain(|run| filter.admits(run));
    Ok(RunPage { runs, next })
}

/// The runs of a page, and where the next one begins.
async fn page_ids(
    app: &App,
    filter: RunFilter,
    limit: u16,
    cursor: Option<&str>,
) -> Result<(Vec<RunId>, Option<String>), RuleError> {
    let (index, partition) = partition(filter);
    let mut select = Select::index(index, partition, i32::from(limit) + 1).backwards();
    if let Some(text) = cursor {
        let cursor = Cursor::<1>::decode(LIST, text)?;
        let [id] = cursor.parts();
        let id: RunId = id.parse().map_err(|_| CursorError)?;
        select = select.after(&id.to_string(), &run_key(id));
    }
    let mut ids = ids(app, &select).await?;
    let more = ids.len() > usize::from(limit);
    ids.truncate(limit.into());
    let next = ids.last().filter(|_| more).map(|id| Cursor::after([id.to_string()]).encode(LIST));
    Ok((ids, next))
}

impl RunFilter {
    /// Whether a run passes. An index is a moment old.
    fn admits(&self, run: &Run) -> bool {
        self.state.is_none_or(|state| run.state == state) && self.rule.is_none_or(|rule| run.rule == rule)
    }
}

/// What the page of rules shows beside them.
#[derive(Debug)]
pub(super) struct Overview {
    /// Runs that wait for a person.
    pub parked: Vec<Run>,
    /// A page of runs, newest first.
    pub page: RunPage,
    /// The last runs of rules.
    pub last: Vec<LastRun>,
}

/// What the page of rules shows beside them: a page of runs, those that wait for a person, and the last run of each of
/// these rules. Three calls, and one more for each hundred of what is shown.
///
/// # Errors
/// [`RuleError::Cursor`] for a cursor of another list.
pub(super) async fn overview(
    app: &App,
    rules: &[RuleId],
    filter: RunFilter,
    limit: u16,
    cursor: Option<&str>,
) -> Result<Overview, RuleError> {
    let waiting = RunFilter { rule: None, state: Some(RunState::Parked) };
    let (parked, listed) =
        try_join(page_ids(app, waiting, limit, None), page_ids(app, filter, limit, cursor)).await?;
    let ((parked, _), (listed, next)) = (parked, listed);
    let mut keys: Vec<Key> = parked.iter().chain(&listed).map(|id| run_key(*id)).collect();
    keys.extend(rules.iter().map(|rule| last::key(*rule)));
    // A run may be on both lists, and no read names a key twice.
    let mut seen = HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    let (mut runs, mut last) = (HashMap::new(), Vec::new());
    for keys in keys.chunks(TOGETHER) {
        for item in app.dynamo.get_all(keys).await? {
            if let Some(read) = last::read(&item) {
                last.push(read?);
            } else {
                let run: Run = from_item(item)?;
                runs.insert(run.id, run);
            }
        }
    }
    let of = |ids: Vec<RunId>, filter: RunFilter| -> Vec<Run> {
        let found = ids.iter().filter_map(|id| runs.get(id));
        found.filter(|run| filter.admits(run)).cloned().collect()
    };
    Ok(Overview { parked: of(parked, waiting), page: RunPage { runs: of(listed, filter), next }, last })
}

/// Failed runs whose time has come, at most `limit`.
pub(super) async fn due(app: &App, now: Timestamp, limit: i32) -> Result<Vec<Run>, StoreError> {
    let (_, partition) = partition(RunFilter { rule: None, state: Some(RunState::Failed) });
    let range =
        Select::index(schema::STATUS_SCORE, partition, limit).between("0", format!("{}~", due_sort(now)));
    let ids = ids(app, &range).await?;
    let keys: Vec<Key> = ids.iter().map(|id| run_key(*id)).collect();
    let items = if keys.is_empty() { Vec::new() } else { app.dynamo.get_all(&keys).await? };
    // One that cannot be read is not tried, and holds up none of the others.
    let mut runs: Vec<Run> = items.into_iter().filter_map(readable).collect();
    runs.retain(|run| run.state == RunState::Failed && run.due.is_some_and(|due| due <= now));
    Ok(runs)
}

fn readable(item: Item) -> Option<Run> {
    let run = from_item(item);
    run.inspect_err(|error| tracing::error!(%error, "a run of a rule cannot be read and is not tried")).ok()
}

async fn ids(app: &App, select: &Select) -> Result<Vec<RunId>, StoreError> {
    let page = app.dynamo.select(select).await?;
    let id = |item: &Item| item.get(schema::PK)?.as_s().ok()?.strip_prefix("RUN#")?.parse().ok();
    Ok(page.items.iter().filter_map(id).collect())
}

async fn read(app: &App, ids: &[RunId]) -> Result<Vec<Run>, StoreError> {
    let keys: Vec<Key> = ids.iter().map(|id| run_key(*id)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    app.dynamo.get_all(&keys).await?.into_iter().map(from_item).collect()
}
