//! Large orders that were cut off: whoever meets one, and the sweeper, completes it or gives it back.
//!
//! What always holds: every step can be repeated, by several at once; a large order that is being written stands in one
//! partition until nothing of it is left to write, so that the sweeper finds it without looking through the table.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::domain::OrderStatus;
use super::items::{
    Progress, SHARDS, Shard, StoredOrder, UNSETTLED, is_shard, lead_update, order_item, shard_item,
    shard_key, stored_order, unsettled_key, worker_key,
};
use super::write::{CapDelta, Transition, count, transition_lead};
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::values::{OrderId, UsState};
use crate::leads::domain::{Action, StoredLead};
use crate::leads::items::{history_key, lead_key, requeue, stored_lead};
use crate::reservations::{ORDER, PHASE, Phase, Reconcile, ReservationState, order_key, state_of};
use crate::shared::services::Services;
use crate::store::{Condition, Dynamo, Item, Key, Select, StoreError, WriteError, from_item, to_item};

/// Parts that are written at the same time: they share no item but caps, which settling does not touch.
const AT_ONCE: usize = 4;
/// Large orders that are being written, on one page.
const AT_A_LOOK: i32 = 100;
/// Pages of them that a request looks at.
const MOST_PAGES: usize = 10;
/// How long the sweeper takes for one order at the most.
const TIME_FOR_ONE: Duration = Duration::from_secs(10);
/// What a look at the large orders that are being written found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// None.
    Nothing,
    /// Some, whose requests are still at it.
    Running,
    /// Some that were cut off, and are settled now.
    Settled,
}

/// Completes or aborts large orders, and writes their leads.
#[derive(Clone)]
pub struct Reconciler {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
}

impl Reconciler {
    /// A reconciler of the orders in a table.
    pub fn new(services: &Services) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng }
    }
}

impl Reconcile for Reconciler {
    fn reconcile_part(&self, order: OrderId, part: u32) -> BoxFuture<'_, Result<(), StoreError>> {
        self.reconcile_part(order, part).boxed()
    }
}

impl Reconciler {
    /// Looks once at all large orders that are being written, and settles those that were cut off. The sweeper calls it every
    /// half minute. They are taken in another order each time and have a few seconds each, so that those that cannot be
    /// settled keep none of the others back.
    ///
    /// # Errors
    /// [`StoreError`] of any of them; doing it again is safe.
    pub async fn reconcile_all(&self) -> Result<Found, StoreError> {
        let mut ids: Vec<OrderId> =
            self.unsettled_orders(usize::MAX).await?.into_iter().map(|mark| mark.id).collect();
        let random = usize::from(u16::from_be_bytes(self.rng.bytes()));
        let first = random.checked_rem(ids.len()).unwrap_or_default();
        ids.rotate_left(first);
        let settling = ids.into_iter().map(|id| self.dynamo.within(Some(TIME_FOR_ONE), self.reconcile(id)));
        let settled: Vec<_> =
            stream::iter(settling.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
        let (mut found, mut failure) = (Found::Nothing, None);
        for settled in settled {
            match settled {
                Ok(settled) => found = found.max(if settled { Found::Settled } else { Found::Running }),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(found), Err)
    }

    /// Looks once at the large orders that are being written and have leads of these states, and settles those that were cut
    /// off. One that cannot be settled counts as running.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be looked for.
    pub(super) async fn reconcile_states(&self, states: &[UsState]) -> Result<Found, StoreError> {
        let mut found = Found::Nothing;
        for mark in self.unsettled_orders(MOST_PAGES).await?.iter().filter(|mark| mark.concerns(states)) {
            let settled = self.reconcile(mark.id).await.unwrap_or_else(|error| {
                tracing::warn!(%error, order = %mark.id, "a large order was not settled");
                false
            });
            found = found.max(if settled { Found::Settled } else { Found::Running });
        }
        Ok(found)
    }
}

/// What the table says of a large order that is being written.
struct Checkpoint {
    id: OrderId,
    /// The states of its leads. Versions before did not write them.
    states: Option<Vec<UsState>>,
}

impl Checkpoint {
    fn concerns(&self, states: &[UsState]) -> bool {
        self.states.as_ref().is_none_or(|own| own.iter().any(|state| states.contains(state)))
    }
}

/// The item that marks a large order as being written.
pub(super) fn unsettled_item(id: OrderId, states: impl Iterator<Item = UsState>) -> Result<Item, StoreError> {
    to_item(&unsettled_key(id), &serde_json::json!({ "states": states.collect::<Vec<_>>() }))
}

impl Reconciler {
    /// The large orders that are being written, on so many pages at the most.
    async fn unsettled_orders(&self, pages: usize) -> Result<Vec<Checkpoint>, StoreError> {
        #[derive(Deserialize)]
        struct MarkItem {
            sk: String,
            states: Option<Vec<UsState>>,
        }
        let mut marks = Vec::new();
        let mut select = Select::partition(UNSETTLED, AT_A_LOOK);
        for _ in 0..pages {
            let page = self.dynamo.select(&select).await?;
            let mut last = None;
            for item in page.items {
                let MarkItem { sk, states } = from_item(item)?;
                let Some(id) = sk.strip_prefix("ORDER#").and_then(|id| id.parse().ok()) else { continue };
                marks.push(Checkpoint { id, states });
                last = Some(id);
            }
            let Some(last) = last.filter(|_| page.more) else { break };
            let key = unsettled_key(last);
            select = select.after(&key.sk, &key);
        }
        Ok(marks)
    }

    /// Settles one order if it was cut off; says whether nothing is left to do.
    pub(crate) async fn reconcile(&self, id: OrderId) -> Result<bool, StoreError> {
        let Some(item) = self.dynamo.get(&order_key(id)).await? else {
            let write = self
                .dynamo
                .guarded_write()
                .check("order", &order_key(id), Condition::Absent)
                .delete_derived("unsettled", &unsettled_key(id));
            return ignore_conflict(self.dynamo.write(write).await);
        };
        let stored = stored_order(item)?;
        match stored.writing.stage {
            Phase::Preparing
                if stored.writing.deadline.is_some_and(|deadline| self.clock.now() < deadline) =>
            {
                Ok(false)
            }
            Phase::Preparing => self.abort(&stored).await.map(|()| true),
            Phase::Aborted => self.compensate(id).await.map(|()| true),
            Phase::Fulfilled | Phase::Deleted => self.apply_end(&stored).await.map(|()| true),
            Phase::Open => {
                let write = self
                    .dynamo
                    .guarded_write()
                    .check("order", &order_key(id), Condition::is(PHASE, Phase::Open.as_str()))
                    .delete_derived("unsettled", &unsettled_key(id));
                ignore_conflict(self.dynamo.write(write).await)
            }
        }
    }
}

/// A write that several do at once: whoever is refused finds it done.
fn ignore_conflict(written: Result<(), WriteError>) -> Result<bool, StoreError> {
    match written {
        Ok(()) | Err(WriteError::Refused(_)) => Ok(true),
        Err(WriteError::Store(error)) => Err(error),
    }
}

impl Reconciler {
    /// Gives a reservation up, if it was not completed meanwhile: in one transaction no part can be added any more and the
    /// room under the caps is free; then the leads go back.
    pub(super) async fn abort(&self, stored: &StoredOrder) -> Result<(), StoreError> {
        let (order, writing) = (&stored.order, &stored.writing);
        let aborted = Progress { stage: Phase::Aborted, deadline: None, ..writing.clone() };
        let item = order_item(&StoredOrder { order: order.clone(), writing: aborted })?;
        let preparing = Condition::is(PHASE, Phase::Preparing.as_str());
        let mut write = self.dynamo.guarded_write().put("order", item, preparing);
        for worker in 0..writing.workers {
            write = write.delete_derived("lane", &worker_key(order.id, worker));
        }
        for given in order.given.iter().filter(|given| given.given > 0) {
            write = count(write, given.state, CapDelta { out: 0, remaining: given.given.into() }, None)?;
        }
        match self.dynamo.write(write).await {
            Ok(()) => self.compensate(order.id).await,
            Err(WriteError::Store(error)) => Err(error),
            Err(WriteError::Refused(_)) => match self.dynamo.get(&order_key(order.id)).await? {
                Some(item) if stored_order(item.clone())?.writing.stage == Phase::Aborted => {
                    self.compensate(order.id).await
                }
                _ => Ok(()),
            },
        }
    }

    /// Makes the leads of a reservation that was given up what they were, and then forgets the order.
    async fn compensate(&self, id: OrderId) -> Result<(), StoreError> {
        let parts = self.shards_of(id).await?;
        let works = parts.into_iter().map(|part| self.compensate_shard(id, part));
        stream::iter(works.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        self.forget(id, Phase::Aborted).await
    }

    async fn forget(&self, id: OrderId, stage: Phase) -> Result<(), StoreError> {
        let write = self
            .dynamo
            .guarded_write()
            .delete("order", &order_key(id), Condition::is(PHASE, stage.as_str()))
            .delete_derived("unsettled", &unsettled_key(id));
        ignore_conflict(self.dynamo.write(write).await).map(drop)
    }

    /// All parts of an order.
    pub(super) async fn shards_of(&self, id: OrderId) -> Result<Vec<Shard>, StoreError> {
        let (pk, mut first) = (order_key(id).pk, SHARDS.to_owned());
        let mut parts = Vec::new();
        loop {
            let page = self.dynamo.select(&Select::partition(&*pk, 1_000).between(&*first, ORDER)).await?;
            let more = page.more;
            for item in page.items.into_iter().filter(is_shard) {
                let part: Shard = from_item(item)?;
                first = shard_key(id, part.number + 1).sk;
                parts.push(part);
            }
            if !more {
                return Ok(parts);
            }
        }
    }

    /// The leads of a part that an order still holds, as they are written.
    async fn held(&self, id: OrderId, part: &Shard) -> Result<Vec<StoredLead>, StoreError> {
        let keys: Vec<Key> = part.leads.iter().map(|lead| lead_key(lead.id)).collect();
        let leads = self.dynamo.get_all(&keys).await?.into_iter().map(stored_lead);
        let mut leads = leads.collect::<Result<Vec<_>, _>>()?;
        leads.retain(|stored| stored.reservation.is_some() && stored.lead.order_id == Some(id));
        Ok(leads)
    }

    async fn compensate_shard(&self, id: OrderId, part: Shard) -> Result<(), StoreError> {
        let mut retries = self.dynamo.retries();
        loop {
            let mut write = self.dynamo.guarded_write().delete_derived("part", &shard_key(id, part.number));
            for stored in self.held(id, &part).await? {
                let (lead, before) = (stored.lead.clone(), stored.settled(&ReservationState::Pending));
                let same = Condition::is_number("version", lead.version.get())
                    .and(Condition::is("orderId", id.to_string()));
                let update = lead_update(&lead, &before, None, None)?;
                write = write
                    .update("lead", &lead_key(lead.id), &update, same)
                    .delete_derived("lead history", &history_key(lead.id, lead.version));
                write = requeue(write, None, Some(&before))?;
            }
            match self.dynamo.write(write).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Store(error)) => return Err(error),
                Err(WriteError::Refused(_)) => retries.backoff().await?,
            }
        }
    }

    /// Writes the leads of a large order that is over as its end made them.
    pub(super) async fn apply_end(&self, stored: &StoredOrder) -> Result<(), StoreError> {
        let id = stored.order.id;
        let parts = self.shards_of(id).await?.into_iter().filter(|part| !part.settled);
        let works: Vec<_> = parts.map(|part| self.apply_end_to_shard(stored, part)).collect();
        stream::iter(works).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        if stored.writing.stage == Phase::Deleted {
            return self.forget(id, Phase::Deleted).await;
        }
        let write = self.dynamo.guarded_write().delete_derived("unsettled", &unsettled_key(id));
        ignore_conflict(self.dynamo.write(write).await).map(drop)
    }

    /// Writes one held lead and those of its part as their order's end made them, or settles the whole order where it has
    /// not ended.
    pub(crate) async fn reconcile_part(&self, id: OrderId, number: u32) -> Result<(), StoreError> {
        let Some(item) = self.dynamo.get(&order_key(id)).await? else { return Ok(()) };
        let stored = stored_order(item)?;
        if !matches!(stored.writing.stage, Phase::Fulfilled | Phase::Deleted) {
            return self.reconcile(id).await.map(drop);
        }
        match self.dynamo.get(&shard_key(id, number)).await? {
            Some(item) => self.apply_end_to_shard(&stored, from_item(item)?).await,
            None => Ok(()),
        }
    }

    async fn apply_end_to_shard(&self, stored: &StoredOrder, part: Shard) -> Result<(), StoreError> {
        let (order, id) = (&stored.order, stored.order.id);
        let (_, state) = state_of(order_item(stored)?)?;
        let fulfilled = order.status == OrderStatus::Fulfilled;
        let action = if fulfilled { Action::Fulfilled } else { Action::Returned };
        let mut retries = self.dynamo.retries();
        loop {
            let mut write = self.dynamo.guarded_write();
            for before in self.held(id, &part).await? {
                let after = before.clone().settled(&state);
                let (before, after, cause) = (&before, &after, order.cause.as_ref());
                let one =
                    Transition { before, after, reservation: None, action, order: id, reason: None, cause };
                write = transition_lead(write, &one)?;
            }
            write = if fulfilled {
                write.put(
                    "part",
                    shard_item(id, &Shard { settled: true, ..part.clone() })?,
                    Condition::Exists,
                )
            } else {
                write.delete_derived("part", &shard_key(id, part.number))
            };
            match self.dynamo.write(write).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Store(error)) => return Err(error),
                Err(WriteError::Refused(_)) => retries.backoff().await?,
            }
        }
    }
}
