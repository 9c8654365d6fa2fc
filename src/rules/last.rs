//! The last run of each rule, for the list: derived from the table's stream, slightly late.
//!
//! Invariant: an item stores a run and its version, and an older one never replaces it. So a change that is delivered
//! twice or late changes nothing.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Rule, RuleId};
use super::error::RuleError;
use super::run::{MAX_KEYS, RUN, Run, RunFilter, RunId, RunState};
use crate::base::values::Version;
use crate::rules::Rules;
use crate::store::schema::TTL;
use crate::store::stream::Change;
use crate::store::{Condition, Item, Key, StoreError, from_item, to_attribute, to_item};

/// The last run of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// The rule.
    pub rule: RuleId,
    /// The run.
    pub run: RunId,
    /// The version of the run.
    pub version: Version,
    /// The state of the run.
    pub state: RunState,
    /// When it was last tried.
    pub at: Timestamp,
    /// When the run expires, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl LastRun {
    fn of(run: &Run, expires_at: Option<i64>) -> Self {
        let (version, state, at) = (run.version, run.state, run.updated_at);
        Self { rule: run.rule, run: run.id, version, state, at, expires_at }
    }

    /// Run ids start with the time of their events, so they sort by time.
    fn is_before(&self, other: &Self) -> bool {
        (self.run, self.version) < (other.run, other.version)
    }
}

/// Returns the key of a rule's last run.
pub(super) fn key(rule: RuleId) -> Key {
    Key::new(format!("RULE#{rule}"), "LAST")
}

/// Returns the last run in an item, if it is such an item.
pub(super) fn read(item: &Item) -> Option<Result<LastRun, StoreError>> {
    let sort = item.get("sk")?.as_s().ok()?;
    (sort == "LAST").then(|| from_item(item.clone()))
}

/// Returns whether a key belongs to a run.
pub fn is_run(key: &Key) -> bool {
    key.sk == RUN
}

impl Rules {
    /// Records the last runs in these changes.
    ///
    /// # Errors
    /// [`StoreError`]; it is safe to repeat.
    pub async fn record_last_runs(&self, changes: &[&Change]) -> Result<(), StoreError> {
        let mut last: HashMap<RuleId, LastRun> = HashMap::new();
        for change in changes {
            let Some(after) = &change.after else { continue };
            let expires = after.get(TTL).and_then(|value| value.as_n().ok()?.parse().ok());
            let run = LastRun::of(&from_item(after.clone())?, expires);
            match last.get(&run.rule) {
                Some(known) if !known.is_before(&run) => {}
                _ => drop(last.insert(run.rule, run)),
            }
        }
        let runs: Vec<LastRun> = last.into_values().collect();
        for runs in runs.chunks(MAX_KEYS) {
            self.record_batch(runs).await?;
        }
        Ok(())
    }

    async fn record_batch(&self, runs: &[LastRun]) -> Result<(), StoreError> {
        let keys: Vec<Key> = runs.iter().map(|run| key(run.rule)).collect();
        let mut retries = self.background.retries();
        loop {
            let items = self.background.get_all(&keys).await?;
            let known = items.iter().filter_map(read).collect::<Result<Vec<LastRun>, _>>()?;
            let mut write = self.background.guarded_write();
            let mut has_changes = false;
            for run in runs {
                let before = known.iter().find(|known| known.rule == run.rule);
                if before.is_some_and(|before| !before.is_before(run)) {
                    continue;
                }
                let same = match before {
                    Some(before) => Condition::Equals("run", to_attribute(before.run)?)
                        .and(Condition::is_number("version", before.version.get())),
                    None => Condition::Absent,
                };
                write = write.put("last run", to_item(&key(run.rule), run)?, same);
                has_changes = true;
            }
            if !has_changes || self.background.try_write(write).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Records the last run of each rule from its current runs, for rules whose runs an earlier version wrote.
    ///
    /// # Errors
    /// [`RuleError::Store`]; it is safe to repeat.
    pub async fn recount_last_runs(&self) -> Result<(), RuleError> {
        for Rule { id, .. } in self.all().await? {
            let filter = RunFilter { rule: Some(id), state: None };
            if let Some(run) = self.list_runs(filter, 1, None).await?.items.first() {
                self.record_batch(&[LastRun::of(run, run.expires_at())]).await?;
            }
        }
        Ok(())
    }
}
