//! The end of an order: fulfilling it, or deleting it and returning its leads to stock.
//!
//! Invariants: a small order ends together with all its leads in one transaction. A large order ends together
//! with its counters in one transaction, and from then on every reader sees its leads as ended. The
//! [reconciler](super::reconcile) then writes the leads shard by shard.

use super::domain::{Order, OrderAction, OrderDetail, OrderEntry, OrderRule, OrderStatus};
use super::error::OrderError;
use super::items::{Progress, Shard, StoredOrder, entry_item, order_item, shard_key};
use super::reconcile;
use super::store::OrderWithShards;
use super::write::{CapDelta, Transition, change_cap, transition_lead};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Action, Lead, Stock, StoredLead};
use crate::leads::items::{lead_key, stored_lead};
use crate::orders::Orders;
use crate::reservations::{PHASE, Phase, order_key};
use crate::shared::audit::{AuditStamp, Author};
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::idempotency::{refuse, replayed_answer, write_with_record};
use crate::shared::numbers::counted;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, Refusal, StoreError};

impl Orders {
    /// Fulfills an order with all its leads. Returns an order that is already fulfilled unchanged. `expected`
    /// is the version that the caller saw; without it, any version is accepted.
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
            let current = self.read_with_shards(id).await?;
            let order = &current.stored.order;
            if order.status == OrderStatus::Fulfilled {
                return match replayed_answer(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
                    Some(answer) => Ok(Done::Replayed(answer)),
                    None => Ok(Done::Now(self.detail_of(&current).await?)),
                };
            }
            if expected.is_some_and(|expected| expected != order.version) {
                return self.conflict_or_replay(&current, idempotency).await;
            }
            let end = End::read(self, current, self.stamp(by), Phase::Fulfilled).await?;
            let detail = end.detail(self).await?;
            if let Ok(done) = end.write(self, detail, None, idempotency).await? {
                return Ok(done);
            }
            retries.backoff().await?;
        }
    }

    /// Deletes an open order and returns its leads to their old place in the queue. Returns the order as it
    /// was before.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], [`OrderError::Conflict`], or [`OrderError::RuleViolation`] for a fulfilled
    /// order.
    pub async fn delete(
        &self,
        id: OrderId,
        expected: Option<Version>,
        by: &Author,
        idempotency: Option<&Idempotency<'_, Order>>,
    ) -> Result<Done<Order>, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let current = match self.read_with_shards(id).await {
                Err(error @ OrderError::NotFound(_)) => {
                    return refuse(&self.dynamo, idempotency, error).await;
                }
                current => current?,
            };
            let order = current.stored.order.clone();
            if expected.is_some_and(|expected| expected != order.version) {
                return self.conflict_or_replay(&current, idempotency).await;
            }
            if order.status == OrderStatus::Fulfilled {
                return Err(OrderError::violation(OrderRule::FulfilledStays));
            }
            let end = End::read(self, current, self.stamp(by), Phase::Deleted).await?;
            if let Ok(done) = end.write(self, order, Some(by), idempotency).await? {
                return Ok(done);
            }
            retries.backoff().await?;
        }
    }

    /// Returns the stored answer if a stale request repeats one that succeeded, and a conflict otherwise.
    pub(super) async fn conflict_or_replay<T>(
        &self,
        current: &OrderWithShards,
        idempotency: Option<&Idempotency<'_, T>>,
    ) -> Result<Done<T>, OrderError> {
        match replayed_answer(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
            Some(answer) => Ok(Done::Replayed(answer)),
            None => Err(OrderError::Conflict(Box::new(self.detail_of(current).await?))),
        }
    }
}

/// The end of an order: its state before and after.
struct End {
    current: OrderWithShards,
    after: StoredOrder,
    stamp: AuditStamp,
    /// The leads that end in the same transaction: all leads of a small order, none of a large one.
    leads: Vec<StoredLead>,
}

impl End {
    async fn read(
        orders: &Orders,
        current: OrderWithShards,
        stamp: AuditStamp,
        phase: Phase,
    ) -> Result<Self, StoreError> {
        let StoredOrder { order, progress } = current.stored.clone();
        let fulfilled = phase == Phase::Fulfilled;
        let order = Order {
            status: if fulfilled { OrderStatus::Fulfilled } else { order.status },
            version: order.version.next(),
            updated_at: stamp.at,
            updated_by: stamp.actor.clone(),
            fulfilled_at: fulfilled.then_some(stamp.at),
            cause: stamp.cause.clone(),
            ..order
        };
        let leads = if progress.large { Vec::new() } else { orders.read_stored(&current.shards).await? };
        let after = StoredOrder { order, progress: Progress { phase, ..progress } };
        Ok(Self { after, current, stamp, leads })
    }

    fn is_fulfillment(&self) -> bool {
        self.after.progress.phase == Phase::Fulfilled
    }

    /// Returns the order after the change, for the answer.
    async fn detail(&self, orders: &Orders) -> Result<OrderDetail, OrderError> {
        let (order, stamp) = (self.after.order.clone(), &self.stamp);
        let fulfilled =
            |lead: &Lead| lead.moved(Stock::Fulfilled, Some(order.id), stamp.at, stamp.actor.clone());
        if self.after.progress.large {
            let OrderDetail { leads, leads_next, .. } = orders.detail_of(&self.current).await?;
            return Ok(OrderDetail { leads: leads.iter().map(fulfilled).collect(), leads_next, order });
        }
        // The answer uses the leads that are written: an edit between two reads would make them differ.
        let leads = self.leads.iter().map(|stored| fulfilled(&stored.lead)).collect();
        Ok(OrderDetail { leads, leads_next: None, order })
    }

    /// Writes the end of the order with its idempotency record, and with an audit entry if it is deleted by an author.
    /// Returns the refusal if another request was first.
    async fn write<T>(
        &self,
        orders: &Orders,
        made: T,
        deleted_by: Option<&Author>,
        idempotency: Option<&Idempotency<'_, T>>,
    ) -> Result<Result<Done<T>, Refusal>, OrderError> {
        let large = self.current.stored.progress.large;
        let write = self.order_write(orders)?;
        let write = if large { self.with_pending_item(write)? } else { self.with_leads(write)? };
        let write = match deleted_by {
            Some(by) => write.audit_by(by, self.deletion_entry(orders, by))?,
            None => write,
        };
        let ended = write_with_record::<_, OrderError>(&orders.dynamo, write, made, idempotency).await?;
        if large
            && let Ok(Done::Now(_)) = ended
            && let Err(error) = orders.reconciler.apply_end(&self.after).await
        {
            // The order has ended even if this fails. The reconciler writes the remaining leads later.
            tracing::warn!(%error, "failed to write all leads of a large order");
        }
        Ok(ended)
    }

    fn deletion_entry(&self, orders: &Orders, by: &Author) -> AuditEntry {
        let order = &self.after.order;
        let leads = counted(order.lead_count, "lead", "leads");
        let detail = format!("Order {} deleted; its {leads} returned to stock.", order.id);
        let (by, subject) = (AuditActor::from(by), format!("Order of {}", order.customer_name));
        AuditEntry::new(&orders.rng, self.stamp.at, &by, AuditKind::Deletion, subject, detail)
            .at_path(format!("/orders/{}", order.id))
    }

    /// Writes the order, its history entry and the counters of its states.
    fn order_write(&self, orders: &Orders) -> Result<GuardedWrite, StoreError> {
        let order = &self.after.order;
        let same = Condition::is_number("version", self.current.stored.order.version.get())
            .and(Condition::is(PHASE, Phase::Open.as_str()));
        let kept = self.is_fulfillment() || self.after.progress.large;
        let write = orders.dynamo.guarded_write();
        let write = match kept {
            true => write.put("order", order_item(&self.after)?, same),
            false => write.delete("order", &order_key(order.id), same),
        };
        let action = if self.is_fulfillment() { OrderAction::Fulfilled } else { OrderAction::Deleted };
        let entry = OrderEntry::new(order.version, action, &self.stamp);
        let mut write = write.put("history", entry_item(order.id, &entry)?, Condition::Absent);
        for (state, out) in self.after.progress.out.iter().filter(|(_, out)| **out > 0) {
            let back = CapDelta { out: -i64::from(*out), remaining: (*out).into() };
            write = change_cap(write, *state, back, self.stamp.cause.as_ref())?;
        }
        Ok(write)
    }

    fn with_pending_item(&self, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let states = self.after.progress.out.keys().copied();
        Ok(write.put_derived("pending", reconcile::pending_item(self.after.order.id, states)?))
    }

    fn with_leads(&self, mut write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let (id, stamp) = (self.after.order.id, &self.stamp);
        let (stock, action) = match self.is_fulfillment() {
            true => (Stock::Fulfilled, Action::Fulfilled),
            false => (Stock::Unassigned, Action::Returned),
        };
        for before in &self.leads {
            let order = self.is_fulfillment().then_some(id);
            let after = &before.lead.moved(stock, order, stamp.at, stamp.actor.clone());
            let one = Transition::new(before, after, action, id, stamp.cause.as_ref());
            write = transition_lead(write, one)?;
        }
        if !self.is_fulfillment() {
            for shard in &self.current.shards {
                write = write.delete_derived("shard", &shard_key(id, shard.number));
            }
        }
        Ok(write)
    }
}

impl Orders {
    /// Reads the leads of some shards, as stored.
    async fn read_stored(&self, shards: &[Shard]) -> Result<Vec<StoredLead>, StoreError> {
        let keys: Vec<_> =
            shards.iter().flat_map(|shard| &shard.leads).map(|lead| lead_key(lead.id)).collect();
        let items = self.dynamo.get_all(&keys).await?;
        items.into_iter().map(stored_lead).collect()
    }
}
