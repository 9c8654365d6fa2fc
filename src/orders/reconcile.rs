//! Completes or aborts large orders whose request was cut off. The sweeper and any request that meets one do
//! this.
//!
//! Invariants: every step can be repeated, also by several processes at once. The pending item of a large
//! order stays in one partition until everything is written, so the sweeper finds it without scanning the
//! table.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::domain::OrderStatus;
use super::items::{
    PENDING, Progress, Shard, StoredOrder, lead_update, order_item, pending_key, shard_item, shard_key,
    stored_order, worker_key,
};
use super::shards::order_and_shards;
use super::write::{CapDelta, Transition, change_cap, transition_lead};
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::values::{OrderId, UsState};
use crate::leads::domain::{Action, StoredLead};
use crate::leads::items::{history_key, lead_key, requeue, stored_lead};
use crate::reservations::{PHASE, Phase, Reconcile, ReservationState, order_key, state_of};
use crate::shared::services::Services;
use crate::store::schema::SK;
use crate::store::{Condition, Dynamo, GuardedWrite, Item, Key, Select, StoreError, from_item, to_item};

/// Shards that are written at the same time. They share only the caps, which reconciling does not change.
const CONCURRENCY: usize = 4;
/// Pending orders on one page.
const PAGE_SIZE: i32 = 100;
/// The most pages of pending orders that a request reads.
const MAX_PAGES: usize = 10;
/// The most time that the sweeper spends on one order.
const TIME_PER_ORDER: Duration = Duration::from_secs(10);

/// The result of looking for large orders that are not completely written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// There are none.
    Nothing,
    /// There are some, and their requests are still working on them.
    Running,
    /// Some had been cut off. They are now completed or aborted.
    Ended,
}

/// Why not all pending orders were completed or aborted. It is safe to try again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Some orders failed. All others were checked.
    #[error("{failed} of the large orders failed: {last}")]
    Orders {
        /// How many orders failed.
        failed: usize,
        /// The last error.
        #[source]
        last: StoreError,
    },
    /// The pending orders cannot be read.
    #[error(transparent)]
    Pending(#[from] StoreError),
}

/// Completes or aborts large orders and writes their leads.
#[derive(Clone)]
pub struct Reconciler {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
}

impl Reconciler {
    /// Creates a reconciler for the orders in the table.
    pub fn new(services: &Services) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng }
    }
}

impl Reconcile for Reconciler {
    fn reconcile_shard(&self, order: OrderId, shard: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        self.reconcile_shard(order, shard).boxed()
    }
}

impl Reconciler {
    /// Checks all pending orders once, and completes or aborts those that were cut off. The sweeper calls
    /// this every 30 seconds. The starting point is random and each order gets a few seconds, so orders that
    /// fail do not block the others.
    ///
    /// # Errors
    /// [`ReconcileError`].
    pub async fn reconcile_all(&self) -> Result<Found, ReconcileError> {
        let mut ids: Vec<OrderId> =
            self.pending_orders(usize::MAX).await?.into_iter().map(|order| order.id).collect();
        let random = usize::from(u16::from_be_bytes(self.rng.bytes()));
        let first = random.checked_rem(ids.len()).unwrap_or_default();
        ids.rotate_left(first);
        let attempts =
            ids.into_iter().map(|id| self.dynamo.within(Some(TIME_PER_ORDER), self.try_to_reconcile(id)));
        let ended: Vec<_> =
            stream::iter(attempts.collect::<Vec<_>>()).buffer_unordered(CONCURRENCY).collect().await;
        let (mut found, mut failed, mut last) = (Found::Nothing, 0, None);
        for ended in ended {
            match ended {
                Ok(ended) => found = found.max(if ended { Found::Ended } else { Found::Running }),
                Err(error) => (failed, last) = (failed + 1, Some(error)),
            }
        }
        match last {
            Some(last) => Err(ReconcileError::Orders { failed, last }),
            None => Ok(found),
        }
    }

    /// Checks the pending orders with leads of these states once, and completes or aborts those that were cut
    /// off. An order that cannot be reconciled counts as running, unless it cannot be read: this version can never end
    /// such an order, so it is useless to wait for it.
    ///
    /// # Errors
    /// [`StoreError`] if the pending orders cannot be read.
    pub(super) async fn reconcile_states(&self, states: &[UsState]) -> Result<Found, StoreError> {
        let mut found = Found::Nothing;
        for order in self.pending_orders(MAX_PAGES).await?.iter().filter(|order| order.concerns(states)) {
            found = found.max(match self.try_to_reconcile(order.id).await {
                Ok(true) => Found::Ended,
                Err(StoreError::Malformed { .. } | StoreError::OtherSchema { .. }) => Found::Nothing,
                Ok(false) | Err(_) => Found::Running,
            });
        }
        Ok(found)
    }

    /// Reconciles an order, and logs a failure.
    async fn try_to_reconcile(&self, id: OrderId) -> Result<bool, StoreError> {
        let ended = self.reconcile(id).await;
        ended.inspect_err(|error| tracing::warn!(%error, order = %id, "failed to reconcile a large order"))
    }
}

/// A large order that is not completely written.
struct PendingOrder {
    id: OrderId,
    /// The states of its leads, if they can be read. Older versions did not store them.
    states: Option<Vec<UsState>>,
}

impl PendingOrder {
    fn concerns(&self, states: &[UsState]) -> bool {
        self.states.as_ref().is_none_or(|own| own.iter().any(|state| states.contains(state)))
    }
}

/// Returns the item that marks a large order as pending.
pub(super) fn pending_item(id: OrderId, states: impl Iterator<Item = UsState>) -> Result<Item, StoreError> {
    to_item(&pending_key(id), &serde_json::json!({ "states": states.collect::<Vec<_>>() }))
}

impl Reconciler {
    /// Reads the pending orders from at most this many pages. One that cannot be read does not hide the others.
    async fn pending_orders(&self, pages: usize) -> Result<Vec<PendingOrder>, StoreError> {
        #[derive(Deserialize)]
        struct PendingItem {
            states: Option<Vec<UsState>>,
        }
        let mut pending = Vec::new();
        let mut select = Select::partition(PENDING, PAGE_SIZE);
        for _ in 0..pages {
            let page = self.dynamo.select_unconverted(&select).await?;
            let mut last = None;
            for item in page.items {
                let sort_key = item.get(SK).and_then(|sort_key| sort_key.as_s().ok());
                let id = sort_key.and_then(|sort_key| sort_key.strip_prefix("ORDER#")?.parse().ok());
                let Some(id) = id else { continue };
                let states = from_item(item).ok().and_then(|item: PendingItem| item.states);
                pending.push(PendingOrder { id, states });
                last = Some(id);
            }
            let Some(last) = last.filter(|_| page.more) else { break };
            let key = pending_key(last);
            select = select.after(&key.sk, &key);
        }
        Ok(pending)
    }

    /// Completes or aborts one order if it was cut off. Returns whether nothing is left to do.
    pub(crate) async fn reconcile(&self, id: OrderId) -> Result<bool, StoreError> {
        let Some(item) = self.dynamo.get(&order_key(id)).await? else {
            let write = self
                .dynamo
                .guarded_write()
                .check("order", &order_key(id), Condition::Absent)
                .delete_derived("pending", &pending_key(id));
            return self.write_unless_done(write).await.map(|()| true);
        };
        let stored = stored_order(item)?;
        let running = || stored.progress.deadline.is_some_and(|deadline| self.clock.now() < deadline);
        match stored.progress.phase {
            Phase::Preparing if running() => Ok(false),
            Phase::Preparing => self.abort(&stored).await.map(|()| true),
            Phase::Aborted => self.compensate(id).await.map(|()| true),
            Phase::Fulfilled | Phase::Deleted => self.apply_end(&stored).await.map(|()| true),
            Phase::Open => {
                let write = self
                    .dynamo
                    .guarded_write()
                    .check("order", &order_key(id), Condition::is(PHASE, Phase::Open.as_str()))
                    .delete_derived("pending", &pending_key(id));
                self.write_unless_done(write).await.map(|()| true)
            }
        }
    }
}

impl Reconciler {
    /// Makes a write that several processes make. The first one wins.
    async fn write_unless_done(&self, write: GuardedWrite) -> Result<(), StoreError> {
        self.dynamo.try_write(write).await.map(drop)
    }

    /// Aborts a reservation unless it has been completed. One transaction frees what it took from the caps
    /// and prevents further shards; then the leads are freed.
    pub(super) async fn abort(&self, stored: &StoredOrder) -> Result<(), StoreError> {
        let (order, progress) = (&stored.order, &stored.progress);
        let aborted = Progress { phase: Phase::Aborted, deadline: None, ..progress.clone() };
        let item = order_item(&StoredOrder { order: order.clone(), progress: aborted })?;
        let preparing = Condition::is(PHASE, Phase::Preparing.as_str());
        let mut write = self.dynamo.guarded_write().put("order", item, preparing);
        for worker in 0..progress.workers {
            write = write.delete_derived("worker", &worker_key(order.id, worker));
        }
        for given in order.given.iter().filter(|given| given.given > 0) {
            write = change_cap(write, given.state, CapDelta { out: 0, remaining: given.given.into() }, None)?;
        }
        if !self.dynamo.try_write(write).await? {
            let stored = self.dynamo.get(&order_key(order.id)).await?.map(stored_order).transpose()?;
            if stored.is_none_or(|stored| stored.progress.phase != Phase::Aborted) {
                return Ok(());
            }
        }
        self.compensate(order.id).await
    }

    /// Restores the leads of an aborted reservation, and then deletes the order.
    async fn compensate(&self, id: OrderId) -> Result<(), StoreError> {
        let (_, shards) = order_and_shards(&self.dynamo, id).await?;
        let tasks = shards.into_iter().map(|shard| self.compensate_shard(id, shard));
        stream::iter(tasks.collect::<Vec<_>>()).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        self.delete_order(id, Phase::Aborted).await
    }

    async fn delete_order(&self, id: OrderId, phase: Phase) -> Result<(), StoreError> {
        let write = self
            .dynamo
            .guarded_write()
            .delete("order", &order_key(id), Condition::is(PHASE, phase.as_str()))
            .delete_derived("pending", &pending_key(id));
        self.write_unless_done(write).await
    }

    /// Reads the leads of a shard that the order still reserves, as stored.
    async fn reserved_leads(&self, id: OrderId, shard: &Shard) -> Result<Vec<StoredLead>, StoreError> {
        let keys: Vec<Key> = shard.leads.iter().map(|lead| lead_key(lead.id)).collect();
        let leads = self.dynamo.get_all(&keys).await?.into_iter().map(stored_lead);
        let mut leads = leads.collect::<Result<Vec<_>, _>>()?;
        leads.retain(|stored| stored.reservation.is_some() && stored.lead.order_id == Some(id));
        Ok(leads)
    }

    async fn compensate_shard(&self, id: OrderId, shard: Shard) -> Result<(), StoreError> {
        let mut retries = self.dynamo.retries();
        loop {
            let mut write = self.dynamo.guarded_write().delete_derived("shard", &shard_key(id, shard.number));
            for stored in self.reserved_leads(id, &shard).await? {
                let (lead, before) = (stored.lead.clone(), stored.visible_under(&ReservationState::Pending));
                let same = Condition::is_number("version", lead.version.get())
                    .and(Condition::is("orderId", id.to_string()));
                let update = lead_update(&lead, &before, None, None)?;
                write = write
                    .update("lead", &lead_key(lead.id), &update, same)
                    .delete_derived("lead history", &history_key(lead.id, lead.version));
                write = requeue(write, None, Some(&before))?;
            }
            if self.dynamo.try_write(write).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }

    /// Writes the leads of a fulfilled or deleted large order.
    pub(super) async fn apply_end(&self, stored: &StoredOrder) -> Result<(), StoreError> {
        let id = stored.order.id;
        let (_, shards) = order_and_shards(&self.dynamo, id).await?;
        let pending = shards.into_iter().filter(|shard| !shard.reconciled);
        let tasks: Vec<_> = pending.map(|shard| self.apply_end_to_shard(stored, shard)).collect();
        stream::iter(tasks).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        if stored.progress.phase == Phase::Deleted {
            return self.delete_order(id, Phase::Deleted).await;
        }
        let write = self.dynamo.guarded_write().delete_derived("pending", &pending_key(id));
        self.write_unless_done(write).await
    }

    /// Writes the reserved leads of one shard after the order has ended, or reconciles the whole order if it
    /// has not.
    pub(crate) async fn reconcile_shard(&self, id: OrderId, number: u32) -> Result<(), StoreError> {
        let Some(item) = self.dynamo.get(&order_key(id)).await? else { return Ok(()) };
        let stored = stored_order(item)?;
        if !matches!(stored.progress.phase, Phase::Fulfilled | Phase::Deleted) {
            return self.reconcile(id).await.map(drop);
        }
        match self.dynamo.get(&shard_key(id, number)).await? {
            Some(item) => self.apply_end_to_shard(&stored, from_item(item)?).await,
            None => Ok(()),
        }
    }

    async fn apply_end_to_shard(&self, stored: &StoredOrder, shard: Shard) -> Result<(), StoreError> {
        let (order, id) = (&stored.order, stored.order.id);
        let (_, state) = state_of(order_item(stored)?)?;
        let is_fulfilled = order.status == OrderStatus::Fulfilled;
        let action = if is_fulfilled { Action::Fulfilled } else { Action::Returned };
        let mut retries = self.dynamo.retries();
        loop {
            let mut write = self.dynamo.guarded_write();
            for before in self.reserved_leads(id, &shard).await? {
                let after = before.clone().visible_under(&state);
                let one = Transition::new(&before, &after, action, id, order.cause.as_ref());
                write = transition_lead(write, one)?;
            }
            write = if is_fulfilled {
                let reconciled = Shard { reconciled: true, ..shard.clone() };
                write.put("shard", shard_item(id, &reconciled)?, Condition::Exists)
            } else {
                write.delete_derived("shard", &shard_key(id, shard.number))
            };
            if self.dynamo.try_write(write).await? {
                return Ok(());
            }
            retries.backoff().await?;
        }
    }
}
