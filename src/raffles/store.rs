//! Raffles in the table: opening and reading them. See also `buy.rs`, `cancel.rs` and `draw.rs`.
//!
//! Invariants: one query reads a raffle with all its sales; only the draw reads the seed.

use std::collections::HashMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::domain::{
    Holding, NewRaffle, Point, Pool, Proof, Raffle, RaffleEntry, RaffleEvent, RaffleId, RaffleState, Seed,
    Ticket, tag_of,
};
use super::error::RaffleError;
use super::items::{
    BLOCKS, HISTORY, LIST, RAFFLE, SeedItem, Stored, TICKETS, block_item, entry_item, holding_key, id_in,
    partition, raffle_item, raffle_key, seed_key, sold_key, ticket_key, tickets_partition,
};
use super::sold::Sold;
use crate::base::identity::{AccountId, SignedIn};
use crate::base::values::Version;
use crate::raffles::Raffles;
use crate::shared::cursors::{cursor_after, start_after};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::schema::{self, SK};
use crate::store::{Condition, CursorError, Item, Key, Select, StoreError, from_item, to_item};
use crate::web::lists::Listed;

/// More items than a query for a raffle can return.
const MOST_ITEMS: i32 = 40;
/// The concurrent reads of a list.
const AT_ONCE: usize = 8;
/// The most keys of one read.
const MOST_KEYS: usize = 100;
const TICKETS_LIST: &str = "raffle tickets";
const HISTORY_LIST: &str = "raffle history";

impl Raffles {
    /// Opens a raffle that is committed to a new seed.
    ///
    /// # Errors
    /// [`RaffleError::Validation`] if the sale would already be over.
    pub async fn create(
        &self,
        new: &NewRaffle,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, RaffleState>>,
    ) -> Result<Done<RaffleState>, RaffleError> {
        let now = self.clock.now();
        new.check(now).map_err(|(field, invalid)| RaffleError::Validation { field, invalid })?;
        let id = RaffleId::new(now, &self.rng.bytes());
        let seed = Seed::new(self.rng.bytes());
        let raffle = Raffle::open(id, new, &seed, now, who.actor());
        let pool = Pool::new(raffle.tickets);
        let entry = RaffleEntry { at: now, by: who.actor(), event: RaffleEvent::Opened };
        let mut write = self
            .dynamo
            .guarded_write()
            .put("raffle", raffle_item(&raffle)?, Condition::Absent)
            .put("seed", to_item(&seed_key(id), &SeedItem { seed })?, Condition::Absent)
            .put("history", entry_item(id, &entry, self.random_start())?, Condition::Absent);
        for block in pool.blocks() {
            write = write.put("block", block_item(id, block)?, Condition::Absent);
        }
        write = write.put("sold", Sold::of(&pool, now).item(id)?, Condition::Absent);
        let state = RaffleState::of(&raffle, &pool, &Holding::default(), who, now);
        let written = write_with_record::<_, RaffleError>(&self.dynamo, write, state, idempotency).await?;
        // The id is new and random, so no other raffle can have it.
        written.map_err(|_| StoreError::invariant_violation("TransactWriteItems", &raffle_key(id)).into())
    }

    /// Reads a raffle as `who` may see it now. Two calls.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`].
    pub async fn read(&self, id: RaffleId, who: &SignedIn) -> Result<RaffleState, RaffleError> {
        // The order matters. If the holding is newer than the blocks, the older tag makes the next poll show the
        // news. If the holding were older, the tag would claim that nothing is missing.
        let stored = self.stored(id).await?;
        let holding = self.holding(id, who.id).await?;
        Ok(stored.state(&holding, who, self.clock.now()))
    }

    /// Reads a raffle as `who` may see it now, with its sales curve. Two calls.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`].
    pub async fn read_with_sales(
        &self,
        id: RaffleId,
        who: &SignedIn,
    ) -> Result<(RaffleState, Vec<Point>), RaffleError> {
        let (stored, now) = (self.stored(id).await?, self.clock.now());
        let holding = self.holding(id, who.id).await?;
        Ok((stored.state(&holding, who, now), sales_of(&stored, now)))
    }
}

fn sales_of(Stored { raffle, pool, .. }: &Stored, now: Timestamp) -> Vec<Point> {
    let until = raffle.drawn.as_ref().map_or(now, |drawn| drawn.at);
    pool.sales().curve(raffle.created_at, until)
}

impl Raffles {
    /// Reads a raffle as `who` may see it now, or returns `None` if its [tag](RaffleState::tag) is still `known_tag`.
    /// One call if nothing has changed.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`].
    pub async fn read_changed(
        &self,
        id: RaffleId,
        who: &SignedIn,
        known_tag: &str,
    ) -> Result<Option<RaffleState>, RaffleError> {
        let stored = self.stored(id).await?;
        let now = self.clock.now();
        // The person's own tickets change only with a block, so the tag covers them too.
        if tag_of(&stored.raffle, &stored.pool, now) == known_tag {
            return Ok(None);
        }
        let holding = self.holding(id, who.id).await?;
        Ok(Some(stored.state(&holding, who, now)))
    }

    /// Lists raffles, newest first, as `who` may see them. The person's own tickets are exact; the sales counts come
    /// from the stream. Two calls for 33 raffles, one more for each further 33, and one for each raffle that has no
    /// counts yet.
    ///
    /// # Errors
    /// [`RaffleError::Cursor`] for a cursor of another list.
    pub async fn list(
        &self,
        limit: u16,
        cursor: Option<&str>,
        who: &SignedIn,
    ) -> Result<Listed<RaffleState>, RaffleError> {
        let mut select = Select::index(schema::ALL_NEWEST, LIST, i32::from(limit)).backwards();
        if let Some(id) = start_after::<RaffleId>(LIST, cursor)? {
            select = select.after(&id.to_string(), &raffle_key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let ids: Vec<RaffleId> = page.items.iter().filter_map(|item| id_in(item, "RAFFLE#")).collect();
        let next = ids.last().filter(|_| page.more).map(|id| cursor_after(LIST, id));
        let keys: Vec<Key> =
            ids.iter().flat_map(|id| [raffle_key(*id), sold_key(*id), holding_key(*id, who.id)]).collect();
        let reads: Vec<_> = keys.chunks(MOST_KEYS).map(|keys| self.dynamo.get_all(keys)).collect();
        let items: Vec<Vec<Item>> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let mut read = ReadItems::of(items.into_iter().flatten())?;
        let now = self.clock.now();
        let states: Vec<_> = ids.into_iter().map(|id| self.listed(read.take(id), who, now)).collect();
        let states: Vec<Option<RaffleState>> = stream::iter(states).buffered(AT_ONCE).try_collect().await?;
        Ok(Listed { items: states.into_iter().flatten().collect(), next })
    }
}

/// The items read for a page of raffles.
#[derive(Default)]
struct ReadItems {
    raffles: HashMap<RaffleId, Raffle>,
    sold: HashMap<RaffleId, Sold>,
    holdings: HashMap<RaffleId, Holding>,
}

/// The items read for one raffle.
type Entry = (Option<Raffle>, Option<Sold>, Holding);

impl ReadItems {
    fn of(items: impl Iterator<Item = Item>) -> Result<Self, StoreError> {
        let mut read = Self::default();
        for item in items {
            let is_raffle = item.get(SK).and_then(|sort| sort.as_s().ok()).is_some_and(|sort| sort == RAFFLE);
            if let Some(id) = id_in(&item, "TICKETS#") {
                read.holdings.insert(id, from_item(item)?);
            } else if let Some(id) = id_in(&item, "RAFFLE#") {
                if is_raffle {
                    read.raffles.insert(id, from_item(item)?);
                } else {
                    read.sold.insert(id, from_item(item)?);
                }
            }
        }
        Ok(read)
    }

    fn take(&mut self, id: RaffleId) -> Entry {
        let holding = self.holdings.remove(&id).unwrap_or_default();
        (self.raffles.remove(&id), self.sold.remove(&id), holding)
    }
}

impl Raffles {
    /// Returns a raffle as a list shows it.
    async fn listed(
        &self,
        (raffle, sold, holding): Entry,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<RaffleState>, RaffleError> {
        let Some(raffle) = raffle else { return Ok(None) };
        let Some(sold) = sold else {
            // The raffle was opened by an earlier release and has no counts yet.
            let stored = self.find(raffle.id).await?;
            return Ok(stored.map(|stored| stored.state(&holding, who, now)));
        };
        let counts = sold.counts(raffle.tickets.get());
        let state = RaffleState::counted(&raffle, counts, &holding, who, now);
        Ok(Some(RaffleState { as_of: Some(sold.as_of), ..state }))
    }

    /// Reads the published proof of a raffle's draw. Before the draw, this is only the commitment.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`].
    pub async fn proof(&self, id: RaffleId) -> Result<Proof, RaffleError> {
        let Stored { raffle, pool, .. } = self.stored(id).await?;
        Ok(Proof::of(&raffle, pool.sold_numbers()))
    }

    /// Reads the sales curve, from the opening until the draw or now.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`].
    pub async fn sales(&self, id: RaffleId) -> Result<Vec<Point>, RaffleError> {
        Ok(sales_of(&self.stored(id).await?, self.clock.now()))
    }

    /// Lists a raffle's sold tickets with their owners.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`], [`RaffleError::Cursor`].
    pub async fn tickets(
        &self,
        id: RaffleId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Ticket>, RaffleError> {
        let mut select = Select::partition(tickets_partition(id), i32::from(limit)).begins_with(TICKETS);
        if let Some(number) = start_after(TICKETS_LIST, cursor)? {
            let key = ticket_key(id, number);
            select = select.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&select).await?;
        if page.items.is_empty() {
            self.exists(id).await?;
        }
        let tickets = page.items.into_iter().map(from_item).collect::<Result<Vec<Ticket>, _>>()?;
        let last = tickets.last().filter(|_| page.more);
        let next = last.map(|last| cursor_after(TICKETS_LIST, last.number));
        Ok(Listed { items: tickets, next })
    }

    /// Lists a raffle's history, newest first. Sales are not part of it.
    ///
    /// # Errors
    /// [`RaffleError::NotFound`], [`RaffleError::Cursor`].
    pub async fn history(
        &self,
        id: RaffleId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<RaffleEntry>, RaffleError> {
        let pk = tickets_partition(id);
        let mut select = Select::partition(pk.clone(), i32::from(limit)).begins_with(HISTORY).backwards();
        if let Some(sort) = start_after::<String>(HISTORY_LIST, cursor)? {
            if !sort.starts_with(HISTORY) {
                return Err(CursorError.into());
            }
            select = select.after(&sort, &Key::new(pk, sort.clone()));
        }
        let page = self.dynamo.select(&select).await?;
        if page.items.is_empty() {
            self.exists(id).await?;
        }
        let last = page.items.last().and_then(|item| item.get(SK)?.as_s().ok()).filter(|_| page.more);
        let next = last.map(|sort| cursor_after(HISTORY_LIST, sort));
        Ok(Listed { items: page.items.into_iter().map(from_item).collect::<Result<_, _>>()?, next })
    }

    /// Reads a raffle with its blocks, consistently.
    pub(super) async fn stored(&self, id: RaffleId) -> Result<Stored, RaffleError> {
        self.find(id).await?.ok_or(RaffleError::NotFound(id))
    }

    pub(super) async fn find(&self, id: RaffleId) -> Result<Option<Stored>, StoreError> {
        // The range ends at the raffle's own item. The seed sorts after it.
        let select = Select::partition(partition(id), MOST_ITEMS).between(BLOCKS, RAFFLE);
        Stored::of(id, self.dynamo.select(&select).await?.items)
    }

    async fn exists(&self, id: RaffleId) -> Result<(), RaffleError> {
        self.dynamo.get(&raffle_key(id)).await?.map(drop).ok_or(RaffleError::NotFound(id))
    }

    pub(super) fn random_start(&self) -> u32 {
        u32::from_be_bytes(self.rng.bytes())
    }

    /// Reads a person's holding in a raffle, consistently.
    pub(super) async fn holding(&self, id: RaffleId, account: AccountId) -> Result<Holding, RaffleError> {
        let item = self.dynamo.get(&holding_key(id, account)).await?;
        Ok(item.map(from_item).transpose()?.unwrap_or_default())
    }
}

/// The condition that a holding has not changed since it was read.
pub(super) fn unchanged(holding: &Holding) -> Condition {
    match holding.version {
        0 => Condition::Absent,
        version => Condition::is_number("version", version),
    }
}

/// The condition that an item still has this version.
pub(super) fn at_version(version: Version) -> Condition {
    Condition::is_number("version", version.get())
}

/// Returns the minutes since a raffle was opened.
pub(super) fn minute(raffle: &Raffle, now: Timestamp) -> u32 {
    u32::try_from(now.duration_since(raffle.created_at).as_mins().max(0)).unwrap_or(u32::MAX)
}
