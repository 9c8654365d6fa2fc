//! Dead letters: list, retry and dismiss. Each change names the version it is based on.

use std::collections::BTreeMap;

use super::apply::put_product;
use super::domain::{
    DeadLetter, DeadLetterId, DeadLetterStatus, Delivery, Message, Note, Outcome, Reason, Refusal, plan,
};
use super::error::InventoryError;
use super::items::{
    IdempotencyRecord, bytes_of, dead_letter_item, dead_letter_key, dead_letter_partition, dead_letter_sort,
    dead_letter_with_body, first_body_key, message_key, movement_item, record_item,
};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::store::idempotency::{Done, Idempotency, Lookup};
use crate::store::schema::{PK, STATUS_NEWEST};
use crate::store::{
    Condition, Cursor, CursorError, GuardedWrite, Item, Key, Select, WriteError, from_item, to_attribute,
};

/// More items than a dead letter can have. A topic's messages have at most a few megabytes.
const MOST_ITEMS: i32 = 100;
const LIST: &str = "parked";

/// A page of dead letters.
#[derive(Debug, Default)]
pub struct DeadLetterPage {
    /// The dead letters, newest first.
    pub dead_letters: Vec<DeadLetter>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Inventory {
    /// Lists the dead letters with a status, newest first.
    ///
    /// # Errors
    /// [`InventoryError::Cursor`] for a cursor of another list.
    pub async fn list_dead_letters(
        &self,
        status: DeadLetterStatus,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<DeadLetterPage, InventoryError> {
        let index = STATUS_NEWEST;
        let mut select = Select::index(index, dead_letter_partition(status), i32::from(limit)).backwards();
        if let Some(text) = cursor {
            let cursor = Cursor::<2>::decode(LIST, text)?;
            let [sort, id] = cursor.parts();
            let id: DeadLetterId = id.parse().map_err(|_| CursorError)?;
            if !sort.ends_with(&id.to_string()) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &dead_letter_key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let keys: Vec<Key> = page.items.iter().filter_map(id_of).map(dead_letter_key).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let all = items.into_iter().map(from_item).collect::<Result<Vec<DeadLetter>, _>>()?;
        let next = all.last().filter(|_| page.more);
        let next = next.map(|last| Cursor::after([dead_letter_sort(last), last.id.to_string()]).encode(LIST));
        // The index can lag behind the items.
        Ok(DeadLetterPage {
            dead_letters: all.into_iter().filter(|dead_letter| dead_letter.status == status).collect(),
            next,
        })
    }
}

pub(super) fn id_of(item: &Item) -> Option<DeadLetterId> {
    item.get(PK)?.as_s().ok()?.strip_prefix("PARKED#")?.parse().ok()
}

impl Inventory {
    /// Reads a dead letter with its original bytes.
    ///
    /// # Errors
    /// [`InventoryError::NoSuchDeadLetter`].
    pub async fn find_dead_letter(&self, id: DeadLetterId) -> Result<(DeadLetter, Vec<u8>), InventoryError> {
        let page = self.dynamo.select(&Select::partition(dead_letter_key(id).pk, MOST_ITEMS)).await?;
        dead_letter_with_body(page.items)?.ok_or(InventoryError::NoSuchDeadLetter(id))
    }

    /// Reads a dead letter without its bytes, which can be large.
    async fn read_dead_letter(&self, id: DeadLetterId) -> Result<DeadLetter, InventoryError> {
        let item =
            self.dynamo.get(&dead_letter_key(id)).await?.ok_or(InventoryError::NoSuchDeadLetter(id))?;
        Ok(from_item(item)?)
    }
}

/// The longest message that a list shows.
const SHORT: u64 = 8_192;

impl Inventory {
    /// Reads the original bytes of dead letters. Messages that are too long for a list give `None`. One call.
    ///
    /// # Errors
    /// [`InventoryError::Store`].
    pub async fn short_bodies(
        &self,
        dead_letters: &[DeadLetter],
    ) -> Result<Vec<Option<Vec<u8>>>, InventoryError> {
        let short = dead_letters.iter().filter(|one| (1..=SHORT).contains(&one.bytes));
        let keys: Vec<Key> = short.map(|one| first_body_key(one.id)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.dynamo.get_all(&keys).await? };
        let mut found: BTreeMap<DeadLetterId, Vec<u8>> =
            items.into_iter().filter_map(|item| Some((id_of(&item)?, bytes_of(&item)?.to_vec()))).collect();
        let body = |one: &DeadLetter| if one.bytes == 0 { Some(Vec::new()) } else { found.remove(&one.id) };
        Ok(dead_letters.iter().map(body).collect())
    }
}

/// Checks that the dead letter is open and has this version.
fn check_version(dead_letter: DeadLetter, version: Version) -> Result<DeadLetter, InventoryError> {
    if dead_letter.version != version || dead_letter.status != DeadLetterStatus::Open {
        return Err(InventoryError::DeadLetterConflict(Box::new(dead_letter)));
    }
    Ok(dead_letter)
}

fn unchanged(dead_letter: &DeadLetter) -> Condition {
    Condition::is_number("version", dead_letter.version.get())
}

impl Inventory {
    /// Dismisses a dead letter for good. Its message changes no stock, even if it arrives again.
    ///
    /// # Errors
    /// [`InventoryError::NoSuchDeadLetter`], [`InventoryError::DeadLetterConflict`].
    pub async fn dismiss(
        &self,
        id: DeadLetterId,
        version: Version,
        note: Option<Note>,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<DeadLetter, InventoryError> {
        let before = check_version(self.read_dead_letter(id).await?, version)?;
        let after = before.with_status(DeadLetterStatus::Dismissed, by, note, self.clock.now());
        let write = self.dynamo.guarded_write().put("parked", dead_letter_item(&after)?, unchanged(&before));
        match self.dynamo.write(Idempotency::record(idempotency, write, &after)?).await {
            Ok(()) => Ok(after),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(_)) => {
                Err(InventoryError::DeadLetterConflict(Box::new(self.read_dead_letter(id).await?)))
            }
        }
    }

    /// Applies a dead letter's message now and closes the dead letter in the same transaction.
    ///
    /// # Errors
    /// [`InventoryError::StillRefused`] with the current reason, [`InventoryError::DeadLetterConflict`],
    /// [`InventoryError::NoSuchDeadLetter`], [`InventoryError::Contention`].
    pub async fn retry(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
    ) -> Result<DeadLetter, InventoryError> {
        match self.retry_idempotent(id, version, by, None).await? {
            Done::Now(dead_letter) => Ok(dead_letter),
            // Without an idempotency key, no answer can be replayed. Read the dead letter anyway.
            Done::Replayed(_) => self.read_dead_letter(id).await,
        }
    }

    /// Retries a dead letter for a request with an optional idempotency key.
    ///
    /// # Errors
    /// As [`retry`](Self::retry), and [`InventoryError::KeyOfAnotherRequest`].
    pub async fn retry_idempotent(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, InventoryError> {
        if let Some(done) = self.stored_answer(idempotency).await? {
            return Ok(done);
        }
        match self.apply_dead_letter(id, version, by, idempotency).await {
            Err(refused @ (InventoryError::StillRefused(_) | InventoryError::DeadLetterConflict(_))) => {
                // The same request, or a concurrent one, may have applied the message between two reads.
                if let Some(done) = self.stored_answer(idempotency).await? {
                    return Ok(done);
                }
                check_version(self.read_dead_letter(id).await?, version)?;
                Err(refused)
            }
            done => done,
        }
    }

    /// Returns the stored answer of the same request, if there is one.
    async fn stored_answer(
        &self,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Option<Done<DeadLetter>>, InventoryError> {
        match Idempotency::look_up(idempotency, &self.dynamo).await? {
            Lookup::Same(answer) => Ok(Some(Done::Replayed(answer))),
            Lookup::Other => Err(InventoryError::KeyOfAnotherRequest),
            Lookup::Nothing => Ok(None),
        }
    }

    async fn apply_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, InventoryError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (dead_letter, raw) = self.find_dead_letter(id).await?;
            let before = check_version(dead_letter, version)?;
            let delivery =
                before.delivery(raw).map_err(|error| InventoryError::StillRefused(Reason::from(&error)))?;
            let record = self.idempotency_record(&delivery.message).await?;
            if record.as_ref().is_some_and(|record| record.parked != Some(id)) {
                return Err(InventoryError::StillRefused(Reason::from(&Refusal::OtherContent)));
            }
            let (write, after) = self.retry_write(&before, &delivery, record.as_ref(), by).await?;
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

    async fn idempotency_record(
        &self,
        message: &Message,
    ) -> Result<Option<IdempotencyRecord>, InventoryError> {
        Ok(self.dynamo.get(&message_key(&message.message_id)).await?.map(from_item).transpose()?)
    }

    /// Builds the write that applies the message to the current product.
    async fn retry_write(
        &self,
        before: &DeadLetter,
        delivery: &Delivery,
        record: Option<&IdempotencyRecord>,
        by: &Actor,
    ) -> Result<(GuardedWrite, DeadLetter), InventoryError> {
        let (message, now) = (&delivery.message, self.clock.now());
        let product = self.read(&message.sku).await?;
        let mut plan = plan(product.as_ref(), [delivery], &Default::default(), now, Some(by));
        let movement = match plan.steps.pop().map(|step| step.outcome) {
            Some(Outcome::Applied(movement)) => movement,
            Some(Outcome::DeadLetter(dead_letter)) => {
                return Err(InventoryError::StillRefused(dead_letter.reason));
            }
            Some(Outcome::Duplicate) | None => {
                return Err(InventoryError::StillRefused(Reason::from(&Refusal::OtherContent)));
            }
        };
        let after = before.with_status(DeadLetterStatus::Applied, by, None, now);
        let entry = IdempotencyRecord { version: Some(movement.version), ..IdempotencyRecord::of(message) };
        // A message that could not be parsed has no idempotency record yet.
        let record_unchanged = match record {
            Some(_) => Condition::Equals("parked", to_attribute(before.id)?),
            None => Condition::Absent,
        };
        let mut write = self
            .dynamo
            .guarded_write()
            .put("parked", dead_letter_item(&after)?, unchanged(before))
            .put("message", record_item(&entry)?, record_unchanged)
            .put("movement", movement_item(&message.sku, &movement)?, Condition::Absent);
        if let Some(moved) = &plan.product {
            write = put_product(write, product.as_ref(), moved)?;
        }
        Ok((write, after))
    }
}
