//! The runs of rules: their triggers, commands and outcomes. Runs are kept for 30 days; the run of a rule that runs
//! once is kept forever.
//!
//! Invariant: a rule and an event have one run, whose id is derived from both, so it is written once however often
//! the event is delivered.

use std::collections::{HashMap, HashSet};

use futures_util::future::try_join;
use jiff::Timestamp;

use super::domain::RuleId;
use super::error::RuleError;
use super::last::{self, LastRun};
use crate::rules::Rules;
use crate::store::schema;
use crate::store::{
    Condition, Cursor, CursorError, GuardedWrite, Item, Key, Select, StoreError, WriteError, from_item,
};

use super::run::{LIST, MAX_KEYS, Run, RunFilter, RunId, RunState, due_sort, partition, run_item, run_key};

impl Rules {
    /// Returns a run, read consistently, if it exists.
    pub(super) async fn get_run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.dynamo.get(&run_key(id)).await?.map(from_item).transpose()
    }

    /// Returns a run, read consistently.
    ///
    /// # Errors
    /// [`RuleError::NoSuchRun`].
    pub async fn find_run(&self, id: RunId) -> Result<Run, RuleError> {
        self.get_run(id).await?.ok_or(RuleError::NoSuchRun(id))
    }

    /// Writes the first attempt of a run. If another process has written it, that one stays.
    pub(super) async fn insert_run(&self, run: &Run) -> Result<(), StoreError> {
        let write = self.dynamo.guarded_write().put("run", run_item(run)?, Condition::Absent);
        match self.dynamo.write(write).await {
            Ok(()) | Err(WriteError::Refused(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Returns the write of the next attempt, on condition that the run has not changed.
    pub(super) fn update_run(&self, before: &Run, after: &Run) -> Result<GuardedWrite, StoreError> {
        let same = Condition::is_number("version", before.version.get());
        Ok(self.dynamo.guarded_write().put("run", run_item(after)?, same))
    }
}

/// A page of runs.
#[derive(Debug)]
pub struct RunPage {
    /// The runs, newest first.
    pub runs: Vec<Run>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Rules {
    /// Returns a page of at most `limit` runs, newest first.
    ///
    /// # Errors
    /// [`RuleError::Cursor`] for a cursor of another list.
    pub async fn list_runs(
        &self,
        filter: RunFilter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<RunPage, RuleError> {
        let (ids, next) = self.run_ids(filter, limit, cursor).await?;
        let mut runs = self.read_runs(&ids).await?;
        runs.retain(|run| filter.admits(run));
        Ok(RunPage { runs, next })
    }

    /// Returns the ids of the runs of a page, and the cursor of the next page.
    async fn run_ids(
        &self,
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
        let mut ids = self.select_ids(&select).await?;
        let more = ids.len() > usize::from(limit);
        ids.truncate(limit.into());
        let next = ids.last().filter(|_| more).map(|id| Cursor::after([id.to_string()]).encode(LIST));
        Ok((ids, next))
    }
}

impl RunFilter {
    /// Returns whether a run passes the filter. An index may be slightly old.
    fn admits(&self, run: &Run) -> bool {
        self.state.is_none_or(|state| run.state == state) && self.rule.is_none_or(|rule| run.rule == rule)
    }
}

/// The runs on the page of rules.
#[derive(Debug)]
pub(super) struct Overview {
    /// Runs that wait for a person.
    pub parked: Vec<Run>,
    /// A page of runs, newest first.
    pub page: RunPage,
    /// The last run of each rule.
    pub last: Vec<LastRun>,
}

impl Rules {
    /// Returns the runs for the page of rules: a page of runs, those that wait for a person, and the last run of
    /// each of these rules. Takes three calls, plus one for each further hundred items.
    ///
    /// # Errors
    /// [`RuleError::Cursor`] for a cursor of another list.
    pub(super) async fn runs_overview(
        &self,
        rules: &[RuleId],
        filter: RunFilter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Overview, RuleError> {
        let waiting = RunFilter { rule: None, state: Some(RunState::Parked) };
        let (parked, listed) =
            try_join(self.run_ids(waiting, limit, None), self.run_ids(filter, limit, cursor)).await?;
        let ((parked, _), (listed, next)) = (parked, listed);
        let mut keys: Vec<Key> = parked.iter().chain(&listed).map(|id| run_key(*id)).collect();
        keys.extend(rules.iter().map(|rule| last::key(*rule)));
        // A run may be in both lists, but a read must not contain a key twice.
        let mut unique = HashSet::new();
        keys.retain(|key| unique.insert(key.clone()));
        let (mut runs, mut last) = (HashMap::new(), Vec::new());
        for keys in keys.chunks(MAX_KEYS) {
            for item in self.dynamo.get_all(keys).await? {
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

    /// Returns at most `limit` failed runs that are due.
    pub(super) async fn due_runs(&self, now: Timestamp, limit: i32) -> Result<Vec<Run>, StoreError> {
        let (_, partition) = partition(RunFilter { rule: None, state: Some(RunState::Failed) });
        let range =
            Select::index(schema::STATUS_SCORE, partition, limit).between("0", format!("{}~", due_sort(now)));
        let ids = self.select_ids(&range).await?;
        let keys: Vec<Key> = ids.iter().map(|id| run_key(*id)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        // A run that cannot be read is not retried, and does not block the others.
        let mut runs: Vec<Run> = items.into_iter().filter_map(readable).collect();
        runs.retain(|run| run.state == RunState::Failed && run.due.is_some_and(|due| due <= now));
        Ok(runs)
    }
}

fn readable(item: Item) -> Option<Run> {
    let run = from_item(item);
    run.inspect_err(|error| tracing::error!(%error, "a run of a rule cannot be read and is not tried")).ok()
}

impl Rules {
    async fn select_ids(&self, select: &Select) -> Result<Vec<RunId>, StoreError> {
        let page = self.dynamo.select(select).await?;
        let id = |item: &Item| item.get(schema::PK)?.as_s().ok()?.strip_prefix("RUN#")?.parse().ok();
        Ok(page.items.iter().filter_map(id).collect())
    }

    async fn read_runs(&self, ids: &[RunId]) -> Result<Vec<Run>, StoreError> {
        let keys: Vec<Key> = ids.iter().map(|id| run_key(*id)).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.dynamo.get_all(&keys).await?.into_iter().map(from_item).collect()
    }
}
