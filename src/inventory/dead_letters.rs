//! Dead letters: list, retry and dismiss. Each change names the version it is based on.

use std::collections::BTreeMap;

use super::apply::put_product;
use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, Note, Outcome, Reason, Refusal, plan};
use super::error::InventoryError;
use super::items::{
    DEAD_LETTERS, IdempotencyRecord, bytes_of, dead_letter_item, dead_letter_with_body, first_body_key,
    movement_item, record_item,
};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::shared::dead_letters::service::DeadLetters;
use crate::shared::idempotency::replayed_answer;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, Key, Select, WriteError, from_item, to_attribute};
use crate::web::lists::Listed;

/// More items than a dead letter can have. A topic's messages have at most a few megabytes.
const MOST_ITEMS: i32 = 100;
/// The longest message that a list shows.
const SHORT: u64 = 8_192;

impl DeadLetters for Inventory {
    type DeadLetter = DeadLetter;
    type Error = InventoryError;

    fn version_of(dead_letter: &DeadLetter) -> Version {
        dead_letter.version
    }

    async fn list_dead_letters(
        &self,
        status: DeadLetterStatus,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<DeadLetter>, InventoryError> {
        DEAD_LETTERS.page(&self.dynamo, status, limit, cursor).await
    }

    async fn retry_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, InventoryError> {
        let retry = self.retry(id, version, by, idempotency);
        Idempotency::run(idempotency, &self.dynamo, retry).await
    }

    async fn dismiss_dead_letter(
        &self,
        id: DeadLetterId,
        version: Version,
        note: Option<Note>,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<Done<DeadLetter>, InventoryError> {
        let dismiss = self.dismiss(id, version, note, by, idempotency);
        Idempotency::run(idempotency, &self.dynamo, dismiss).await
    }
}

impl Inventory {
    /// Reads a dead letter with its original bytes.
    ///
    /// # Errors
    /// [`InventoryError::NoSuchDeadLetter`].
    pub async fn find_dead_letter(&self, id: DeadLetterId) -> Result<(DeadLetter, Vec<u8>), InventoryError> {
        let page = self.dynamo.select(&Select::partition(DEAD_LETTERS.key(id).pk, MOST_ITEMS)).await?;
        dead_letter_with_body(page.items)?.ok_or(InventoryError::NoSuchDeadLetter(id))
    }

    /// Reads a dead letter without its bytes, which can be large.
    async fn read_dead_letter(&self, id: DeadLetterId) -> Result<DeadLetter, InventoryError> {
        let item = self.dynamo.get(&DEAD_LETTERS.key(id)).await?;
        Ok(from_item(item.ok_or(InventoryError::NoSuchDeadLetter(id))?)?)
    }

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
        let items = self.dynamo.get_all(&keys).await?;
        let body = |item| Some((DEAD_LETTERS.id_of(item)?, bytes_of(item)?.to_vec()));
        let mut found: BTreeMap<DeadLetterId, Vec<u8>> = items.iter().filter_map(body).collect();
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
    pub(super) async fn dismiss(
        &self,
        id: DeadLetterId,
        version: Version,
        note: Option<Note>,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<DeadLetter, InventoryError> {
        let before = check_version(self.read_dead_letter(id).await?, version)?;
        let after = before.closed(DeadLetterStatus::Dismissed, by, note, self.clock.now());
        let write = self.dynamo.guarded_write();
        let write = write.put("dead letter", dead_letter_item(&after)?, unchanged(&before));
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
    pub(super) async fn retry(
        &self,
        id: DeadLetterId,
        version: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, DeadLetter>>,
    ) -> Result<DeadLetter, InventoryError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (dead_letter, raw) = self.find_dead_letter(id).await?;
            let before = check_version(dead_letter, version)?;
            let (write, after) = match self.retry_write(&before, raw, by).await {
                Err(refused @ InventoryError::StillRefused(_)) => {
                    // A concurrent request may have applied the message between two reads.
                    check_version(self.read_dead_letter(id).await?, version)?;
                    return Err(refused);
                }
                write => write?,
            };
            match self.dynamo.write(Idempotency::record(idempotency, write, &after)?).await {
                Ok(()) => return Ok(after),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => {
                    replayed_answer(Idempotency::lookup_in(idempotency, &refusal)?)?;
                    retries.backoff().await?;
                }
            }
        }
    }

    /// Builds the write that applies the message to the current product.
    async fn retry_write(
        &self,
        before: &DeadLetter,
        raw: Vec<u8>,
        by: &Actor,
    ) -> Result<(GuardedWrite, DeadLetter), InventoryError> {
        let other_content = || InventoryError::StillRefused(Reason::from(&Refusal::OtherContent));
        let delivery = before.delivery(raw).map_err(|error| InventoryError::StillRefused((&error).into()))?;
        let (message, now) = (&delivery.message, self.clock.now());
        let record = self.idempotency_record(&message.message_id).await?;
        if record.as_ref().is_some_and(|record| record.dead_letter != Some(before.id)) {
            return Err(other_content());
        }
        let product = self.read(&message.sku).await?;
        let mut plan = plan(product.as_ref(), [&delivery], &BTreeMap::new(), now, Some(by));
        let movement = match plan.steps.pop().map(|step| step.outcome) {
            Some(Outcome::Applied(movement)) => movement,
            Some(Outcome::DeadLetter(refused)) => return Err(InventoryError::StillRefused(refused.reason)),
            Some(Outcome::Duplicate) | None => return Err(other_content()),
        };
        let after = before.closed(DeadLetterStatus::Applied, by, None, now);
        let entry = IdempotencyRecord { version: Some(movement.version), ..IdempotencyRecord::of(message) };
        // A message that could not be parsed has no idempotency record yet.
        let record_unchanged = match record {
            Some(_) => Condition::Equals("parked", to_attribute(before.id)?),
            None => Condition::Absent,
        };
        let mut write = self.dynamo.guarded_write();
        write = write.put("dead letter", dead_letter_item(&after)?, unchanged(before));
        write = write.put("message", record_item(&entry)?, record_unchanged);
        write = write.put("movement", movement_item(&message.sku, &movement)?, Condition::Absent);
        if let Some(moved) = &plan.product {
            write = put_product(write, product.as_ref(), moved)?;
        }
        Ok((write, after))
    }
}
