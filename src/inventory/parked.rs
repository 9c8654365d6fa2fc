//! Parked messages: listed, retried, dismissed. Each change is of a version.

use std::collections::BTreeMap;

use super::apply::put_product;
use super::domain::{
    Delivery, Message, Note, Outcome, Parked, ParkedId, ParkedStatus, Reason, Refusal, plan,
};
use super::error::InventoryError;
use super::items::{
    IdempotencyRecord, bytes_of, first_body_key, message_key, movement_item, parked_item, parked_key,
    parked_partition, parked_sort, parked_with_body, remembered_item,
};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::store::ledger::{Done, Idempotency, Lookup};
use crate::store::schema::{PK, STATUS_NEWEST};
use crate::store::{
    Condition, Cursor, CursorError, GuardedWrite, Item, Key, Select, WriteError, from_item, to_attribute,
};

/// More than a parked message has items: a message of a topic has at most some megabytes.
const MOST_ITEMS: i32 = 100;
const LIST: &str = "parked";

/// One page of parked messages.
#[derive(Debug, Default)]
pub struct ParkedPage {
    /// The messages, last parked first.
    pub parked: Vec<Parked>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl Inventory {
    /// A page of the parked messages of a status, last parked first.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list.
    pub async fn list_parked(
        &self,
        status: ParkedStatus,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<ParkedPage, InventoryError> {
        let index = STATUS_NEWEST;
        let mut select = Select::index(index, parked_partition(status), i32::from(limit)).backwards();
        if let Some(text) = cursor {
            let cursor = Cursor::<2>::decode(LIST, text)?;
            let [sort, id] = cursor.parts();
            let id: ParkedId = id.parse().map_err(|_| CursorError)?;
            if !sort.ends_with(&id.to_string()) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &parked_key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let keys: Vec<Key> = page.items.iter().filter_map(id_of).map(parked_key).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let all = items.into_iter().map(from_item).collect::<Result<Vec<Parked>, _>>()?;
        let next = all.last().filter(|_| page.more);
        let next = next.map(|last| Cursor::after([parked_sort(last), last.id.to_string()]).encode(LIST));
        // The index may be a moment behind.
        Ok(ParkedPage { parked: all.into_iter().filter(|parked| parked.status == status).collect(), next })
    }
}

pub(super) fn id_of(item: &Item) -> Option<ParkedId> {
    item.get(PK)?.as_s().ok()?.strip_prefix("PARKED#")?.parse().ok()
}

impl Inventory {
    /// A parked message with its bytes, as they came.
    ///
    /// # Errors
    /// [`InventoryError::NoSuchParked`].
    pub async fn find_parked(&self, id: ParkedId) -> Result<(Parked, Vec<u8>), InventoryError> {
        let page = self.dynamo.select(&Select::partition(parked_key(id).pk, MOST_ITEMS)).await?;
        parked_with_body(page.items)?.ok_or(InventoryError::NoSuchParked(id))
    }

    /// A parked message without its bytes, which may be many.
    async fn read_parked(&self, id: ParkedId) -> Result<Parked, InventoryError> {
        let item = self.dynamo.get(&parked_key(id)).await?.ok_or(InventoryError::NoSuchParked(id))?;
        Ok(from_item(item)?)
    }
}

/// The longest message that is shown among others.
const SHORT: u64 = 8_192;

impl Inventory {
    /// The bytes of parked messages, as they came; none of those that are too long to be shown among others. One call.
    ///
    /// # Errors
    /// [`InventoryError::Store`].
    pub async fn short_bodies(&self, parked: &[Parked]) -> Result<Vec<Option<Vec<u8>>>, InventoryError> {
        let short = parked.iter().filter(|one| (1..=SHORT).contains(&one.bytes));
        let keys: Vec<Key> = short.map(|one| first_body_key(one.id)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let mut found: BTreeMap<ParkedId, Vec<u8>> =
            items.into_iter().filter_map(|item| Some((id_of(&item)?, bytes_of(&item)?.to_vec()))).collect();
        let body = |one: &Parked| if one.bytes == 0 { Some(Vec::new()) } else { found.remove(&one.id) };
        Ok(parked.iter().map(body).collect())
    }
}

/// The parked message, if it is still open and of this version.
fn expect(parked: Parked, version: Version) -> Result<Parked, InventoryError> {
    if parked.version != version || parked.status != ParkedStatus::Open {
        return Err(InventoryError::ParkedConflict(Box::new(parked)));
    }
    Ok(parked)
}

fn unchanged(parked: &Parked) -> Condition {
    Condition::is_number("version", parked.version.get())
}

impl Inventory {
    /// Dismisses a parked message for good: it changes no stock, also if it comes again.
    ///
    /// # Errors
    /// [`InventoryError::NoSuchParked`], [`InventoryError::ParkedConflict`].
    pub async fn dismiss(
        &self,
        id: ParkedId,
        version: Version,
        note: Option<Note>,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Parked>>,
    ) -> Result<Parked, InventoryError> {
        let before = expect(self.read_parked(id).await?, version)?;
        let after = before.ended(ParkedStatus::Dismissed, by, note, self.clock.now());
        let write = self.dynamo.guarded_write().put("parked", parked_item(&after)?, unchanged(&before));
        match self.dynamo.write(Idempotency::record(idempotency, write, &after)?).await {
            Ok(()) => Ok(after),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(_)) => {
                Err(InventoryError::ParkedConflict(Box::new(self.read_parked(id).await?)))
            }
        }
    }

    /// Applies a parked message now, in the same transaction that takes it off the list.
    ///
    /// # Errors
    /// [`InventoryError::StillRefused`] with the reason of now, [`InventoryError::ParkedConflict`],
    /// [`InventoryError::NoSuchParked`], [`InventoryError::Contention`].
    pub async fn retry(&self, id: ParkedId, version: Version, by: &Actor) -> Result<Parked, InventoryError> {
        match self.retry_once(id, version, by, None).await? {
            Done::Now(parked) => Ok(parked),
            // Only the ledger says that it was done before, and there is no key to look for in it.
            Done::Replayed(_) => self.read_parked(id).await,
        }
    }

    /// The same, for a request that may have a key.
    ///
    /// # Errors
    /// As [`retry`], and [`InventoryError::KeyOfAnotherRequest`].
    pub async fn retry_once(
        &self,
        id: ParkedId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Parked>>,
    ) -> Result<Done<Parked>, InventoryError> {
        if let Some(done) = self.done_before(idempotency).await? {
            return Ok(done);
        }
        match self.try_again(id, version, by, idempotency).await {
            Err(refused @ (InventoryError::StillRefused(_) | InventoryError::ParkedConflict(_))) => {
                // What refused it may be what the same request, or somebody faster, made of it between two reads.
                if let Some(done) = self.done_before(idempotency).await? {
                    return Ok(done);
                }
                expect(self.read_parked(id).await?, version)?;
                Err(refused)
            }
            done => done,
        }
    }

    /// What the same request came to before, if it came.
    async fn done_before(
        &self,
        idempotency: Option<&Idempotency<'_, Parked>>,
    ) -> Result<Option<Done<Parked>>, InventoryError> {
        match Idempotency::look_up(idempotency, &self.dynamo).await? {
            Lookup::Same(answer) => Ok(Some(Done::Replayed(answer))),
            Lookup::Other => Err(InventoryError::KeyOfAnotherRequest),
            Lookup::Nothing => Ok(None),
        }
    }

    async fn try_again(
        &self,
        id: ParkedId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Parked>>,
    ) -> Result<Done<Parked>, InventoryError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (parked, raw) = self.find_parked(id).await?;
            let before = expect(parked, version)?;
            let delivery =
                before.delivery(raw).map_err(|flaw| InventoryError::StillRefused(Reason::from(&flaw)))?;
            let saved_before = self.saved_before(&delivery.message).await?;
            if saved_before.as_ref().is_some_and(|saved_before| saved_before.parked != Some(id)) {
                return Err(InventoryError::StillRefused(Reason::from(&Refusal::OtherContent)));
            }
            let (write, after) = self.retried(&before, &delivery, saved_before.as_ref(), by).await?;
            match self.dynamo.write(Idempotency::record(idempotency, write, &after)?).await {
                Ok(()) => return Ok(Done::Now(after)),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => match Idempotency::recall(idempotency, &refusal)? {
                    Lookup::Same(answer) => return Ok(Done::Replayed(answer)),
                    Lookup::Other => return Err(InventoryError::KeyOfAnotherRequest),
                    Lookup::Nothing => retries.backoff().await?,
                },
            }
        }
    }

    async fn saved_before(&self, message: &Message) -> Result<Option<IdempotencyRecord>, InventoryError> {
        Ok(self.dynamo.get(&message_key(&message.message_id)).await?.map(from_item).transpose()?)
    }

    /// The write that applies a parked message to its product as it is now.
    async fn retried(
        &self,
        before: &Parked,
        delivery: &Delivery,
        saved_before: Option<&IdempotencyRecord>,
        by: &Actor,
    ) -> Result<(GuardedWrite, Parked), InventoryError> {
        let (message, now) = (&delivery.message, self.clock.now());
        let product = self.read(&message.sku).await?;
        let mut plan = plan(product.as_ref(), [delivery], &Default::default(), now, Some(by));
        let movement = match plan.steps.pop().map(|step| step.outcome) {
            Some(Outcome::Applied(movement)) => movement,
            Some(Outcome::Parked(parked)) => return Err(InventoryError::StillRefused(parked.reason)),
            Some(Outcome::Duplicate) | None => {
                return Err(InventoryError::StillRefused(Reason::from(&Refusal::OtherContent)));
            }
        };
        let after = before.ended(ParkedStatus::Applied, by, None, now);
        let entry = IdempotencyRecord { version: Some(movement.version), ..IdempotencyRecord::of(message) };
        // What could not be read when it came was not remembered by its id.
        let as_remembered = match saved_before {
            Some(_) => Condition::Equals("parked", to_attribute(before.id)?),
            None => Condition::Absent,
        };
        let mut write = self
            .dynamo
            .guarded_write()
            .put("parked", parked_item(&after)?, unchanged(before))
            .put("message", remembered_item(&entry)?, as_remembered)
            .put("movement", movement_item(&message.sku, &movement)?, Condition::Absent);
        if let Some(moved) = &plan.product {
            write = put_product(write, product.as_ref(), moved)?;
        }
        Ok((write, after))
    }
}
