//! Keys and items of raffles in the table.
//!
//! Invariants: before the draw, the seed has its own item, which no page, API or list reads; tickets and holdings are
//! in another partition than the raffle, so that the write load is spread over two partitions.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{
    Block, Holding, Pool, Raffle, RaffleEntry, RaffleId, RaffleState, Seed, Ticket, TicketNumber,
};
use crate::base::identity::{AccountId, SignedIn};
use crate::store::schema::{ALL_NEWEST, PK, SK};
use crate::store::{Item, Key, StoreError, from_item, to_item};

/// The sort key of a raffle's item.
pub(super) const RAFFLE: &str = "RAFFLE";
/// The prefix of the sort keys of blocks.
pub(super) const BLOCKS: &str = "BLOCK#";
const DRAWING: &str = "DRAWING";
/// The prefix of the sort keys of tickets.
pub(super) const TICKETS: &str = "TICKET#";
/// The prefix of the sort keys of history entries.
pub(super) const HISTORY: &str = "HISTORY#";
/// The index partition of all raffles.
pub(super) const LIST: &str = "RAFFLES";

/// Returns the partition of a raffle, its blocks and its seed.
pub(super) fn partition(id: RaffleId) -> String {
    format!("RAFFLE#{id}")
}

/// Returns the partition of a raffle's tickets, holdings and history.
pub(super) fn tickets_partition(id: RaffleId) -> String {
    format!("TICKETS#{id}")
}

pub(super) fn raffle_key(id: RaffleId) -> Key {
    Key::new(partition(id), RAFFLE)
}

/// Builds the raffle's item, with its index attributes.
pub(super) fn raffle_item(raffle: &Raffle) -> Result<Item, StoreError> {
    let mut item = to_item(&raffle_key(raffle.id), raffle)?;
    item.insert(ALL_NEWEST.partition.to_owned(), AttributeValue::S(LIST.to_owned()));
    item.insert(ALL_NEWEST.sort.to_owned(), AttributeValue::S(raffle.id.to_string()));
    Ok(item)
}

/// The seed of a raffle before the draw. It sorts after everything that a query for the raffle reads.
#[derive(Serialize, Deserialize)]
pub(super) struct SeedItem {
    pub seed: Seed,
}

pub(super) fn seed_key(id: RaffleId) -> Key {
    Key::new(partition(id), "SEED")
}

pub(super) fn block_key(id: RaffleId, number: u32) -> Key {
    Key::new(partition(id), format!("{BLOCKS}{number:02}"))
}

pub(super) fn block_item(id: RaffleId, block: &Block) -> Result<Item, StoreError> {
    to_item(&block_key(id, block.number()), block)
}

/// Returns the key of the sales counts for lists. It sorts after everything that a query for the raffle reads.
pub(super) fn sold_key(id: RaffleId) -> Key {
    Key::new(partition(id), "SOLD")
}

/// Announces that a draw is in progress, so that purchases wait for it. It only keeps purchases from overtaking the
/// draw forever; the transaction of the draw ensures correctness. If the process that draws dies, purchases resume at
/// `until`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Drawing {
    pub until: Timestamp,
}

pub(super) fn drawing_key(id: RaffleId) -> Key {
    Key::new(partition(id), DRAWING)
}

pub(super) fn holding_key(id: RaffleId, account: AccountId) -> Key {
    Key::new(tickets_partition(id), format!("HOLDER#{account}"))
}

pub(super) fn holding_item(id: RaffleId, account: AccountId, holding: &Holding) -> Result<Item, StoreError> {
    to_item(&holding_key(id, account), holding)
}

pub(super) fn ticket_key(id: RaffleId, number: TicketNumber) -> Key {
    Key::new(tickets_partition(id), format!("{TICKETS}{:06}", number.get()))
}

pub(super) fn ticket_item(id: RaffleId, ticket: &Ticket) -> Result<Item, StoreError> {
    to_item(&ticket_key(id, ticket.number), ticket)
}

/// Builds an entry of the history. `random` separates two entries of the same millisecond.
pub(super) fn entry_item(id: RaffleId, entry: &RaffleEntry, random: u32) -> Result<Item, StoreError> {
    let at = entry.at.as_millisecond();
    to_item(&Key::new(tickets_partition(id), format!("{HISTORY}{at:015}#{random:08x}")), entry)
}

/// Returns the raffle whose id follows `prefix` in the partition of an item.
pub(super) fn id_in(item: &Item, prefix: &str) -> Option<RaffleId> {
    item.get(PK)?.as_s().ok()?.strip_prefix(prefix)?.parse().ok()
}

/// A raffle with its blocks, read in one query.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub raffle: Raffle,
    pub pool: Pool,
    pub drawing: Option<Drawing>,
}

impl Stored {
    /// Builds the raffle of these items. Returns `None` if its own item is missing.
    pub(super) fn of(id: RaffleId, items: Vec<Item>) -> Result<Option<Self>, StoreError> {
        let (mut raffle, mut blocks, mut drawing) = (None, Vec::new(), None);
        for item in items {
            let sort = item.get(SK).and_then(|sort| sort.as_s().ok()).cloned().unwrap_or_default();
            match sort.as_str() {
                RAFFLE => raffle = Some(from_item::<Raffle>(item)?),
                DRAWING => drawing = Some(from_item(item)?),
                _ => blocks.push(from_item(item)?),
            }
        }
        let Some(raffle) = raffle else { return Ok(None) };
        let pool = Pool::of(blocks, raffle.tickets);
        let pool = pool.ok_or_else(|| StoreError::invariant_violation("Query", &raffle_key(id)))?;
        Ok(Some(Self { raffle, pool, drawing }))
    }

    /// Returns what `who` may see of the raffle.
    pub(super) fn state(&self, holding: &Holding, who: &SignedIn, now: Timestamp) -> RaffleState {
        RaffleState::of(&self.raffle, &self.pool, holding, who, now)
    }
}
