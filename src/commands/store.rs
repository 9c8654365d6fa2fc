//! What was run from the page, as each account last ran it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::script::LineResult;
use crate::base::identity::AccountId;
use crate::base::values::time_ordered_id;
use crate::commands::Commands;
use crate::store::schema::TTL;
use crate::store::{Key, Select, StoreError, WriteError, from_item, to_attribute, to_item};

time_ordered_id!(
    /// A run's id.
    RunId,
    "a run"
);

/// How many runs the page shows.
pub(super) const SHOWN: i32 = 20;
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most bytes that are kept of all results of a run: the text and they are one item.
const KEPT_BYTES: usize = 32 * 1024;

/// A text of commands that was run, and what its lines came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// The id.
    pub(super) id: RunId,
    /// When.
    pub(super) at: Timestamp,
    /// The commands as they were typed.
    pub(super) text: String,
    /// What each came to.
    pub(super) results: Vec<LineResult>,
}

fn run_key(account: AccountId, sort: impl Into<String>) -> Key {
    Key::new(format!("COMMANDS#{account}"), sort)
}

impl Commands {
    /// Keeps a run for a week. A repeated request keeps it again under the same id.
    pub(super) async fn keep_run(&self, account: AccountId, run: &Run) -> Result<(), StoreError> {
        let run = Run { results: shortened(&run.results), ..run.clone() };
        let mut item = to_item(&run_key(account, run.id.to_string()), &run)?;
        let expiry = run.at.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX);
        item.insert(TTL.to_owned(), to_attribute(expiry.as_second())?);
        match self.dynamo.write(self.dynamo.guarded_write().put_derived("run", item)).await {
            Ok(()) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
            Err(WriteError::Refused(_)) => {
                Err(StoreError::invariant_violation("TransactWriteItems", &run_key(account, "")))
            }
        }
    }

    /// The last runs of an account, newest first.
    pub(super) async fn recent_runs(&self, account: AccountId) -> Result<Vec<Run>, StoreError> {
        let page = self.dynamo.select(&Select::partition(run_key(account, "").pk, SHOWN).backwards()).await?;
        let mut runs: Vec<Run> = page.items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        // DynamoDB drops what has expired in its own time.
        let oldest = self.clock.now().saturating_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
        runs.retain(|run| run.at >= oldest);
        Ok(runs)
    }
}

/// The results with as many rows as there is room for.
fn shortened(results: &[LineResult]) -> Vec<LineResult> {
    let mut room = KEPT_BYTES;
    let mut keep = |row: &String| {
        room = room.saturating_sub(row.len() + 1);
        room > 0
    };
    let shorten = |result: &LineResult| {
        let mut rows: Vec<String> = result.rows.iter().take_while(|row| keep(row)).cloned().collect();
        let dropped = result.rows.len() - rows.len();
        if dropped > 0 {
            rows.push(format!("… and {dropped} more rows, which are not kept"));
        }
        LineResult { rows, ..result.clone() }
    };
    results.iter().map(shorten).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_run_has_its_bounds() {
        let rows = vec!["x".repeat(1023); 100];
        let result =
            |line| LineResult { line, status: 200, text: "get_leads".to_owned(), rows: rows.clone() };
        let short = shortened(&[result(1), result(2)]);
        assert_eq!(short[0].rows.len(), 32);
        assert_eq!(short[0].rows[31], "… and 69 more rows, which are not kept");
        assert_eq!(short[1].rows, ["… and 100 more rows, which are not kept"]);
        let few = LineResult { rows: vec!["ID".to_owned()], ..result(1) };
        assert_eq!(shortened(std::slice::from_ref(&few)), [few]);
    }
}
