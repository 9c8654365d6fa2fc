//! Creation of orders. An order gets the oldest free leads of each state: as many as were requested, as the
//! cap allows, and as are in stock.
//!
//! Invariants: an order that fits into one transaction is written in one; a larger order is
//! [reserved](super::reserve) in several. If another request takes a lead or part of a cap, the order reads
//! the queue again and retries, so no order is refused while leads are available.
//!
//! **Throughput.** All orders for one state change one item, its cap, which keeps the cap exact. On DynamoDB,
//! two transactions on one item conflict, and a partition takes 1,000 write units per second. At about 20 ms
//! per transaction, one state takes about 50 orders per second of any size, and states do not slow each other
//! down. An order for one state costs one query, one read of the statistics and one transaction, or two
//! transactions from 32 leads on.

use futures_util::future::BoxFuture;

use super::domain::{Fingerprint, NewOrder, Plan};
use super::draft::{OrderDraft, Outcome, assigned, creation_entry};
use super::error::OrderError;
use super::items::{Progress, Shard, StoredOrder, entry_item, order_item, shard_item};
use super::lease::Lease;
use super::reconcile;
use super::write::{Transition, new_order, shard_lead, take_remaining, transition_lead};
use crate::base::values::OrderId;
use crate::leads::domain::{Action, Lead, StoredLead};
use crate::orders::Orders;
use crate::orders::domain::{OrderDetail, Preview};
use crate::reservations::Phase;
use crate::shared::audit::Author;
use crate::store::idempotency::{Done, Idempotency, Lookup};
use crate::store::{Condition, GuardedWrite, StoreError, WriteError};

impl Orders {
    /// Returns the leads that an order would get now. Writes nothing.
    ///
    /// # Errors
    /// [`OrderError::NothingToGive`] if no state gives a lead.
    pub async fn preview(&self, new: &NewOrder) -> Result<Preview, OrderError> {
        let stocks = self.read_stocks(new.requested_states.as_slice(), new.quantity_per_state).await?;
        let plan = Plan::of(&stocks, new.quantity_per_state);
        if plan.is_empty() { Err(OrderError::NothingToGive(plan.given)) } else { Ok(preview_of(plan)) }
    }
}

fn preview_of(mut plan: Plan) -> Preview {
    let (fingerprint, lead_count) = (plan.fingerprint(), plan.leads.len());
    plan.leads.truncate(OrderDetail::MOST_LEADS);
    Preview { fingerprint, given: plan.given, lead_count, leads: plan.leads }
}

impl Orders {
    /// Creates an order with the oldest free leads, or with exactly the leads of a confirmed preview.
    ///
    /// # Errors
    /// [`OrderError::NothingToGive`], [`OrderError::PreviewOutdated`], [`OrderError::Contention`].
    pub async fn create(
        &self,
        new: &NewOrder,
        confirmed: Option<&Fingerprint>,
        by: &Author,
        idempotency: Option<&Idempotency<'_, OrderDetail>>,
    ) -> Result<Done<OrderDetail>, OrderError> {
        let mut lease = None;
        let done = self.try_to_create(new, confirmed, by, idempotency, &mut lease).await;
        if let Some(lease) = lease
            && let Err(error) = lease.release(self).await
        {
            // The lease expires soon, and the result of the order does not depend on it.
            tracing::warn!(%error, "failed to release a lease");
        }
        done
    }

    /// Tries until the order is created or refused. Leaves a lease that is still held in `lease`.
    async fn try_to_create(
        &self,
        new: &NewOrder,
        confirmed: Option<&Fingerprint>,
        by: &Author,
        idempotency: Option<&Idempotency<'_, OrderDetail>>,
        lease: &mut Option<Lease>,
    ) -> Result<Done<OrderDetail>, OrderError> {
        let mut retries = self.dynamo.retries();
        let _locked = match &self.state_locks {
            Some(locks) => locks.lock(&self.dynamo, new).await,
            None => None,
        };
        let states = new.requested_states.as_slice();
        // `has_checked`: unfinished orders were looked for. `none_unfinished`: there were none before the
        // stock was read.
        let (mut has_checked, mut none_unfinished) = (false, false);
        loop {
            let stocks = self.read_stocks(states, new.quantity_per_state).await?;
            let plan = Plan::of(&stocks, new.quantity_per_state);
            let is_short =
                plan.given.iter().zip(&stocks).any(|(given, stock)| given.given < stock.most(given.asked));
            // The leads of an unfinished order are not in the queue. An order that gets too few leads
            // reconciles unfinished orders first, and an order that gets none waits until they are finished.
            if (is_short && !has_checked) || (plan.is_empty() && !none_unfinished) {
                let found = self.reconciler.reconcile_states(states).await?;
                none_unfinished = found == reconcile::Found::Nothing;
                let read_again = plan.is_empty() || (found == reconcile::Found::Ended && !has_checked);
                has_checked = true;
                if read_again {
                    if !none_unfinished {
                        retries.backoff().await?;
                    }
                    continue;
                }
            }
            if plan.is_empty() {
                return self.creation_refused(idempotency, OrderError::NothingToGive(plan.given)).await;
            }
            if confirmed.is_some_and(|confirmed| *confirmed != plan.fingerprint()) {
                return self
                    .creation_refused(idempotency, OrderError::PreviewOutdated(Box::new(preview_of(plan))))
                    .await;
            }
            let stamp = self.stamp(by);
            let (stocks, plan, confirmed) = (&stocks[..], &plan, confirmed.is_some());
            let draft = OrderDraft {
                new,
                confirmed,
                stocks,
                plan,
                stamp: &stamp,
                idempotency,
                lease: lease.as_ref(),
            };
            match attempt(self, &draft).await? {
                Outcome::Created(detail) => {
                    // The transaction released the lease.
                    *lease = None;
                    return Ok(Done::Now(*detail));
                }
                Outcome::Replayed(answer) => return Ok(Done::Replayed(answer)),
                Outcome::Lost => retries.backoff().await?,
            }
            let contended_state =
                plan.given.iter().filter(|given| given.given > 0).map(|given| given.state).min();
            if let (None, Some(state)) = (&lease, contended_state) {
                *lease = Lease::acquire(self, state).await?;
            }
        }
    }
}

fn attempt<'a>(orders: &'a Orders, draft: &'a OrderDraft<'a>) -> BoxFuture<'a, Result<Outcome, OrderError>> {
    let states = draft.plan.given.iter().filter(|given| given.given > 0).count();
    // The order, its shard, its history entry, the idempotency record and the lease; one cap per state; three
    // actions per lead.
    if 5 + states + 3 * draft.plan.leads.len() <= GuardedWrite::MAX_ACTIONS {
        Box::pin(orders.create_in_one_transaction(draft))
    } else {
        Box::pin(orders.reserve(draft))
    }
}

impl Orders {
    /// Returns the stored answer if a refused request repeats one that took the missing leads.
    async fn creation_refused(
        &self,
        idempotency: Option<&Idempotency<'_, OrderDetail>>,
        error: OrderError,
    ) -> Result<Done<OrderDetail>, OrderError> {
        match Idempotency::look_up(idempotency, &self.dynamo).await? {
            Lookup::Same(answer) => Ok(Done::Replayed(answer)),
            Lookup::Other => Err(OrderError::KeyOfAnotherRequest),
            Lookup::Nothing => Err(error),
        }
    }

    /// Creates the order in one transaction.
    async fn create_in_one_transaction(&self, draft: &OrderDraft<'_>) -> Result<Outcome, OrderError> {
        let id = OrderId::new(draft.stamp.at, &self.rng.bytes());
        let detail = detail(id, draft);
        let write = Idempotency::record(draft.idempotency, self.creation(draft, &detail)?, &detail)?;
        match self.dynamo.write(write).await {
            Ok(()) => Ok(Outcome::Created(Box::new(detail))),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) => match Idempotency::recall(draft.idempotency, &refusal)? {
                Lookup::Same(answer) => Ok(Outcome::Replayed(answer)),
                Lookup::Other => Err(OrderError::KeyOfAnotherRequest),
                Lookup::Nothing => Ok(Outcome::Lost),
            },
        }
    }
}

fn detail(id: OrderId, draft: &OrderDraft<'_>) -> OrderDetail {
    let given = |lead: &Lead| assigned(lead, id, draft.stamp);
    OrderDetail {
        order: new_order(id, draft.new, draft.plan, draft.stamp),
        leads: draft.plan.leads.iter().map(given).collect(),
        leads_next: None,
    }
}

impl Orders {
    fn creation(&self, draft: &OrderDraft<'_>, detail: &OrderDetail) -> Result<GuardedWrite, StoreError> {
        let order = &detail.order;
        let out =
            draft.plan.given.iter().filter(|given| given.given > 0).map(|given| (given.state, given.given));
        let progress =
            Progress { stage: Phase::Open, large: false, out: out.collect(), workers: 0, deadline: None };
        let shard =
            Shard { number: 0, leads: detail.leads.iter().filter_map(shard_lead).collect(), settled: false };
        let stored = StoredOrder { order: order.clone(), progress };
        let entry = creation_entry(draft.stamp, order.version);
        let mut write = self
            .dynamo
            .guarded_write()
            .put("order", order_item(&stored)?, Condition::Absent)
            .put("shard", shard_item(order.id, &shard)?, Condition::Absent)
            .put("history", entry_item(order.id, &entry)?, Condition::Absent);
        if let Some(lease) = draft.lease {
            write = lease.release_in(write);
        }
        let cause = draft.stamp.cause.as_ref();
        for (given, stock) in draft.plan.given.iter().zip(draft.stocks).filter(|(given, _)| given.given > 0) {
            write = take_remaining(write, stock, given.given, true, cause)?;
        }
        for (before, after) in draft.plan.leads.iter().zip(&detail.leads) {
            let before = &StoredLead { lead: before.clone(), reservation: None };
            let (order, action) = (order.id, Action::Assigned);
            let one = Transition { before, after, reservation: None, action, order, reason: None, cause };
            write = transition_lead(write, &one)?;
        }
        Ok(write)
    }
}
