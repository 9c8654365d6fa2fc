//! Releases one lead of an open order and replaces it with the next oldest lead of its state.
//!
//! Invariants: the released lead, its replacement, the order and the counter change in one transaction. While more
//! leads of the state are out than its cap allows, the released lead is not replaced.

use super::domain::{Order, OrderAction, OrderEntry, OrderRule, OrderStatus, Quantity, Release, Released};
use super::draft::{assigned, reservation_of};
use super::error::OrderError;
use super::items::{Shard, ShardLead, StoredOrder, cap_key, entry_item, order_item, shard_item};
use super::store::OrderWithShards;
use super::write::{CapDelta, Transition, change_cap, transition_lead};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Action, Lead, LeadId, Stock, StoredLead};
use crate::leads::items::{lead_key, stored_lead};
use crate::orders::Orders;
use crate::reservations::{PHASE, Phase};
use crate::shared::audit::{AuditStamp, Author};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, StoreError, to_attribute};

impl Orders {
    /// Releases a lead of an open order. Replaces it with the next oldest lead of its state if the cap and
    /// the stock allow it.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], [`OrderError::Conflict`], [`OrderError::RuleViolation`].
    pub async fn release(
        &self,
        id: OrderId,
        lead: LeadId,
        expected: Version,
        release: &Release,
        by: &Author,
        idempotency: Option<&Idempotency<'_, Released>>,
    ) -> Result<Done<Released>, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let current = self.read_with_shards(id).await?;
            let order = &current.stored.order;
            if order.version != expected {
                return self.conflict_or_replay(&current, idempotency).await;
            }
            if order.status == OrderStatus::Fulfilled {
                return Err(OrderError::violation(OrderRule::OnlyOpenReleases));
            }
            let Some((shard, index)) = current.place_of(lead) else {
                return Err(OrderError::violation(OrderRule::NotInOrder));
            };
            let Some(exchange) = Exchange::plan(self, &current, shard, index, self.stamp(by)).await? else {
                // The lead left the order after the order was read.
                retries.backoff().await?;
                continue;
            };
            let (write, made) = exchange.write(self, release)?;
            if let Ok(done) =
                write_with_record::<_, OrderError>(&self.dynamo, write, made, idempotency).await?
            {
                return Ok(done);
            }
            retries.backoff().await?;
        }
    }
}

/// The release of one lead from a shard, with an optional replacement.
struct Exchange<'a> {
    stored: &'a StoredOrder,
    shard: Shard,
    index: usize,
    released: StoredLead,
    replacement: Option<Lead>,
    stamp: AuditStamp,
}

impl<'a> Exchange<'a> {
    async fn plan(
        orders: &Orders,
        current: &'a OrderWithShards,
        shard: Shard,
        index: usize,
        stamp: AuditStamp,
    ) -> Result<Option<Self>, OrderError> {
        let ShardLead { id, state } = shard.leads[index];
        let item = orders.dynamo.get(&lead_key(id)).await?;
        let missing = || StoreError::invariant_violation("GetItem", &lead_key(id));
        let released = stored_lead(item.ok_or_else(missing)?)?;
        if released.lead.order_id != Some(current.stored.order.id) {
            return Ok(None);
        }
        // This read returns the cap and the first lead of the queue, even if the cap is reached.
        let stock = orders.read_stock(state, Some(Quantity::ONE)).await?;
        // The release frees one place, unless the cap was lowered below the number of leads that are out.
        let replacement = stock.oldest.into_iter().next().filter(|_| stock.remaining >= 0);
        if replacement.as_ref().is_some_and(|lead| lead.id == id) {
            // Another request released the lead between the two reads, and it is now the oldest free one.
            return Ok(None);
        }
        Ok(Some(Self { stored: &current.stored, shard, index, released, replacement, stamp }))
    }

    fn write(&self, orders: &Orders, release: &Release) -> Result<(GuardedWrite, Released), StoreError> {
        let (stamp, before) = (&self.stamp, &self.released);
        let (id, cause) = (self.stored.order.id, stamp.cause.as_ref());
        let state = self.shard.leads[self.index].state;
        let stock = if release.reason().restocks() { Stock::Unassigned } else { Stock::Withheld };
        let released = before.lead.moved(stock, None, stamp.at, stamp.actor.clone());
        let replacement = self.replacement.as_ref();
        let taken = replacement.map(|lead| assigned(lead, id, stamp));
        let (stored, shard) = self.after();
        let entry = OrderEntry {
            reason: Some(release.words()),
            released: Some(released.id),
            replacement: taken.as_ref().map(|lead| lead.id),
            ..OrderEntry::new(stored.order.version, OrderAction::Released, stamp)
        };
        let same = Condition::is_number("version", self.stored.order.version.get())
            .and(Condition::is(PHASE, Phase::Open.as_str()));
        let mut write = orders
            .dynamo
            .guarded_write()
            .put("order", order_item(&stored)?, same)
            .put("shard", shard_item(id, &shard)?, Condition::Exists)
            .put("history", entry_item(id, &entry)?, Condition::Absent);
        let out = Transition::new(before, &released, Action::Released, id, cause);
        write = transition_lead(write, Transition { reason: Some(release.words()), ..out })?;
        write = match (replacement, &taken) {
            (Some(lead), Some(after)) => {
                let reservation = self.stored.progress.large.then(|| reservation_of(lead, shard.number));
                let before = StoredLead::free(lead.clone());
                let one = Transition::new(&before, after, Action::Assigned, id, cause);
                let one = Transition { reservation: reservation.as_ref(), ..one };
                let within = Condition::AtLeast("room", to_attribute(0)?);
                transition_lead(write, one)?.check("cap", &cap_key(state), within)
            }
            _ => change_cap(write, state, CapDelta { out: -1, remaining: 1 }, cause)?,
        };
        Ok((write, Released { order: stored.order, released, replacement: taken }))
    }

    /// Returns the order and the shard after the release.
    fn after(&self) -> (StoredOrder, Shard) {
        let (mut stored, mut shard) = (self.stored.clone(), self.shard.clone());
        let state = shard.leads[self.index].state;
        match &self.replacement {
            Some(lead) => shard.leads[self.index] = ShardLead { id: lead.id, state },
            None => {
                shard.leads.remove(self.index);
                stored.order.lead_count = stored.order.lead_count.saturating_sub(1);
                if let Some(out) = stored.progress.out.get_mut(&state) {
                    *out = out.saturating_sub(1);
                }
            }
        }
        stored.order = Order {
            version: stored.order.version.next(),
            updated_at: self.stamp.at,
            updated_by: self.stamp.actor.clone(),
            cause: self.stamp.cause.clone(),
            ..stored.order
        };
        (stored, shard)
    }
}
