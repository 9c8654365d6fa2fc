//! Counts all leads and orders again while the stream keeps being counted.
//!
//! Invariants: a recount has separate counters next to the statistics. It includes one record after another, and
//! changes that are counted while it runs go into both sets of counters. Once all records are included, the recount's
//! counters are correct and replace the statistics in one write, which fails if anything was counted since they were
//! read. The recount corrects a wrongly counted record at once. An interrupted recount must be started again; its
//! counters are discarded.
//!
//! Days are a log of changes and cannot be derived from the records. A recount only adds changes that were never
//! counted.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::count::{Epoch, Step, join};
use super::items::{
    BY_STATE, GENERATION, NEXT, RECOUNT, REVISION, is_stats, next_attribute, state_attribute, stats_key,
};
use super::projection::TOTAL;
use super::stream_record::StreamRecord;
use crate::base::values::UsState;
use crate::leads::domain::{Status, Stock};
use crate::leads::items::LEAD;
use crate::reservations::ORDER;
use crate::stats::Statistics;
use crate::store::schema::{ALL_NEWEST, PK};
use crate::store::stream::{Change, Sequence};
use crate::store::{Condition, DeadlineExceeded, Item, Key, Select, StoreError};

/// The number of records that one call reads.
const PAGE_SIZE: i32 = 100;
/// How long a DynamoDB index may lag behind its table.
const INDEX_DELAY: Duration = Duration::from_secs(1);
/// The index partitions with all counted records, and the sort key of each record's own item.
const LISTS: [(&str, &str); 2] = [("LEADS", LEAD), ("ORDERS", ORDER)];

/// The progress or the result of a recount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recounted {
    /// The number of counted leads.
    pub leads: u64,
    /// The number of counted orders.
    pub orders: u64,
    /// The number of transactions that corrected the statistics.
    pub corrections: u64,
}

/// Why a recount did not complete.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// Another recount was started.
    #[error("another recount was started while this one ran; only the later one counts")]
    Superseded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DeadlineExceeded> for RecountError {
    fn from(error: DeadlineExceeded) -> Self {
        Self::Store(error.into())
    }
}

impl Statistics {
    /// Counts all leads and orders again, page by page, and reports the progress after each page.
    ///
    /// # Errors
    /// [`RecountError`]: the statistics are unchanged except for corrected records. It is safe to start again.
    pub async fn recount(&self, mut report: impl FnMut(Recounted)) -> Result<Recounted, RecountError> {
        let id = self.rng.uuid().to_string();
        self.start_recount(&id).await?;
        if self.background.conflicts() {
            // Records that were counted just before may not be in the index yet.
            self.background.sleep(INDEX_DELAY).await;
        }
        let mut progress = Recounted::default();
        for (list, sort) in LISTS {
            let mut start: Option<Item> = None;
            loop {
                let mut select = Select::index(ALL_NEWEST, list, PAGE_SIZE);
                if let Some(last) = &start {
                    select = resume_after(select, last);
                }
                let page = self.background.select(&select).await?;
                let pks: Vec<String> = page.items.iter().filter_map(|item| text(item, PK)).collect();
                progress.corrections += self.include(&id, &pks, sort).await?;
                match sort {
                    LEAD => progress.leads += pks.len() as u64,
                    _ => progress.orders += pks.len() as u64,
                }
                report(progress);
                start = page.last;
                if start.is_none() {
                    break;
                }
            }
        }
        self.replace(&id).await?;
        Ok(progress)
    }
}

fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

fn resume_after(select: Select, last: &Item) -> Select {
    let part = |name: &str| text(last, name).unwrap_or_default();
    select.after(&part(ALL_NEWEST.sort), &Key::new(part(PK), part("sk")))
}

/// Returns the condition that the statistics did not change since they were read.
fn unchanged(item: &Item) -> Condition {
    Condition::Same(vec![(REVISION.to_owned(), item.get(REVISION).cloned())])
}

impl Statistics {
    /// Replaces the statistics item, and retries when the stream was counted at the same time.
    async fn change_recount(
        &self,
        change: impl Fn(Item) -> Result<Item, RecountError>,
    ) -> Result<(), RecountError> {
        let mut retries = self.background.retries();
        loop {
            let before = self.background.get(&stats_key()).await?;
            let Some(before) = before.filter(|item| item.contains_key(BY_STATE)) else {
                self.migrate().await?;
                continue;
            };
            let revision = before.get(REVISION).and_then(|value| value.as_n().ok()?.parse::<u64>().ok());
            let mut after = change(before.clone())?;
            let next = revision.unwrap_or_default().saturating_add(1);
            after.insert(REVISION.to_owned(), AttributeValue::N(next.to_string()));
            let write = self.background.guarded_write().put("stats", after, unchanged(&before));
            if self.background.try_write(write).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Starts a recount with all its counters at zero.
    async fn start_recount(&self, id: &str) -> Result<(), RecountError> {
        self.change_recount(|mut item| {
            item.retain(|name, _| !name.starts_with(NEXT));
            item.insert(RECOUNT.to_owned(), AttributeValue::S(id.to_owned()));
            Ok(item)
        })
        .await
    }
}

/// Returns the names of all counters of the statistics.
fn counters() -> impl Iterator<Item = String> {
    let stocks = || Stock::ALL.iter().map(|stock| stock.slug());
    let of_states =
        UsState::all().flat_map(move |state| stocks().map(move |stock| state_attribute(stock, state)));
    let of_all = [TOTAL].into_iter().chain(Status::ALL.iter().map(|status| status.slug())).chain(stocks());
    of_all.map(str::to_owned).chain(of_states)
}

impl Statistics {
    /// Recognizes recounts in the changes of the statistics, whichever process runs them. A completed recount corrects
    /// the statistics after changes were lost.
    pub fn observe_recounts(&self, changes: &[Change]) {
        for change in changes.iter().filter(|change| is_stats(&change.key)) {
            let new = |name| {
                let value = |item: &Option<Item>| item.as_ref().and_then(|item| text(item, name));
                value(&change.after).filter(|after| value(&change.before).as_ref() != Some(after))
            };
            if let Some(id) = new(RECOUNT) {
                self.heartbeats.recount_started(&id);
            }
            if let Some(id) = new(GENERATION) {
                self.heartbeats.recounted(&id);
            }
        }
    }

    /// Replaces the statistics with the recount's counters.
    async fn replace(&self, id: &str) -> Result<(), RecountError> {
        self.change_recount(|mut item| {
            if text(&item, RECOUNT).as_deref() != Some(id) {
                return Err(RecountError::Superseded);
            }
            for name in counters() {
                // An existing counter stays at 0, so that a rule that compares both images sees it fall.
                let before = item.remove(&name).map(|_| AttributeValue::N("0".to_owned()));
                let counted = item.remove(&next_attribute(&name)).or(before);
                item.extend(counted.map(|count| (name, count)));
            }
            item.remove(RECOUNT);
            item.insert(GENERATION.to_owned(), AttributeValue::S(id.to_owned()));
            Ok(item)
        })
        .await
    }

    /// Includes the records in these partitions in the recount. Returns the number of transactions that corrected the
    /// statistics.
    async fn include(&self, id: &str, pks: &[String], sort: &str) -> Result<u64, RecountError> {
        let mut corrections = 0;
        let mut retries = self.background.retries();
        loop {
            let epoch = Epoch::read(self).await?;
            if epoch.recount.as_deref() != Some(id) {
                return Err(RecountError::Superseded);
            }
            // The counted state is read first, so it is never newer than the record that is read after it.
            let names: Vec<&str> = pks.iter().map(String::as_str).collect();
            let known = self.read_counted(&names).await?;
            let now = self.read_current(pks, sort).await?;
            let steps = now.iter().filter_map(|now| Step::of_recount(now, known.get(&now.pk), &epoch));
            let mut done = true;
            for step in join(steps) {
                let written = step.write(self, &epoch, None).await?;
                corrections += u64::from(written && step.corrects());
                done &= written;
            }
            if done {
                return Ok(corrections);
            }
            retries.backoff().await?;
        }
    }

    /// Reads the current records in these partitions.
    async fn read_current(&self, pks: &[String], sort: &str) -> Result<Vec<StreamRecord>, StoreError> {
        let keys: Vec<Key> = pks.iter().map(|pk| Key::new(pk.clone(), sort)).collect();
        let mut records = Vec::new();
        for item in self.background.get_all(&keys).await? {
            let key = Key::new(text(&item, PK).unwrap_or_default(), sort);
            let (id, at, sequence) = (String::new(), self.clock.now(), Sequence::default());
            let record = StreamRecord::of(&Change { id, at, sequence, key, before: None, after: Some(item) });
            match record {
                Ok(record) => records.extend(record),
                Err(error) => tracing::error!(%error, "a record is unreadable and was not counted"),
            }
        }
        Ok(records)
    }
}
