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
use super::run::{LIST, MAX_KEYS, Run, RunFilter, RunId, RunState, due_sort, partition, run_item, run_key};
use crate::rules::Rules;
use crate::shared::cursors::{cursor_after, start_after};
use crate::store::schema;
use crate::store::{Condition, GuardedWrite, Item, Key, Select, StoreError, from_item};
use crate::web::lists::Listed;

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
        self.dynamo.try_write(write).await.map(drop)
    }

    /// Returns the write of the next attempt, on condition that the run has not changed.
    pub(super) fn update_run(&self, before: &Run, after: &Run) -> Result<GuardedWrite, StoreError> {
        let same = Condition::is_number("version", before.version.get());
        Ok(self.dynamo.guarded_write().put("run", run_item(after)?, same))
    }

    /// Returns a page of at most `limit` runs, newest first.
    ///
    /// # Errors
    /// [`RuleError::Cursor`] for a cursor of another list.
    pub async fn list_runs(
        &self,
        filter: RunFilter,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Run>, RuleError> {
        let (ids, next) = self.run_ids(filter, limit, cursor).await?;
        let keys: Vec<Key> = ids.into_iter().map(run_key).collect();
        let items = self.dynamo.get_all(&keys).await?;
        let mut items = items.into_iter().map(from_item).collect::<Result<Vec<Run>, _>>()?;
        items.retain(|run| filter.admits(run));
        Ok(Listed { items, next })
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
        if let Some(id) = start_after::<RunId>(LIST, cursor)? {
            select = select.after(&id.to_string(), &run_key(id));
        }
        let mut ids = self.select_ids(&select).await?;
        let more = ids.len() > usize::from(limit);
        ids.truncate(limit.into());
        let next = ids.last().filter(|_| more).map(|id| cursor_after(LIST, id));
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
    pub dead_letters: Vec<Run>,
    /// A page of runs, newest first.
    pub page: Listed<Run>,
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
        let waiting = RunFilter { rule: None, state: Some(RunState::DeadLetter) };
        let ((dead_letters, _), (listed, next)) =
            try_join(self.run_ids(waiting, limit, None), self.run_ids(filter, limit, cursor)).await?;
        let mut keys: Vec<Key> = dead_letters.iter().chain(&listed).map(|id| run_key(*id)).collect();
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
        Ok(Overview {
            dead_letters: of(dead_letters, waiting),
            page: Listed { items: of(listed, filter), next },
            last,
        })
    }

    /// Returns at most `limit` failed runs that are due.
    pub(super) async fn due_runs(&self, now: Timestamp, limit: i32) -> Result<Vec<Run>, StoreError> {
        let (_, partition) = partition(RunFilter { rule: None, state: Some(RunState::Failed) });
        let range =
            Select::index(schema::STATUS_SCORE, partition, limit).between("0", format!("{}~", due_sort(now)));
        let ids = self.select_ids(&range).await?;
        let keys: Vec<Key> = ids.into_iter().map(run_key).collect();
        // A run that cannot be read is not retried, and does not block the others.
        let items = self.dynamo.get_all(&keys).await?;
        let mut runs: Vec<Run> = items.into_iter().filter_map(readable).collect();
        runs.retain(|run| run.state == RunState::Failed && run.due.is_some_and(|due| due <= now));
        Ok(runs)
    }

    async fn select_ids(&self, select: &Select) -> Result<Vec<RunId>, StoreError> {
        let page = self.dynamo.select(select).await?;
        let id = |item: &Item| item.get(schema::PK)?.as_s().ok()?.strip_prefix("RUN#")?.parse().ok();
        Ok(page.items.iter().filter_map(id).collect())
    }
}

fn readable(item: Item) -> Option<Run> {
    let run = from_item(item);
    run.inspect_err(|error| tracing::error!(%error, "a run cannot be read and is not retried")).ok()
}
