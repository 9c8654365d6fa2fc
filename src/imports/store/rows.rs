//! The rows of an import: the outcome of each, and the rejected rows.

use serde::{Deserialize, Serialize};

use super::{import_key, with_expiry};
use crate::imports::domain::{Import, ImportId, Rejection, Step};
use crate::imports::outcome::RowOutcome;
use crate::imports::{ImportError, Imports};
use crate::store::{Key, Select, from_item, to_item};

/// The largest row number that a key can hold. A file of 20 MiB has fewer rows.
const LAST_ROW: u64 = 99_999_999;
/// The number of rejected rows in one transaction, which holds 4 MB.
const REJECTIONS_AT_ONCE: usize = 50;

fn rejection_key(id: ImportId, row: u64) -> Key {
    Key::new(import_key(id).pk, format!("REJECT#{:08}", row.min(LAST_ROW)))
}

/// The key of the outcomes of a step whose first row is this one.
fn outcomes_key(id: ImportId, row: u64) -> Key {
    Key::new(import_key(id).pk, format!("ROWS#{:08}", row.min(LAST_ROW)))
}

/// The outcomes of the rows of a step.
#[derive(Debug, Serialize, Deserialize)]
struct Outcomes {
    rows: Vec<RowOutcome>,
}

impl Imports {
    /// Stores the result of a step. If another process stored the same step first, its result is kept,
    /// because it is the same.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn advance(&self, import: &Import, step: &Step) -> Result<Import, ImportError> {
        for rejections in step.rejections.chunks(REJECTIONS_AT_ONCE) {
            let mut write = self.dynamo.guarded_write();
            for rejection in rejections {
                let item = to_item(&rejection_key(import.id, rejection.row), rejection)?;
                write = write.put_derived("rejection", with_expiry(import, item)?);
            }
            self.write_unopposed(import.id, write).await?;
        }
        if let Some(first) = step.outcomes.first() {
            let outcomes = Outcomes { rows: step.outcomes.clone() };
            let item = with_expiry(import, to_item(&outcomes_key(import.id, first.row), &outcomes)?)?;
            self.write_unopposed(import.id, self.dynamo.guarded_write().put_derived("outcomes", item))
                .await?;
        }
        self.replace(import, import.advanced(step)).await
    }

    /// Returns the outcomes of the rows of the first step from this row on, or `None` at the end.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn next_outcomes(
        &self,
        id: ImportId,
        first: u64,
    ) -> Result<Option<Vec<RowOutcome>>, ImportError> {
        let last = outcomes_key(id, LAST_ROW);
        let range = Select::partition(last.pk, 1).between(outcomes_key(id, first).sk, last.sk);
        self.outcomes_in(&range).await
    }

    /// Returns the outcomes of the rows of the last step between these rows, or `None` if there is none.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn last_outcomes(
        &self,
        id: ImportId,
        first: u64,
        last: u64,
    ) -> Result<Option<Vec<RowOutcome>>, ImportError> {
        if last < first {
            return Ok(None);
        }
        let end = outcomes_key(id, last);
        let range = Select::partition(end.pk, 1).between(outcomes_key(id, first).sk, end.sk).backwards();
        self.outcomes_in(&range).await
    }

    /// Returns the outcomes of the first step of a range.
    async fn outcomes_in(&self, range: &Select) -> Result<Option<Vec<RowOutcome>>, ImportError> {
        let item = self.dynamo.select(range).await?.items.into_iter().next();
        Ok(item.map(from_item::<Outcomes>).transpose()?.map(|outcomes| outcomes.rows))
    }

    /// Returns the outcomes of the rows from the first to the last one.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn outcomes(
        &self,
        id: ImportId,
        first: u64,
        last: u64,
    ) -> Result<Vec<RowOutcome>, ImportError> {
        let mut found: Vec<RowOutcome> = Vec::new();
        let mut first = first;
        while first <= last
            && let Some(rows) = self.next_outcomes(id, first).await?
        {
            let Some(end) = rows.last() else { break };
            first = end.row + 1;
            found.extend(rows.into_iter().filter(|outcome| outcome.row <= last));
        }
        Ok(found)
    }

    /// Returns at most `most` rejected rows with numbers from `first` to `last`.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed.
    pub async fn rejections(
        &self,
        id: ImportId,
        first: u64,
        last: u64,
        most: u16,
    ) -> Result<Vec<Rejection>, ImportError> {
        let (pk, most) = (import_key(id).pk, usize::from(most));
        let mut found = Vec::new();
        let mut first = first;
        while found.len() < most {
            let limit = i32::try_from(most - found.len()).unwrap_or(i32::MAX);
            let range = Select::partition(&*pk, limit)
                .between(rejection_key(id, first).sk, rejection_key(id, last).sk);
            let page = self.dynamo.select(&range).await?;
            for item in page.items {
                let rejection: Rejection = from_item(item)?;
                first = rejection.row + 1;
                found.push(rejection);
            }
            // DynamoDB ends a page after one megabyte, so the rest needs another page.
            if !page.more || first > last {
                break;
            }
        }
        Ok(found)
    }
}
