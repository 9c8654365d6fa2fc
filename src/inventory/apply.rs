//! Applies messages as movements: consecutive messages of one product in one transaction.
//!
//! Invariants: a movement, the stock and the message's idempotency record are written together or not at all; so are
//! a dead letter and its record; a duplicate changes nothing. Nothing is locked: a concurrent change of the product
//! changes its version, and the remaining messages are planned again.

use std::collections::{BTreeMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::domain::{
    DeadLetter, DeadLetterId, Delivery, MessageId, Outcome, ParseError, Plan, Product, ReasonName, Sku,
    Source, plan,
};
use super::error::InventoryError;
use super::items::{
    IdempotencyRecord, body_items, dead_letter_item, message_key, movement_item, product_item, product_key,
    record_item, write_size,
};
use super::search::{MAX_WORDS, reindex};
use crate::base::identity::Actor;
use crate::base::telemetry::metrics;
use crate::inventory::Inventory;
use crate::store::{Condition, GuardedWrite, Refusal, StoreError, WriteError, from_item};

/// The most messages of one transaction. Of its 100 actions, each message takes three, and the product one.
const MOST_MESSAGES: usize = 30;
/// The most messages of a transaction that creates a product, because it also writes the product's search words.
const MOST_AT_CREATION: usize = 25;
const _: () = {
    assert!(3 * MOST_MESSAGES < GuardedWrite::MAX_ACTIONS);
    assert!(3 * MOST_AT_CREATION + MAX_WORDS < GuardedWrite::MAX_ACTIONS);
};
/// The most bytes of one transaction, well below DynamoDB's limit of 4 MB.
const MOST_BYTES: usize = 2_500_000;
/// The products that are processed concurrently.
pub(super) const AT_ONCE: usize = 8;

/// Groups values by their product. The values of one product stay in order.
pub(super) fn by_product<T>(values: impl IntoIterator<Item = (Sku, T)>) -> Vec<Vec<T>> {
    let mut products: BTreeMap<Sku, Vec<T>> = BTreeMap::new();
    for (sku, value) in values {
        products.entry(sku).or_default().push(value);
    }
    products.into_values().collect()
}

impl Inventory {
    /// Applies messages of any products: messages of one product in order, different products concurrently. The
    /// outcomes are in the order of the messages.
    ///
    /// # Errors
    /// [`InventoryError::Store`] or [`InventoryError::Contention`] if any product fails. Writes for other products
    /// remain, and applying the same messages again changes nothing more.
    pub async fn apply_all(
        &self,
        deliveries: &[Delivery],
        by: Option<&Actor>,
    ) -> Result<Vec<Outcome>, InventoryError> {
        let places = deliveries.iter().enumerate().map(|(place, one)| (one.message.sku.clone(), place));
        let applied = stream::iter(by_product(places)).map(|places| async move {
            let own: Vec<&Delivery> = places.iter().filter_map(|place| deliveries.get(*place)).collect();
            let outcomes = self.apply(&own, by).await?;
            Ok::<_, InventoryError>(places.into_iter().zip(outcomes).collect::<Vec<_>>())
        });
        let applied: Vec<Vec<(usize, Outcome)>> = applied.buffer_unordered(AT_ONCE).try_collect().await?;
        let by_place: BTreeMap<usize, Outcome> = applied.into_iter().flatten().collect();
        Ok(by_place.into_values().collect())
    }

    /// Applies messages of ONE product in order, with as many in one transaction as possible.
    ///
    /// # Errors
    /// As [`apply_all`](Self::apply_all).
    pub async fn apply(
        &self,
        deliveries: &[&Delivery],
        by: Option<&Actor>,
    ) -> Result<Vec<Outcome>, InventoryError> {
        let mut outcomes = Vec::with_capacity(deliveries.len());
        let mut rest = deliveries;
        while !rest.is_empty() {
            let batch = rest.get(..batch_size(rest)).unwrap_or(rest);
            let done = self.apply_batch(batch, by).await?;
            rest = rest.get(done.len().max(1)..).unwrap_or_default();
            outcomes.extend(done);
        }
        Ok(outcomes)
    }
}

/// Returns how many of these messages fit into one transaction, at least one.
fn batch_size(deliveries: &[&Delivery]) -> usize {
    let mut bytes = 0;
    let fits = |delivery: &&&Delivery| {
        bytes += write_size(delivery);
        bytes <= MOST_BYTES
    };
    deliveries.iter().take(MOST_MESSAGES).take_while(fits).count().max(1)
}

/// The earlier records that refused writes have returned.
#[derive(Debug, Default)]
struct KnownRecords {
    messages: BTreeMap<MessageId, String>,
    dead_letters: HashSet<DeadLetterId>,
}

impl KnownRecords {
    /// Adds the records that a refused write returned. Returns whether any of them is new.
    fn add(&mut self, refusal: &Refusal) -> Result<bool, StoreError> {
        let before = (self.messages.len(), self.dead_letters.len());
        for item in refusal.items("message") {
            let record: IdempotencyRecord = from_item(item.clone())?;
            self.messages.insert(record.message_id, record.fingerprint);
        }
        for item in refusal.items("dead letter") {
            let dead_letter: DeadLetter = from_item(item.clone())?;
            self.dead_letters.insert(dead_letter.id);
        }
        Ok(before != (self.messages.len(), self.dead_letters.len()))
    }

    /// Marks steps as duplicates if their dead letters exist already or occur earlier in the same plan.
    fn mark_duplicates(&self, plan: &mut Plan<'_>) {
        let mut known = self.dead_letters.clone();
        for step in &mut plan.steps {
            if matches!(&step.outcome, Outcome::DeadLetter(new) if !known.insert(new.id)) {
                step.outcome = Outcome::Duplicate;
            }
        }
    }
}

impl Inventory {
    /// Applies the first of these messages, and all of them if the product exists.
    async fn apply_batch(
        &self,
        batch: &[&Delivery],
        by: Option<&Actor>,
    ) -> Result<Vec<Outcome>, InventoryError> {
        let Some(sku) = batch.first().map(|delivery| delivery.message.sku.clone()) else {
            return Ok(Vec::new());
        };
        let mut known = KnownRecords::default();
        let mut product = self.read(&sku).await?;
        let mut retries = self.dynamo.retries();
        loop {
            let most = if product.is_some() { MOST_MESSAGES } else { MOST_AT_CREATION };
            let batch = batch.iter().copied().take(most);
            let mut planned = plan(product.as_ref(), batch, &known.messages, self.clock.now(), by);
            known.mark_duplicates(&mut planned);
            let Some(write) = self.write_of(product.as_ref(), &planned)? else {
                return Ok(outcomes(planned));
            };
            match self.dynamo.write(write).await {
                Ok(()) => {
                    metrics::message_dead_letters(count_dead_letters(&planned));
                    return Ok(outcomes(planned));
                }
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => {
                    let is_new = known.add(&refusal)?;
                    if refusal.of("product") {
                        product = self.product_of(&refusal, &sku).await?;
                        retries.backoff().await?;
                    } else if !is_new {
                        // A movement exists for a version that the product does not have yet. Planning again would
                        // give the same result.
                        let key = product_key(&sku);
                        return Err(StoreError::invariant_violation("TransactWriteItems", &key).into());
                    }
                }
            }
        }
    }
}

fn outcomes(plan: Plan<'_>) -> Vec<Outcome> {
    plan.steps.into_iter().map(|step| step.outcome).collect()
}

fn count_dead_letters(plan: &Plan<'_>) -> usize {
    plan.steps.iter().filter(|step| matches!(step.outcome, Outcome::DeadLetter(_))).count()
}

impl Inventory {
    /// Builds the write of a plan. Returns `None` if there is nothing to write.
    fn write_of(
        &self,
        before: Option<&Product>,
        plan: &Plan<'_>,
    ) -> Result<Option<GuardedWrite>, InventoryError> {
        let mut write = self.dynamo.guarded_write();
        let (mut moved, mut any) = (false, false);
        for step in &plan.steps {
            let message = &step.delivery.message;
            let record = IdempotencyRecord::of(message);
            match &step.outcome {
                Outcome::Duplicate => continue,
                Outcome::Applied(movement) => {
                    moved = true;
                    let record = IdempotencyRecord { version: Some(movement.version), ..record };
                    write = write.put("message", record_item(&record)?, Condition::Absent).put(
                        "movement",
                        movement_item(&message.sku, movement)?,
                        Condition::Absent,
                    );
                }
                Outcome::DeadLetter(dead_letter) => {
                    if dead_letter.reason.name != ReasonName::ConflictingDuplicate.as_str() {
                        let record = IdempotencyRecord { dead_letter: Some(dead_letter.id), ..record };
                        write = write.put("message", record_item(&record)?, Condition::Absent);
                    }
                    write = put_dead_letter(write, dead_letter, &step.delivery.raw)?;
                }
            }
            any = true;
        }
        Ok(any.then(|| with_product(write, before, plan, moved)).transpose()?)
    }
}

/// Adds the product to the write. If no message changes the stock, the write only checks the product's version,
/// because the refusals depend on its state.
fn with_product(
    write: GuardedWrite,
    before: Option<&Product>,
    plan: &Plan<'_>,
    moved: bool,
) -> Result<GuardedWrite, StoreError> {
    match (&plan.product, plan.steps.first()) {
        (Some(after), _) if moved => put_product(write, before, after),
        (_, Some(step)) => {
            Ok(write.check("product", &product_key(&step.delivery.message.sku), unchanged(before)))
        }
        (_, None) => Ok(write),
    }
}

/// Puts a product in place of its previous state, together with its search words.
pub(super) fn put_product(
    write: GuardedWrite,
    before: Option<&Product>,
    after: &Product,
) -> Result<GuardedWrite, StoreError> {
    reindex(write.put("product", product_item(after)?, unchanged(before)), before, after)
}

/// The condition that a product has not changed since it was read.
fn unchanged(before: Option<&Product>) -> Condition {
    match before {
        None => Condition::Absent,
        Some(product) => Condition::is_number("version", product.version.get())
            .and(Condition::is_number("detailsVersion", product.details_version.get())),
    }
}

fn put_dead_letter(
    mut write: GuardedWrite,
    dead_letter: &DeadLetter,
    raw: &[u8],
) -> Result<GuardedWrite, StoreError> {
    write = write.put("dead letter", dead_letter_item(dead_letter)?, Condition::Absent);
    for body in body_items(dead_letter.id, DeadLetter::kept(raw)) {
        write = write.put_derived("body", body);
    }
    Ok(write)
}

impl Inventory {
    /// Applies one message, or returns its refusal without storing a dead letter. Use this if the sender waits for
    /// the answer.
    ///
    /// # Errors
    /// As [`apply_all`](Self::apply_all).
    pub(super) async fn apply_or_refuse(
        &self,
        delivery: &Delivery,
        by: &Actor,
    ) -> Result<Outcome, InventoryError> {
        let mut retries = self.dynamo.retries();
        let mut known = KnownRecords::default();
        loop {
            let product = self.read(&delivery.message.sku).await?;
            let planned = plan(product.as_ref(), [delivery], &known.messages, self.clock.now(), Some(by));
            let outcome = planned.steps.first().map_or(Outcome::Duplicate, |step| step.outcome.clone());
            let write = self.write_of(product.as_ref(), &planned)?;
            let (Outcome::Applied(_), Some(write)) = (&outcome, write) else { return Ok(outcome) };
            match self.dynamo.write(write).await {
                Ok(()) => return Ok(outcome),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => _ = known.add(&refusal)?,
            }
            retries.backoff().await?;
        }
    }

    /// Stores a dead letter for bytes that are not a message. The same delivery is stored once.
    ///
    /// # Errors
    /// [`InventoryError::Store`].
    pub async fn add_dead_letter(
        &self,
        source: &Source,
        raw: &[u8],
        error: &ParseError,
    ) -> Result<DeadLetter, InventoryError> {
        let dead_letter = DeadLetter::new(source, raw, error.into(), self.clock.now());
        match self.dynamo.write(put_dead_letter(self.dynamo.guarded_write(), &dead_letter, raw)?).await {
            Ok(()) => {
                metrics::message_dead_letters(1);
                Ok(dead_letter)
            }
            Err(WriteError::Refused(refusal)) => match refusal.item("dead letter") {
                Some(before) => Ok(from_item(before.clone())?),
                None => Ok(dead_letter),
            },
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Returns the product that a refused write found, or reads it.
    async fn product_of(&self, refusal: &Refusal, sku: &Sku) -> Result<Option<Product>, StoreError> {
        match refusal.item("product") {
            Some(item) => Ok(Some(from_item(item.clone())?)),
            None => self.read(sku).await,
        }
    }

    /// Reads a product, consistently.
    pub(super) async fn read(&self, sku: &Sku) -> Result<Option<Product>, StoreError> {
        self.dynamo.get(&product_key(sku)).await?.map(from_item).transpose()
    }

    /// Reads what was done for a message.
    pub(super) async fn idempotency_record(
        &self,
        id: &MessageId,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.dynamo.get(&message_key(id)).await?.map(from_item).transpose()
    }
}
