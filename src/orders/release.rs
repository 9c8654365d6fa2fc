//! Releasing one lead of an open order, and replacing it by the next oldest of its state.
//!
//! What always holds: the released lead, its replacement, the order and the counter change in one transaction. A
//! replacement takes the place that the release leaves, so it is given only while nothing is out over the cap.

use super::close::recalled;
use super::domain::{Order, OrderRule, OrderStatus, Quantity, Release};
use super::error::OrderError;
use super::items::{Shard, ShardLead, StoredOrder, cap_key, entry_item, order_item, shard_item};
use super::store::Whole;
use super::write::{CapDelta, Transition, count, transition_lead};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Action, Lead, LeadId, Stock, StoredLead};
use crate::leads::items::{lead_key, stored_lead};
use crate::orders::Orders;
use crate::orders::domain::{OrderAction, OrderEntry, Released};
use crate::reservations::{PHASE, Phase, Reservation};
use crate::shared::audit::AuditStamp;
use crate::shared::audit::Author;
use crate::store::ledger::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, StoreError, WriteError, to_attribute};

impl Orders {
    /// Releases a lead of an open order, and replaces it by the next oldest of its state if the cap and the stock allow.
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
            let whole = self.read_whole(id).await?;
            let order = &whole.stored.order;
            if order.version != expected {
                return self.stale(&whole, idempotency).await;
            }
            if order.status == OrderStatus::Fulfilled {
                return Err(OrderError::violation(OrderRule::OnlyOpenReleases));
            }
            let place = whole.parts.iter().find_map(|part| {
                let index = part.leads.iter().position(|one| one.id == lead)?;
                Some((part.clone(), index))
            });
            let Some((part, index)) = place else {
                return Err(OrderError::violation(OrderRule::NotInOrder));
            };
            let Some(exchange) = Exchange::plan(self, &whole, part, index, self.stamp(by)).await? else {
                // It left the order since the order was read.
                retries.backoff().await?;
                continue;
            };
            let (write, made) = exchange.write(self, release)?;
            match self.dynamo.write(Idempotency::record(idempotency, write, &made)?).await {
                Ok(()) => return Ok(Done::Now(made)),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => {
                    if let Some(answer) = recalled(Idempotency::recall(idempotency, &refusal)?)? {
                        return Ok(Done::Replayed(answer));
                    }
                }
            }
            retries.backoff().await?;
        }
    }
}

/// One lead goes out of a part, and another one may come into its place.
struct Exchange<'a> {
    stored: &'a StoredOrder,
    part: Shard,
    index: usize,
    released: StoredLead,
    replacement: Option<Lead>,
    stamp: AuditStamp,
}

impl<'a> Exchange<'a> {
    async fn plan(
        orders: &Orders,
        whole: &'a Whole,
        part: Shard,
        index: usize,
        stamp: AuditStamp,
    ) -> Result<Option<Self>, OrderError> {
        let ShardLead { id, state } = part.leads[index];
        let item = orders.dynamo.get(&lead_key(id)).await?;
        let missing = || StoreError::invariant_violation("GetItem", &lead_key(id));
        let released = stored_lead(item.ok_or_else(missing)?)?;
        if released.lead.order_id != Some(whole.stored.order.id) {
            return Ok(None);
        }
        // The queue's first lead comes with the cap, also where the cap leaves no room.
        let stock = orders.read_stock(state, Some(Quantity::ONE)).await?;
        // The released lead leaves one place; none is over where the cap was lowered under what is out.
        let replacement = stock.oldest.into_iter().next().filter(|_| stock.remaining >= 0);
        if replacement.as_ref().is_some_and(|lead| lead.id == id) {
            // Somebody else released it between the two reads, and it is the oldest free one now.
            return Ok(None);
        }
        Ok(Some(Self { stored: &whole.stored, part, index, released, replacement, stamp }))
    }

    fn write(&self, orders: &Orders, release: &Release) -> Result<(GuardedWrite, Released), StoreError> {
        let (stamp, before) = (&self.stamp, &self.released);
        let (id, cause) = (self.stored.order.id, stamp.cause.as_ref());
        let state = self.part.leads[self.index].state;
        let stock = if release.reason().restocks() { Stock::Unassigned } else { Stock::Withheld };
        let released = before.lead.moved(stock, None, stamp.at, stamp.actor.clone());
        let replacement = self.replacement.as_ref();
        let taken = replacement.map(|lead| super::draft::assigned(lead, id, stamp));
        let (stored, part) = self.after();
        let entry = OrderEntry {
            version: stored.order.version,
            at: stamp.at,
            by: stamp.actor.clone(),
            action: OrderAction::Released,
            reason: Some(release.words()),
            released: Some(released.id),
            replacement: taken.as_ref().map(|lead| lead.id),
        };
        let same = Condition::is_number("version", self.stored.order.version.get())
            .and(Condition::is(PHASE, Phase::Open.as_str()));
        let mut write = orders
            .dynamo
            .guarded_write()
            .put("order", order_item(&stored)?, same)
            .put("part", shard_item(id, &part)?, Condition::Exists)
            .put("history", entry_item(id, &entry)?, Condition::Absent);
        let (after, reason) = (&released, Some(release.words()));
        let out = Transition {
            before,
            after,
            reservation: None,
            action: Action::Released,
            order: id,
            reason,
            cause,
        };
        write = transition_lead(write, &out)?;
        write = match (replacement, &taken) {
            (Some(lead), Some(after)) => {
                let reservation = self.stored.writing.large.then(|| Reservation {
                    part: part.number,
                    updated_at: lead.updated_at,
                    updated_by: lead.updated_by.clone(),
                });
                let before = &StoredLead { lead: lead.clone(), reservation: None };
                let (reservation, action) = (reservation.as_ref(), Action::Assigned);
                let one = Transition { before, after, reservation, action, order: id, reason: None, cause };
                let within = Condition::AtLeast("room", to_attribute(0)?);
                transition_lead(write, &one)?.check("cap", &cap_key(state), within)
            }
            _ => count(write, state, CapDelta { out: -1, remaining: 1 }, cause)?,
        };
        Ok((write, Released { order: stored.order, released, replacement: taken }))
    }

    /// The order and the part as they will stand.
    fn after(&self) -> (StoredOrder, Shard) {
        let (mut stored, mut part) = (self.stored.clone(), self.part.clone());
        let state = part.leads[self.index].state;
        match &self.replacement {
            Some(lead) => part.leads[self.index] = ShardLead { id: lead.id, state },
            None => {
                part.leads.remove(self.index);
                stored.order.lead_count = stored.order.lead_count.saturating_sub(1);
                if let Some(out) = stored.writing.out.get_mut(&state) {
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
        (stored, part)
    }
}
