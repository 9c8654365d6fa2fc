//! The last runs of each account from the page.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::script::LineResult;
use crate::base::identity::AccountId;
use crate::base::values::time_ordered_id;
use crate::commands::Commands;
use crate::store::schema::TTL;
use crate::store::{Key, Select, StoreError, from_item, to_attribute, to_item};

time_ordered_id!(
    /// A run's id.
    RunId,
    "a run"
);

/// The number of runs on the page.
pub(super) const PAGE_SIZE: i32 = 20;
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The maximum size of a run's results in bytes, because the text and the results are one item.
const MAX_BYTES: usize = 32 * 1024;

/// A text of commands that was run, with the results of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) at: Timestamp,
    /// The commands as typed.
    pub(super) text: String,
    /// The result of each line.
    pub(super) results: Vec<LineResult>,
}

fn run_key(account: AccountId, sort: impl Into<String>) -> Key {
    Key::new(format!("COMMANDS#{account}"), sort)
}

impl Commands {
    /// Saves a run for a week. A repeated request saves it again under the same id.
    pub(super) async fn keep_run(&self, account: AccountId, run: &Run) -> Result<(), StoreError> {
        let run = Run { results: truncate(&run.results), ..run.clone() };
        let mut item = to_item(&run_key(account, run.id.to_string()), &run)?;
        let expiry = run.at.saturating_add(RETENTION).unwrap_or(Timestamp::MAX);
        item.insert(TTL.to_owned(), to_attribute(expiry.as_second())?);
        match self.dynamo.try_write(self.dynamo.guarded_write().put_derived("run", item)).await? {
            true => Ok(()),
            false => Err(StoreError::invariant_violation("TransactWriteItems", &run_key(account, ""))),
        }
    }

    /// Returns the last runs of an account, newest first.
    pub(super) async fn recent_runs(&self, account: AccountId) -> Result<Vec<Run>, StoreError> {
        let page =
            self.dynamo.select(&Select::partition(run_key(account, "").pk, PAGE_SIZE).backwards()).await?;
        let mut runs: Vec<Run> = page.items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        // DynamoDB may remove expired items late.
        let oldest = self.clock.now().saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
        runs.retain(|run| run.at >= oldest);
        Ok(runs)
    }
}

/// Returns the results with as many rows as fit.
fn truncate(results: &[LineResult]) -> Vec<LineResult> {
    let mut remaining = MAX_BYTES;
    let mut fits = |row: &String| {
        remaining = remaining.saturating_sub(row.len() + 1);
        remaining > 0
    };
    let truncate_rows = |result: &LineResult| {
        let mut rows: Vec<String> = result.rows.iter().take_while(|row| fits(row)).cloned().collect();
        let dropped = result.rows.len() - rows.len();
        if dropped > 0 {
            rows.push(format!("… and {dropped} more rows, which are not kept"));
        }
        LineResult { rows, ..result.clone() }
    };
    results.iter().map(truncate_rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_saved_results_of_a_run_are_bounded() {
        let rows = vec!["x".repeat(1023); 100];
        let result =
            |line| LineResult { line, status: 200, text: "get_leads".to_owned(), rows: rows.clone() };
        let short = truncate(&[result(1), result(2)]);
        assert_eq!(short[0].rows.len(), 32);
        assert_eq!(short[0].rows[31], "… and 69 more rows, which are not kept");
        assert_eq!(short[1].rows, ["… and 100 more rows, which are not kept"]);
        let few = LineResult { rows: vec!["ID".to_owned()], ..result(1) };
        assert_eq!(truncate(std::slice::from_ref(&few)), [few]);
    }
}
