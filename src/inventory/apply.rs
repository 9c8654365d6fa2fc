//! Messages into movements: consecutive messages of one product in one transaction.
//!
//! What always holds: a movement, the stock, and what is remembered of the message are written together or not at all; a
//! message that is not applied is parked in the same way; a message that came before changes nothing. Nothing here
//! is locked: whoever changes the same product at the same time is seen by its version, and the rest is planned anew.

use std::collections::{BTreeMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::domain::{
    Delivery, MessageId, Outcome, Parked, ParkedId, ParseError, Plan, Product, Sku, Source, plan,
};
use super::error::InventoryError;
use super::items::{
    IdempotencyRecord, body_items, movement_item, parked_item, product_item, product_key, remembered_item,
    weight,
};
use super::search::{MAX_WORDS, reindex};
use crate::base::identity::Actor;
use crate::base::telemetry::tally;
use crate::inventory::Inventory;
use crate::store::{Condition, GuardedWrite, Refusal, StoreError, WriteError, from_item};

/// The most messages of one transaction: three actions each, of a hundred, and the product's.
const MOST_MESSAGES: usize = 30;
/// The most where the product is made: the words by which it is found are written as well.
const MOST_AT_CREATION: usize = 25;
const _: () = {
    assert!(3 * MOST_MESSAGES < GuardedWrite::MAX_ACTIONS);
    assert!(3 * MOST_AT_CREATION + MAX_WORDS < GuardedWrite::MAX_ACTIONS);
};
/// The most bytes of one transaction, with room to spare: DynamoDB takes 4 MB.
const MOST_BYTES: usize = 2_500_000;
/// The products that are worked on at the same time.
const AT_ONCE: usize = 8;

impl Inventory {
    /// Applies messages of any products: those of one product in their order, different products beside each other. The
    /// outcomes come in the order of the messages.
    ///
    /// # Errors
    /// [`InventoryError::Store`] or [`InventoryError::Contention`] of any product; what was written of the others stays, and
    /// the same messages again change nothing more.
    pub async fn apply_all(
        &self,
        deliveries: &[Delivery],
        by: Option<&Actor>,
    ) -> Result<Vec<Outcome>, InventoryError> {
        let mut lanes: BTreeMap<&Sku, Vec<usize>> = BTreeMap::new();
        for (place, delivery) in deliveries.iter().enumerate() {
            lanes.entry(&delivery.message.sku).or_default().push(place);
        }
        let lanes: Vec<Vec<usize>> = lanes.into_values().collect();
        let applied = stream::iter(lanes).map(|places| async move {
            let own: Vec<&Delivery> = places.iter().filter_map(|place| deliveries.get(*place)).collect();
            let outcomes = self.apply(&own, by).await?;
            Ok::<_, InventoryError>(places.into_iter().zip(outcomes).collect::<Vec<_>>())
        });
        let applied: Vec<Vec<(usize, Outcome)>> = applied.buffer_unordered(AT_ONCE).try_collect().await?;
        let by_place: BTreeMap<usize, Outcome> = applied.into_iter().flatten().collect();
        Ok(by_place.into_values().collect())
    }

    /// Applies messages of ONE product in their order, as many in one transaction as it holds.
    ///
    /// # Errors
    /// As [`apply_all`].
    pub async fn apply(
        &self,
        deliveries: &[&Delivery],
        by: Option<&Actor>,
    ) -> Result<Vec<Outcome>, InventoryError> {
        let mut outcomes = Vec::with_capacity(deliveries.len());
        let mut rest = deliveries;
        while !rest.is_empty() {
            let batch = rest.get(..fitting(rest)).unwrap_or(rest);
            let done = self.apply_batch(batch, by).await?;
            rest = rest.get(done.len().max(1)..).unwrap_or_default();
            outcomes.extend(done);
        }
        Ok(outcomes)
    }
}

/// How many of these messages fit into one transaction: one at least.
fn fitting(deliveries: &[&Delivery]) -> usize {
    let mut bytes = 0;
    let fits = |delivery: &&&Delivery| {
        bytes += weight(delivery);
        bytes <= MOST_BYTES
    };
    deliveries.iter().take(MOST_MESSAGES).take_while(fits).count().max(1)
}

/// What refused attempts have told of messages that came before.
#[derive(Debug, Default)]
struct Known {
    messages: BTreeMap<MessageId, String>,
    parked: HashSet<ParkedId>,
}

impl Known {
    /// Whether a refusal told of anything that was not known.
    fn learn(&mut self, refusal: &Refusal) -> Result<bool, StoreError> {
        let before = (self.messages.len(), self.parked.len());
        for item in refusal.items("message") {
            let saved_before: IdempotencyRecord = from_item(item.clone())?;
            self.messages.insert(saved_before.message_id, saved_before.fingerprint);
        }
        for item in refusal.items("parked") {
            let parked: Parked = from_item(item.clone())?;
            self.parked.insert(parked.id);
        }
        Ok(before != (self.messages.len(), self.parked.len()))
    }

    /// What would be parked again is parked already, also by the same plan.
    fn recognise(&self, plan: &mut Plan<'_>) {
        let mut parked = self.parked.clone();
        for step in &mut plan.steps {
            if matches!(&step.outcome, Outcome::Parked(new) if !parked.insert(new.id)) {
                step.outcome = Outcome::Duplicate;
            }
        }
    }
}

impl Inventory {
    /// Applies the first of these messages, all of them where the product is there already.
    async fn apply_batch(
        &self,
        batch: &[&Delivery],
        by: Option<&Actor>,
    ) -> Result<Vec<Outcome>, InventoryError> {
        let Some(sku) = batch.first().map(|delivery| delivery.message.sku.clone()) else {
            return Ok(Vec::new());
        };
        let mut known = Known::default();
        let mut product = self.read(&sku).await?;
        let mut retries = self.dynamo.retries();
        loop {
            let most = if product.is_some() { MOST_MESSAGES } else { MOST_AT_CREATION };
            let batch = batch.iter().copied().take(most);
            let mut planned = plan(product.as_ref(), batch, &known.messages, self.clock.now(), by);
            known.recognise(&mut planned);
            let Some(write) = self.write_of(product.as_ref(), &planned)? else {
                return Ok(outcomes(planned));
            };
            match self.dynamo.write(write).await {
                Ok(()) => {
                    let outcomes = outcomes(planned);
                    tally::parked(outcomes.iter().filter(|one| matches!(one, Outcome::Parked(_))).count());
                    return Ok(outcomes);
                }
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => {
                    let learned = known.learn(&refusal)?;
                    // A movement stands where the product has none: no other plan would come to anything else.
                    if !learned && !refusal.of("product") {
                        return Err(StoreError::invariant_violation(
                            "TransactWriteItems",
                            &product_key(&sku),
                        )
                        .into());
                    }
                    if refusal.of("product") {
                        product = match refusal.item("product") {
                            Some(item) => Some(from_item(item.clone())?),
                            None => self.read(&sku).await?,
                        };
                        retries.backoff().await?;
                    }
                }
            }
        }
    }
}

fn outcomes(plan: Plan<'_>) -> Vec<Outcome> {
    plan.steps.into_iter().map(|step| step.outcome).collect()
}

impl Inventory {
    /// The one write of a plan; none where there is nothing to write.
    fn write_of(
        &self,
        before: Option<&Product>,
        plan: &Plan<'_>,
    ) -> Result<Option<GuardedWrite>, InventoryError> {
        let mut write = self.dynamo.guarded_write();
        let (mut moved, mut any) = (false, false);
        for step in &plan.steps {
            let message = &step.delivery.message;
            let saved_before = IdempotencyRecord::of(message);
            match &step.outcome {
                Outcome::Duplicate => continue,
                Outcome::Applied(movement) => {
                    moved = true;
                    let saved_before = IdempotencyRecord { version: Some(movement.version), ..saved_before };
                    write = write.put("message", remembered_item(&saved_before)?, Condition::Absent).put(
                        "movement",
                        movement_item(&message.sku, movement)?,
                        Condition::Absent,
                    );
                }
                Outcome::Parked(parked) => {
                    if parked.reason.name != super::domain::Refusal::OtherContent.name() {
                        let saved_before = IdempotencyRecord { parked: Some(parked.id), ..saved_before };
                        write = write.put("message", remembered_item(&saved_before)?, Condition::Absent);
                    }
                    write = park_in(write, parked, &step.delivery.raw)?;
                }
            }
            any = true;
        }
        Ok(any.then(|| guard(write, before, plan, moved)).transpose()?)
    }
}

/// Adds the product: changed where anything moved it, else only as it was seen, for what is refused is refused of that.
fn guard(
    write: GuardedWrite,
    before: Option<&Product>,
    plan: &Plan<'_>,
    moved: bool,
) -> Result<GuardedWrite, StoreError> {
    match (&plan.product, plan.steps.first()) {
        (Some(after), _) if moved => put_product(write, before, after),
        (_, Some(step)) => {
            Ok(write.check("product", &product_key(&step.delivery.message.sku), as_it_was(before)))
        }
        (_, None) => Ok(write),
    }
}

/// Puts a product in the place of what it was, with the words by which it is found.
pub(super) fn put_product(
    write: GuardedWrite,
    before: Option<&Product>,
    after: &Product,
) -> Result<GuardedWrite, StoreError> {
    reindex(write.put("product", product_item(after)?, as_it_was(before)), before, after)
}

/// The condition that a product is as it was read.
fn as_it_was(before: Option<&Product>) -> Condition {
    match before {
        None => Condition::Absent,
        Some(product) => Condition::is_number("version", product.version.get())
            .and(Condition::is_number("detailsVersion", product.details_version.get())),
    }
}

fn park_in(mut write: GuardedWrite, parked: &Parked, raw: &[u8]) -> Result<GuardedWrite, StoreError> {
    write = write.put("parked", parked_item(parked)?, Condition::Absent);
    for body in body_items(parked.id, Parked::kept(raw)) {
        write = write.put_derived("body", body);
    }
    Ok(write)
}

impl Inventory {
    /// Applies one message, or says why not without parking it: for whoever is there to be told.
    ///
    /// # Errors
    /// As [`apply_all`].
    pub(super) async fn apply_or_refuse(
        &self,
        delivery: &Delivery,
        by: &Actor,
    ) -> Result<Outcome, InventoryError> {
        let mut retries = self.dynamo.retries();
        let mut known = Known::default();
        loop {
            let product = self.read(&delivery.message.sku).await?;
            let planned = plan(product.as_ref(), [delivery], &known.messages, self.clock.now(), Some(by));
            let outcome = planned.steps.first().map_or(Outcome::Duplicate, |step| step.outcome.clone());
            let write = self.write_of(product.as_ref(), &planned)?;
            let (Outcome::Applied(_), Some(write)) = (&outcome, write) else { return Ok(outcome) };
            match self.dynamo.write(write).await {
                Ok(()) => return Ok(outcome),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => _ = known.learn(&refusal)?,
            }
            retries.backoff().await?;
        }
    }

    /// Parks what is no message. The same delivery twice is parked once.
    ///
    /// # Errors
    /// [`InventoryError::Store`].
    pub async fn park(
        &self,
        source: &Source,
        raw: &[u8],
        flaw: &ParseError,
    ) -> Result<Parked, InventoryError> {
        let parked = Parked::new(source, raw, flaw.into(), self.clock.now());
        match self.dynamo.write(park_in(self.dynamo.guarded_write(), &parked, raw)?).await {
            Ok(()) => {
                tally::parked(1);
                Ok(parked)
            }
            Err(WriteError::Refused(refusal)) => match refusal.item("parked") {
                Some(before) => Ok(from_item(before.clone())?),
                None => Ok(parked),
            },
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// A product, read consistently.
    pub(super) async fn read(&self, sku: &Sku) -> Result<Option<Product>, StoreError> {
        self.dynamo.get(&product_key(sku)).await?.map(from_item).transpose()
    }
}
