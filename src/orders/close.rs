//! The end of an order: fulfilled with all its leads, or deleted, its leads back in stock.
//!
//! What always holds: a small order ends in one transaction with all its leads. A large one ends in one transaction with
//! its counters, and every reader sees its leads end with it; then they are [written](super::settle) part by part.

use super::domain::{Order, OrderRule, OrderStatus};
use super::error::OrderError;
use super::items::{Progress, Shard, StoredOrder, entry_item, order_item, shard_key};
use super::reconcile;
use super::store::Whole;
use super::write::{CapDelta, Transition, count, transition_lead};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Action, Lead, Stock, StoredLead};
use crate::leads::items::{lead_key, stored_lead};
use crate::orders::Orders;
use crate::orders::domain::{OrderAction, OrderDetail, OrderEntry};
use crate::reservations::{PHASE, Phase, order_key};
use crate::shared::audit::AuditStamp;
use crate::shared::audit::Author;
use crate::store::ledger::{Answer, Done, Idempotency, Lookup};
use crate::store::{Condition, GuardedWrite, StoreError, WriteError};

impl Orders {
    /// Fulfils an order with all its leads. One that is fulfilled already is answered as it is. `expected` is the version
    /// that the caller saw; a command that names none acts on the order as it stands.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], [`OrderError::Conflict`].
    pub async fn fulfill(
        &self,
        id: OrderId,
        expected: Option<Version>,
        by: &Author,
        idempotency: Option<&Idempotency<'_, OrderDetail>>,
    ) -> Result<Done<OrderDetail>, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let whole = self.read_whole(id).await?;
            let order = &whole.stored.order;
            if order.status == OrderStatus::Fulfilled {
                return match recalled(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
                    Some(answer) => Ok(Done::Replayed(answer)),
                    None => Ok(Done::Now(self.detail_of(&whole).await?)),
                };
            }
            if expected.is_some_and(|expected| expected != order.version) {
                return self.stale(&whole, idempotency).await;
            }
            let end = End::read(self, whole, self.stamp(by), Phase::Fulfilled).await?;
            let detail = end.detail(self).await?;
            match end.write(self, |write| Idempotency::record(idempotency, write, &detail)).await? {
                Ended::Done => return Ok(Done::Now(detail)),
                Ended::Lost(refusal) => {
                    if let Some(answer) = recalled(Idempotency::recall(idempotency, &refusal)?)? {
                        return Ok(Done::Replayed(answer));
                    }
                }
            }
            retries.backoff().await?;
        }
    }

    /// Deletes an open order; its leads go back to stock at their old place. Gives the order as it last was.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], [`OrderError::Conflict`], [`OrderError::RuleViolation`] for a fulfilled one.
    pub async fn delete(
        &self,
        id: OrderId,
        expected: Option<Version>,
        by: &Author,
        idempotency: Option<&Idempotency<'_, Order>>,
    ) -> Result<Done<Order>, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let whole = match self.read_whole(id).await {
                Err(OrderError::NotFound(id)) => return self.gone(id, idempotency).await,
                whole => whole?,
            };
            let order = whole.stored.order.clone();
            if expected.is_some_and(|expected| expected != order.version) {
                return self.stale(&whole, idempotency).await;
            }
            if order.status == OrderStatus::Fulfilled {
                return Err(OrderError::violation(OrderRule::FulfilledStays));
            }
            let end = End::read(self, whole, self.stamp(by), Phase::Deleted).await?;
            match end.write(self, |write| Idempotency::record(idempotency, write, &order)).await? {
                Ended::Done => return Ok(Done::Now(order)),
                Ended::Lost(refusal) => {
                    if let Some(answer) = recalled(Idempotency::recall(idempotency, &refusal)?)? {
                        return Ok(Done::Replayed(answer));
                    }
                }
            }
            retries.backoff().await?;
        }
    }

    async fn gone<T>(
        &self,
        id: OrderId,
        idempotency: Option<&Idempotency<'_, T>>,
    ) -> Result<Done<T>, OrderError> {
        match recalled(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
            Some(answer) => Ok(Done::Replayed(answer)),
            None => Err(OrderError::NotFound(id)),
        }
    }

    /// A stale request may be the repetition of one that succeeded.
    pub(super) async fn stale<T>(
        &self,
        whole: &Whole,
        idempotency: Option<&Idempotency<'_, T>>,
    ) -> Result<Done<T>, OrderError> {
        match recalled(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
            Some(answer) => Ok(Done::Replayed(answer)),
            None => Err(OrderError::Conflict(Box::new(self.detail_of(whole).await?))),
        }
    }
}

pub(super) fn recalled(recall: Lookup) -> Result<Option<Answer>, OrderError> {
    match recall {
        Lookup::Same(answer) => Ok(Some(answer)),
        Lookup::Other => Err(OrderError::KeyOfAnotherRequest),
        Lookup::Nothing => Ok(None),
    }
}

enum Ended {
    Done,
    Lost(crate::store::Refusal),
}

/// An order's end: what stands, and what will.
struct End {
    whole: Whole,
    after: StoredOrder,
    stamp: AuditStamp,
    /// The leads that end in the same transaction: of a small order all of them, of a large one none.
    leads: Vec<StoredLead>,
}

impl End {
    async fn read(
        orders: &Orders,
        whole: Whole,
        stamp: AuditStamp,
        stage: Phase,
    ) -> Result<Self, StoreError> {
        let StoredOrder { order, writing } = whole.stored.clone();
        let fulfilled = stage == Phase::Fulfilled;
        let order = Order {
            status: if fulfilled { OrderStatus::Fulfilled } else { order.status },
            version: order.version.next(),
            updated_at: stamp.at,
            updated_by: stamp.actor.clone(),
            fulfilled_at: fulfilled.then_some(stamp.at),
            cause: stamp.cause.clone(),
            ..order
        };
        let leads = if writing.large { Vec::new() } else { orders.read_stored(&whole.parts).await? };
        let after = StoredOrder { order, writing: Progress { stage, ..writing } };
        Ok(Self { after, whole, stamp, leads })
    }

    fn fulfils(&self) -> bool {
        self.after.writing.stage == Phase::Fulfilled
    }

    /// The order as it will stand, for the answer.
    async fn detail(&self, orders: &Orders) -> Result<OrderDetail, OrderError> {
        let (order, stamp) = (self.after.order.clone(), &self.stamp);
        let fulfilled =
            |lead: &Lead| lead.moved(Stock::Fulfilled, Some(order.id), stamp.at, stamp.actor.clone());
        if self.after.writing.large {
            let OrderDetail { leads, leads_next, .. } = orders.detail_of(&self.whole).await?;
            return Ok(OrderDetail { leads: leads.iter().map(fulfilled).collect(), leads_next, order });
        }
        // What is answered is what is written: an edit between two reads would make them differ.
        let leads = self.leads.iter().map(|stored| fulfilled(&stored.lead)).collect();
        Ok(OrderDetail { leads, leads_next: None, order })
    }

    async fn write(
        &self,
        orders: &Orders,
        record: impl Fn(GuardedWrite) -> Result<GuardedWrite, StoreError>,
    ) -> Result<Ended, OrderError> {
        let large = self.whole.stored.writing.large;
        let write = self.order_alone(orders)?;
        let write = if large { self.mark(write)? } else { self.with_leads(write)? };
        match orders.dynamo.write(record(write)?).await {
            Ok(()) if large => {
                // The end stands, whatever becomes of this; what is left the next one who meets it writes.
                if let Err(error) = orders.reconciler.apply_end(&self.after).await {
                    tracing::warn!(%error, "the leads of a large order were not all written at once");
                }
                Ok(Ended::Done)
            }
            Ok(()) => Ok(Ended::Done),
            Err(WriteError::Refused(refusal)) => Ok(Ended::Lost(refusal)),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// The order, its history and the counters of its states.
    fn order_alone(&self, orders: &Orders) -> Result<GuardedWrite, StoreError> {
        let order = &self.after.order;
        let same = Condition::is_number("version", self.whole.stored.order.version.get())
            .and(Condition::is(PHASE, Phase::Open.as_str()));
        let kept = self.fulfils() || self.after.writing.large;
        let write = orders.dynamo.guarded_write();
        let write = match kept {
            true => write.put("order", order_item(&self.after)?, same),
            false => write.delete("order", &order_key(order.id), same),
        };
        let action = if self.fulfils() { OrderAction::Fulfilled } else { OrderAction::Deleted };
        let entry = OrderEntry {
            version: order.version,
            at: self.stamp.at,
            by: self.stamp.actor.clone(),
            action,
            reason: None,
            released: None,
            replacement: None,
        };
        let mut write = write.put("history", entry_item(order.id, &entry)?, Condition::Absent);
        for (state, out) in self.after.writing.out.iter().filter(|(_, out)| **out > 0) {
            let back = CapDelta { out: -i64::from(*out), remaining: (*out).into() };
            write = count(write, *state, back, self.stamp.cause.as_ref())?;
        }
        Ok(write)
    }

    fn mark(&self, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let states = self.after.writing.out.keys().copied();
        Ok(write.put_derived("unsettled", reconcile::unsettled_item(self.after.order.id, states)?))
    }

    fn with_leads(&self, mut write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let (id, stamp) = (self.after.order.id, &self.stamp);
        let (stock, action) = match self.fulfils() {
            true => (Stock::Fulfilled, Action::Fulfilled),
            false => (Stock::Unassigned, Action::Returned),
        };
        for before in &self.leads {
            let order = self.fulfils().then_some(id);
            let after = &before.lead.moved(stock, order, stamp.at, stamp.actor.clone());
            let cause = stamp.cause.as_ref();
            let one = Transition { before, after, reservation: None, action, order: id, reason: None, cause };
            write = transition_lead(write, &one)?;
        }
        if !self.fulfils() {
            for part in &self.whole.parts {
                write = write.delete_derived("part", &shard_key(id, part.number));
            }
        }
        Ok(write)
    }
}

impl Orders {
    /// The leads of some parts, as they are written.
    async fn read_stored(&self, parts: &[Shard]) -> Result<Vec<StoredLead>, StoreError> {
        let keys: Vec<_> = parts.iter().flat_map(|part| &part.leads).map(|lead| lead_key(lead.id)).collect();
        let items = self.dynamo.get_all(&keys).await?;
        items.into_iter().map(stored_lead).collect()
    }
}
