//! Sales counts for lists of raffles, projected from the table's stream with a short delay.
//!
//! Invariants: the counts store the version of each block they include, and a block never goes back to an older
//! version. So duplicate, late or lost stream records do not corrupt the counts: the newest known version wins. A
//! raffle's own page reads the blocks instead.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Block, Counts, Pool, RaffleId};
use super::error::RaffleError;
use super::items::{BLOCKS, LIST, id_in, raffle_key, sold_key};
use crate::raffles::Raffles;
use crate::store::schema::ALL_NEWEST;
use crate::store::stream::Change;
use crate::store::{Condition, Item, Key, Select, StoreError, from_item, to_item};

/// The prefix of the keys of raffles.
const PREFIX: &str = "RAFFLE#";
/// The raffles that are counted concurrently.
const AT_ONCE: usize = 8;
/// The raffles of one page of a recount.
const PAGE: i32 = 100;

/// The counted state of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct BlockCount {
    version: u64,
    sold: u32,
}

impl BlockCount {
    fn of(block: &Block) -> Self {
        Self { version: block.version.get(), sold: block.sold() }
    }
}

/// The counted state of a raffle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sold {
    blocks: BTreeMap<String, BlockCount>,
    /// The time of the last counted change.
    pub as_of: Timestamp,
    /// Grows with every write.
    revision: u64,
}

impl Sold {
    /// Counts a pool as of this time.
    pub fn of(pool: &Pool, as_of: Timestamp) -> Self {
        let count = |block: &Block| (block.number().to_string(), BlockCount::of(block));
        Self { blocks: pool.blocks().iter().map(count).collect(), as_of, revision: 1 }
    }

    /// Returns the counts of a raffle with this many tickets.
    pub fn counts(&self, tickets: u32) -> Counts {
        let sold: u32 = self.blocks.values().map(|block| block.sold).sum();
        let changes = self.blocks.values().map(|block| block.version.saturating_sub(1)).sum();
        Counts { sold, remaining: tickets.saturating_sub(sold), changes }
    }

    /// Applies a block, unless the same or a newer version is already counted. Returns whether it was applied.
    fn apply(&mut self, block: &Block, at: Timestamp) -> bool {
        let count = BlockCount::of(block);
        let known = self.blocks.get(&block.number().to_string());
        if known.is_some_and(|known| known.version >= count.version) {
            return false;
        }
        self.blocks.insert(block.number().to_string(), count);
        self.as_of = self.as_of.max(at);
        true
    }

    pub fn item(&self, id: RaffleId) -> Result<Item, StoreError> {
        to_item(&sold_key(id), self)
    }
}

/// Returns whether a key belongs to a block of a raffle.
pub fn is_block(key: &Key) -> bool {
    key.pk.starts_with(PREFIX) && key.sk.starts_with(BLOCKS)
}

impl Raffles {
    /// Applies changes of blocks to the counts.
    ///
    /// # Errors
    /// [`StoreError`]; it is safe to apply the same changes again.
    pub async fn count_sold(&self, changes: &[&Change]) -> Result<(), StoreError> {
        let mut raffles: BTreeMap<RaffleId, Vec<(Block, Timestamp)>> = BTreeMap::new();
        for change in changes {
            let id = change.key.pk.strip_prefix(PREFIX).and_then(|id| id.parse().ok());
            if let (Some(id), Some(after)) = (id, &change.after) {
                raffles.entry(id).or_default().push((from_item(after.clone())?, change.at));
            }
        }
        let counts = raffles.into_iter().map(|(id, blocks)| self.count_one_sold(id, blocks));
        stream::iter(counts.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn count_one_sold(&self, id: RaffleId, blocks: Vec<(Block, Timestamp)>) -> Result<(), StoreError> {
        let mut retries = self.background.retries();
        loop {
            let known = self.background.get(&sold_key(id)).await?.map(from_item::<Sold>).transpose()?;
            let Some(mut sold) = known.clone() else {
                // There are no counts yet, and the other blocks may contain earlier sales.
                return self.recount_one_sold(id).await;
            };
            let applied = blocks.iter().filter(|(block, at)| sold.apply(block, *at)).count();
            if applied == 0 || self.write_sold(id, known.as_ref(), sold).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Replaces the counts if they have not changed since they were read. Returns whether they were replaced.
    async fn write_sold(
        &self,
        id: RaffleId,
        before: Option<&Sold>,
        mut after: Sold,
    ) -> Result<bool, StoreError> {
        let same = match before {
            Some(before) => Condition::is_number("revision", before.revision),
            None => Condition::Absent,
        };
        after.revision = before.map_or(1, |before| before.revision + 1);
        let write = self.background.guarded_write().put("sold", after.item(id)?, same);
        self.background.try_write(write).await
    }

    /// Recounts one raffle from its current blocks.
    async fn recount_one_sold(&self, id: RaffleId) -> Result<(), StoreError> {
        let mut retries = self.background.retries();
        loop {
            let known = self.background.get(&sold_key(id)).await?.map(from_item::<Sold>).transpose()?;
            // If a concurrent count included newer blocks after this read, the write is refused.
            let Some(stored) = self.find(id).await? else { return Ok(()) };
            let now = Sold::of(&stored.pool, self.clock.now());
            let same = known.as_ref().is_some_and(|known| known.blocks == now.blocks);
            if same || self.write_sold(id, known.as_ref(), now).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Recounts all raffles from their blocks, page by page. Returns the number of raffles.
    ///
    /// # Errors
    /// [`RaffleError::Store`]; it is safe to start again.
    pub async fn recount_sold(&self) -> Result<u64, RaffleError> {
        let (mut raffles, mut start) = (0, None::<(String, Key)>);
        loop {
            let mut select = Select::index(ALL_NEWEST, LIST, PAGE);
            if let Some((sort, key)) = &start {
                select = select.after(sort, key);
            }
            let page = self.background.select(&select).await?;
            let ids: Vec<RaffleId> = page.items.iter().filter_map(|item| id_in(item, PREFIX)).collect();
            let counts: Vec<_> = ids.iter().map(|id| self.recount_one_sold(*id)).collect();
            stream::iter(counts).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            raffles += ids.len() as u64;
            start = ids.last().filter(|_| page.more).map(|id| (id.to_string(), raffle_key(*id)));
            if start.is_none() {
                return Ok(raffles);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raffles::domain::TicketCount;

    #[test]
    fn the_newest_version_of_a_block_counts() {
        let pool = Pool::new(TicketCount::try_from(100).unwrap());
        let at = Timestamp::UNIX_EPOCH;
        let mut sold = Sold::of(&pool, at);
        assert_eq!(sold.counts(100), Counts { sold: 0, remaining: 100, changes: 0 });
        let first = pool.pick(1, 0, 0).unwrap().remove(0);
        let then = pool.with([&first.after]).pick(1, 0, 0).unwrap().remove(0);
        for block in [&then.after, &first.after, &first.before, &then.after] {
            sold.apply(block, at);
        }
        let after = pool.with([&first.after]).with([&then.after]);
        assert_eq!(sold.counts(100), Counts::of(&after));
    }
}
