//! Migrates the statistics by state of earlier versions, which had one item for each state in the partition of the
//! state's queue. Batches of these items move into the single statistics item, one transaction for each batch, so that
//! the sum of both is always correct.

use super::items::{AS_OF, BY_STATE, REVISION, number, state_attribute, stats_key};
use crate::base::values::UsState;
use crate::leads::domain::Stock;
use crate::leads::items::state_partition;
use crate::stats::Statistics;
use crate::store::{Condition, Dynamo, Item, Key, StoreError, Update, to_attribute};

/// The sort key of a state's statistics.
const COUNTED: &str = "COUNTED";
/// The number of states that one transaction migrates. DynamoDB limits an expression to 4 KB.
const BATCH: usize = 20;

fn key(state: UsState) -> Key {
    Key::new(state_partition(state), COUNTED)
}

/// Returns whether this is the key of a state's statistics of an earlier version.
pub fn is_legacy(key: &Key) -> bool {
    key.sk == COUNTED && key.pk.starts_with("STATE#")
}

/// Reads the items that are not migrated yet.
///
/// # Errors
/// [`StoreError`] if the store failed.
pub(super) async fn read(dynamo: &Dynamo) -> Result<Vec<(UsState, Item)>, StoreError> {
    let keys: Vec<Key> = UsState::all().map(key).collect();
    let items = dynamo.get_all(&keys).await?;
    let state = |item: &Item| item.get("pk")?.as_s().ok()?.strip_prefix("STATE#")?.parse().ok();
    Ok(items.into_iter().filter_map(|item| Some((state(&item)?, item))).collect())
}

impl Statistics {
    /// Migrates all statistics of earlier versions into the single item.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut retries = self.background.retries();
        loop {
            if self.try_to_take_over().await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Makes one attempt. Returns false if an item changed at the same time.
    async fn try_to_take_over(&self) -> Result<bool, StoreError> {
        for states in read(&self.background).await?.chunks(BATCH) {
            let mut sums = Update::default().add(REVISION, 1);
            let mut write = self.background.guarded_write();
            for (state, item) in states {
                let counts = Stock::ALL.map(|stock| (stock.slug(), number(item, stock.slug())));
                for (stock, count) in counts.into_iter().filter(|(_, count)| *count != 0) {
                    sums = sums.add(&state_attribute(stock, *state), count);
                }
                write = write.delete("state", &key(*state), Condition::Same(values(item)));
            }
            let write = write.update_derived("stats", &stats_key(), &sums);
            if !self.background.try_write(write).await? {
                return Ok(false);
            }
        }
        let done = Update::default().add(REVISION, 1).set(BY_STATE, to_attribute(true)?);
        let write = self.background.guarded_write().update_derived("stats", &stats_key(), &done);
        self.background.try_write(write).await
    }
}

/// Returns the counts and the time of an item.
fn values(item: &Item) -> Vec<(String, Option<aws_sdk_dynamodb::types::AttributeValue>)> {
    let names = Stock::ALL.iter().map(Stock::slug).chain([AS_OF]);
    names.map(|name| (name.to_owned(), item.get(name).cloned())).collect()
}
