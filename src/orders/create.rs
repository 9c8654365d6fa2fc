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

use super::domain::{Fingerprint, NewOrder, OrderAction, OrderDetail, OrderEntry, Plan, Preview, StateStock};
use super::draft::{OrderDraft, assigned};
use super::error::OrderError;
use super::items::{Progress, Shard, StoredOrder, entry_item, order_item, shard_item};
use super::lease::Lease;
use super::locks::Locked;
use super::reconcile::Found;
use super::write::{Transition, new_order, shard_lead, take_remaining, transition_lead};
use crate::base::values::{OrderId, UsState};
use crate::leads::domain::{Action, Lead, StoredLead};
use crate::orders::Orders;
use crate::reservations::Phase;
use crate::shared::audit::Author;
use crate::shared::idempotency::{refuse, write_with_record};
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, StoreError};

impl Orders {
    /// Returns the leads that an order would get now. Writes nothing.
    ///
    /// # Errors
    /// [`OrderError::NothingToGive`] if no state gives a lead.
    pub async fn preview(&self, new: &NewOrder) -> Result<Preview, OrderError> {
        let stocks = self.read_stocks(new.requested_states.as_slice(), new.quantity_per_state).await?;
        checked(Plan::of(&stocks, new.quantity_per_state), None).map(preview_of)
    }
}

/// Returns the plan if it gives leads, and exactly those of the confirmed preview.
fn checked(plan: Plan, confirmed: Option<&Fingerprint>) -> Result<Plan, OrderError> {
    if plan.is_empty() {
        return Err(OrderError::NothingToGive(plan.given));
    }
    if confirmed.is_some_and(|confirmed| *confirmed != plan.fingerprint()) {
        return Err(OrderError::PreviewOutdated(Box::new(preview_of(plan))));
    }
    Ok(plan)
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
        let _locked = self.lock_states(new).await;
        let states = new.requested_states.as_slice();
        let mut unfinished = UnfinishedOrders::default();
        loop {
            let stocks = self.read_stocks(states, new.quantity_per_state).await?;
            let plan = Plan::of(&stocks, new.quantity_per_state);
            if self.must_read_again(states, &stocks, &plan, &mut unfinished).await? {
                if !unfinished.none_left {
                    retries.backoff().await?;
                }
                continue;
            }
            let plan = match checked(plan, confirmed) {
                Ok(plan) => plan,
                // A repeated request may have taken the missing leads itself.
                Err(error) => return refuse(&self.dynamo, idempotency, error).await,
            };
            let (stamp, held) = (self.stamp(by), lease.as_ref());
            let (stocks, plan, stamp, confirmed) = (&stocks[..], &plan, &stamp, confirmed.is_some());
            let draft = OrderDraft { new, confirmed, stocks, plan, stamp, idempotency, lease: held };
            if let Some(done) = create_or_reserve(self, &draft).await? {
                if let Done::Now(_) = done {
                    // The transaction released the lease.
                    *lease = None;
                }
                return Ok(done);
            }
            retries.backoff().await?;
            if lease.is_none() {
                *lease = self.acquire_lease(plan).await?;
            }
        }
    }

    /// Waits for the lease on the first state, by code, that gives leads. Returns `None` if it was not available in
    /// time.
    async fn acquire_lease(&self, plan: &Plan) -> Result<Option<Lease>, StoreError> {
        match plan.giving().map(|given| given.state).min() {
            Some(state) => Lease::acquire(self, state).await,
            None => Ok(None),
        }
    }

    /// Locks the states of a small order, if orders in this process wait for each other.
    async fn lock_states(&self, new: &NewOrder) -> Option<Locked> {
        self.state_locks.as_ref()?.lock(&self.dynamo, new).await
    }
}

/// What an order knows about unfinished orders. Their leads are not in the queue.
#[derive(Default)]
struct UnfinishedOrders {
    has_checked: bool,
    /// Whether there were none before the stock was read.
    none_left: bool,
}

impl Orders {
    /// Reconciles unfinished orders if this order gets too few leads. Returns whether the stock must be read again. An
    /// order that gets no leads waits until all others are finished.
    async fn must_read_again(
        &self,
        states: &[UsState],
        stocks: &[StateStock],
        plan: &Plan,
        unfinished: &mut UnfinishedOrders,
    ) -> Result<bool, OrderError> {
        let mut given = plan.given.iter().zip(stocks);
        let is_short = given.any(|(given, stock)| given.given < stock.most(given.asked));
        let must_check = (is_short && !unfinished.has_checked) || (plan.is_empty() && !unfinished.none_left);
        if !must_check {
            return Ok(false);
        }
        let found = self.reconciler.reconcile_states(states).await?;
        let is_first = !unfinished.has_checked;
        *unfinished = UnfinishedOrders { has_checked: true, none_left: found == Found::Nothing };
        Ok(plan.is_empty() || (found == Found::Ended && is_first))
    }
}

/// Tries once to create the order. Returns `None` if another request took a lead or part of a cap first. Then nothing
/// was written.
fn create_or_reserve<'a>(
    orders: &'a Orders,
    draft: &'a OrderDraft<'a>,
) -> BoxFuture<'a, Result<Option<Done<OrderDetail>>, OrderError>> {
    // The order, its shard, its history entry, the idempotency record and the lease; one cap per state; three
    // actions per lead.
    if 5 + draft.plan.giving().count() + 3 * draft.plan.leads.len() <= GuardedWrite::MAX_ACTIONS {
        Box::pin(orders.create_in_one_transaction(draft))
    } else {
        Box::pin(orders.reserve(draft))
    }
}

impl Orders {
    async fn create_in_one_transaction(
        &self,
        draft: &OrderDraft<'_>,
    ) -> Result<Option<Done<OrderDetail>>, OrderError> {
        let detail = detail(OrderId::new(draft.stamp.at, &self.rng.bytes()), draft);
        let write = self.creation(draft, &detail)?;
        Ok(write_with_record::<_, OrderError>(&self.dynamo, write, detail, draft.idempotency).await?.ok())
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
        let out = draft.plan.giving().map(|given| (given.state, given.given)).collect();
        let progress = Progress { phase: Phase::Open, large: false, out, workers: 0, deadline: None };
        let shard = Shard {
            number: 0,
            leads: detail.leads.iter().filter_map(shard_lead).collect(),
            reconciled: false,
        };
        let stored = StoredOrder { order: order.clone(), progress };
        let entry = OrderEntry::new(order.version, OrderAction::Created, draft.stamp);
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
        for (given, stock) in draft.giving_stocks() {
            write = take_remaining(write, stock, given, true, cause)?;
        }
        for (before, after) in draft.plan.leads.iter().zip(&detail.leads) {
            let before = &StoredLead::free(before.clone());
            write =
                transition_lead(write, Transition::new(before, after, Action::Assigned, order.id, cause))?;
        }
        Ok(write)
    }
}
