//! Counts all leads and orders anew while the stream is counted on.
//!
//! What always holds: a recount has counters of its own beside the statistics. It takes in one record after the other,
//! and what is counted in the meantime goes into both; so once all records are in, its counters are right, and replace
//! the statistics in one write that fails if anything was counted since they were read. A record that the recount finds
//! counted wrongly is put right at once. Cut off, a recount is begun again; what it had counted is dropped.
//!
//! Days are a log of what happened, which nothing but the changes tell. A recount adds what was never counted of them.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::count::{Epoch, Step, join};
use super::projection::{StreamRecord, TOTAL};
use super::{BY_STATE, GENERATION, NEXT, RECOUNT, REVISION, next_attribute, state_attribute, stats_key};
use crate::base::values::UsState;
use crate::leads::domain::{Status, Stock};
use crate::leads::items::LEAD;
use crate::reservations::ORDER;
use crate::stats::Statistics;
use crate::store::schema::{ALL_NEWEST, PK};
use crate::store::stream::{Change, Sequence};
use crate::store::{Condition, DeadlineExceeded, Item, Key, Select, StoreError, WriteError};

/// Records of one page: what is read in one call.
const PAGE: i32 = 100;
/// How long an index of DynamoDB may be behind its table.
const INDEX_DELAY: Duration = Duration::from_secs(1);
/// The indexes' partitions with all records that count, and the sort key of each record's own item.
const LISTS: [(&str, &str); 2] = [("LEADS", LEAD), ("ORDERS", ORDER)];

/// What a recount came to, so far or in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recounted {
    /// Leads that were counted.
    pub leads: u64,
    /// Orders that were counted.
    pub orders: u64,
    /// Transactions that put something right.
    pub corrections: u64,
}

/// Why a recount came to no end.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// Another recount was begun.
    #[error("another recount was begun while this one ran; only the later one counts")]
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
    /// Counts all leads and orders anew, page by page, and says after each how far it is.
    ///
    /// # Errors
    /// [`RecountError`]: the statistics are as they were, but for records that were put right. Beginning again is right.
    pub async fn recount(&self, mut report: impl FnMut(Recounted)) -> Result<Recounted, RecountError> {
        let id = self.rng.uuid().to_string();
        self.begin_recount(&id).await?;
        if self.background.conflicts() {
            // What was counted just before may not be in the index yet.
            self.background.sleep(INDEX_DELAY).await;
        }
        let mut so_far = Recounted::default();
        for (list, sort) in LISTS {
            let mut start: Option<Item> = None;
            loop {
                let mut select = Select::index(ALL_NEWEST, list, PAGE);
                if let Some(last) = &start {
                    select = behind(select, last);
                }
                let page = self.background.select(&select).await?;
                let pks: Vec<String> = page.items.iter().filter_map(|item| text(item, PK)).collect();
                so_far.corrections += self.take_in(&id, &pks, sort).await?;
                match sort {
                    LEAD => so_far.leads += pks.len() as u64,
                    _ => so_far.orders += pks.len() as u64,
                }
                report(so_far);
                start = page.last;
                if start.is_none() {
                    break;
                }
            }
        }
        self.replace(&id).await?;
        Ok(so_far)
    }
}

fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

fn behind(select: Select, last: &Item) -> Select {
    let part = |name: &str| text(last, name).unwrap_or_default();
    select.after(&part(ALL_NEWEST.sort), &Key::new(part(PK), part("sk")))
}

/// The condition that the statistics are as they were read.
fn unchanged(item: &Item) -> Condition {
    Condition::Same(vec![(REVISION.to_owned(), item.get(REVISION).cloned())])
}

impl Statistics {
    /// Changes the statistics as a whole, however often the stream counts at the same time.
    async fn change_recount(
        &self,
        change: impl Fn(Item) -> Result<Item, RecountError>,
    ) -> Result<(), RecountError> {
        let mut retries = self.background.retries();
        loop {
            let before = self.background.get(&stats_key()).await?;
            let Some(before) = before.filter(|item| item.contains_key(BY_STATE)) else {
                self.take_over().await?;
                continue;
            };
            let revision = before.get(REVISION).and_then(|value| value.as_n().ok()?.parse::<u64>().ok());
            let mut after = change(before.clone())?;
            let next = revision.unwrap_or_default().saturating_add(1);
            after.insert(REVISION.to_owned(), AttributeValue::N(next.to_string()));
            let write = self.background.guarded_write().put("stats", after, unchanged(&before));
            match self.background.write(write).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Refused(_)) => retries.backoff().await?,
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
    }

    /// Begins a recount: its counters are at nothing.
    async fn begin_recount(&self, id: &str) -> Result<(), RecountError> {
        self.change_recount(|mut item| {
            item.retain(|name, _| !name.starts_with(NEXT));
            item.insert(RECOUNT.to_owned(), AttributeValue::S(id.to_owned()));
            Ok(item)
        })
        .await
    }
}

/// The names of all counters of the statistics.
fn counters() -> impl Iterator<Item = String> {
    let stocks = || Stock::ALL.iter().map(|stock| stock.slug());
    let of_states =
        UsState::all().flat_map(move |state| stocks().map(move |stock| state_attribute(stock, state)));
    let of_all = [TOTAL].into_iter().chain(Status::ALL.iter().map(|status| status.slug())).chain(stocks());
    of_all.map(str::to_owned).chain(of_states)
}

impl Statistics {
    /// Puts the recount's counters in the place of the statistics.
    async fn replace(&self, id: &str) -> Result<(), RecountError> {
        self.change_recount(|mut item| {
            if text(&item, RECOUNT).as_deref() != Some(id) {
                return Err(RecountError::Superseded);
            }
            for name in counters() {
                // One that was there stays, at nothing, so that who compares both sees it fall.
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

    /// Takes the records in these partitions into the recount. Returns how many transactions put something right.
    async fn take_in(&self, id: &str, pks: &[String], sort: &str) -> Result<u64, RecountError> {
        let mut corrections = 0;
        let mut retries = self.background.retries();
        loop {
            let epoch = Epoch::read(self).await?;
            if epoch.recount.as_deref() != Some(id) {
                return Err(RecountError::Superseded);
            }
            // In this order: what is counted of a record is never newer than the record that is read after it.
            let names: Vec<&str> = pks.iter().map(String::as_str).collect();
            let known = self.read_counted(&names).await?;
            let now = self.present(pks, sort).await?;
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

    /// The records in these partitions as they are now.
    async fn present(&self, pks: &[String], sort: &str) -> Result<Vec<StreamRecord>, StoreError> {
        let keys: Vec<Key> = pks.iter().map(|pk| Key::new(pk.clone(), sort)).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut sightings = Vec::new();
        for item in self.background.get_all(&keys).await? {
            let key = Key::new(text(&item, PK).unwrap_or_default(), sort);
            let (id, at, sequence) = (String::new(), self.clock.now(), Sequence::default());
            let seen = StreamRecord::of(&Change { id, at, sequence, key, before: None, after: Some(item) });
            match seen {
                Ok(seen) => sightings.extend(seen),
                Err(error) => tracing::error!(%error, "a record cannot be read and is not counted"),
            }
        }
        Ok(sightings)
    }
}
