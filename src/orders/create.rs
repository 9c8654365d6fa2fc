//! Creating an order: the oldest free leads of each state, as many as were asked for, as the cap leaves, and as there
//! are.
//!
//! What always holds: an order that one transaction can write is one transaction; a larger one is [reserved](super::reserve)
//! in several. Whoever finds a lead or the cap's room taken meanwhile reads the queue again and goes on, so that
//! nobody is refused while there is something to give.
//!
//! **Arithmetic.** All orders on one state change one item, its cap; that is what makes the cap exact. On DynamoDB two
//! transactions on one item conflict, and a partition takes 1,000 write units a second: with some 20 ms a transaction one
//! state takes about 50 orders a second, whatever their size, and other states take theirs beside it. An order for one
//! state costs one query, a read of the statistics and one transaction, or two transactions from 32 leads on.

use futures_util::future::BoxFuture;

use super::domain::{Fingerprint, NewOrder, Plan};
use super::draft::{OrderDraft, Outcome, assigned, entry_of_creation};
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
use crate::store::ledger::{Done, Idempotency, Lookup};
use crate::store::{Condition, GuardedWrite, StoreError, WriteError};

impl Orders {
    /// Which leads an order would be given now. Writes nothing.
    ///
    /// # Errors
    /// [`OrderError::NothingToGive`] if no state gives one.
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
    /// Creates an order with the oldest free leads, or with exactly the leads of a preview.
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
            && let Err(error) = lease.leave(self).await
        {
            // It ends by itself soon; what the order came to stands.
            tracing::warn!(%error, "a turn was not passed on");
        }
        done
    }

    /// Tries until the order is there or is refused; `lease` is what it holds of a queue at the end.
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
        // Whether unfinished orders were looked for, and whether there were none before the stock was read.
        let (mut has_looked, mut none_unfinished) = (false, false);
        loop {
            let stocks = self.read_stocks(states, new.quantity_per_state).await?;
            let plan = Plan::of(&stocks, new.quantity_per_state);
            let short =
                plan.given.iter().zip(&stocks).any(|(given, stock)| given.given < stock.most(given.asked));
            // Leads of an unfinished order are not in the queue: an order that misses leads settles it first, and one that finds
            // none at all waits for those that are being released.
            if (short && !has_looked) || (plan.is_empty() && !none_unfinished) {
                let found = self.reconciler.reconcile_states(states).await?;
                none_unfinished = found == reconcile::Found::Nothing;
                let read_again = plan.is_empty() || (found == reconcile::Found::Settled && !has_looked);
                has_looked = true;
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
            match make(self, &draft).await? {
                Outcome::Made(detail) => {
                    // It passed the turn on.
                    *lease = None;
                    return Ok(Done::Now(*detail));
                }
                Outcome::Replayed(answer) => return Ok(Done::Replayed(answer)),
                Outcome::Lost => retries.backoff().await?,
            }
            let contended = plan.given.iter().filter(|given| given.given > 0).map(|given| given.state).min();
            if let (None, Some(state)) = (&lease, contended) {
                *lease = Lease::take(self, state).await?;
            }
        }
    }
}

fn make<'a>(orders: &'a Orders, draft: &'a OrderDraft<'a>) -> BoxFuture<'a, Result<Outcome, OrderError>> {
    let states = draft.plan.given.iter().filter(|given| given.given > 0).count();
    // The order, its part, its history, the ledger and the turn; a cap for each state; three for each lead.
    if 5 + states + 3 * draft.plan.leads.len() <= GuardedWrite::MAX_ACTIONS {
        Box::pin(orders.at_once(draft))
    } else {
        Box::pin(orders.reserve(draft))
    }
}

impl Orders {
    /// A request that is refused may be the repetition of one that took what is now missing.
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

    /// The order in one transaction.
    async fn at_once(&self, draft: &OrderDraft<'_>) -> Result<Outcome, OrderError> {
        let id = OrderId::new(draft.stamp.at, &self.rng.bytes());
        let detail = detail(id, draft);
        let write = Idempotency::record(draft.idempotency, self.creation(draft, &detail)?, &detail)?;
        match self.dynamo.write(write).await {
            Ok(()) => Ok(Outcome::Made(Box::new(detail))),
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
        let writing =
            Progress { stage: Phase::Open, large: false, out: out.collect(), workers: 0, deadline: None };
        let part =
            Shard { number: 0, leads: detail.leads.iter().filter_map(shard_lead).collect(), settled: false };
        let stored = StoredOrder { order: order.clone(), writing };
        let entry = entry_of_creation(draft.stamp, order.version);
        let mut write = self
            .dynamo
            .guarded_write()
            .put("order", order_item(&stored)?, Condition::Absent)
            .put("part", shard_item(order.id, &part)?, Condition::Absent)
            .put("history", entry_item(order.id, &entry)?, Condition::Absent);
        if let Some(lease) = draft.lease {
            write = lease.pass(write);
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
