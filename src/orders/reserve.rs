//! Creation of orders that are too large for one transaction.
//!
//! The first transaction writes the order as `PREPARING`, which no reader sees, and takes what it needs from
//! each state's cap. Then several workers write the leads side by side, each lead with a [`Reservation`]. A
//! worker serves some of the order's states and writes one shard of leads at a time. Each shard is written
//! only while the worker's item exists. The last transaction makes the order `OPEN` and counts its leads as
//! out. An order with few leads writes its first shard in the first transaction and its last shard in the
//! last.
//!
//! Invariants: before the last transaction, every reader sees all leads as they were; after it, every reader
//! sees all of them in the order. The transaction that aborts a reservation also deletes the worker items, so
//! no shard can be written after it. [`Reconciler`](super::reconcile::Reconciler) then frees the leads.

use std::collections::{BTreeMap, VecDeque};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;

use super::domain::{Given, Order, OrderAction, OrderDetail, OrderEntry};
use super::draft::{OrderDraft, assigned, reservation_of};
use super::error::OrderError;
use super::items::{
    Progress, SHARD_LEADS, Shard, StoredOrder, entry_item, order_item, pending_key, shard_item, worker_key,
};
use super::reconcile;
use super::store::cursor_at;
use super::write::{
    CapDelta, Transition, change_cap, new_order, shard_lead, take_remaining, transition_lead,
};
use crate::base::values::{OrderId, UsState};
use crate::leads::domain::{Action, Lead, StoredLead};
use crate::orders::Orders;
use crate::reservations::{PHASE, Phase, Reservation};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::Done;
use crate::store::{Condition, GuardedWrite, Refusal, StoreError, WriteError, to_item};

/// After this time any request may abort the reservation. The request that made it aborts it earlier.
const TIME_LIMIT: SignedDuration = SignedDuration::from_secs(25);

/// An order with more leads than this has several workers.
const MAX_LEADS_OF_ONE_WORKER: usize = 3 * SHARD_LEADS;
const MAX_WORKERS: usize = 8;
/// Shard numbers reserved for one worker: more than its states can need at the largest cap.
const SHARDS_PER_WORKER: u32 = 1_000;

/// The leads of one state that are still to be reserved.
struct Wanted {
    state: UsState,
    number: usize,
    candidates: VecDeque<Lead>,
}

/// A worker writes the shards of some states one after another.
struct Worker {
    number: u32,
    wanted: VecDeque<Wanted>,
    next_shard: u32,
    /// The leads that are already written, each with the number of its shard.
    reserved: Vec<(u32, Lead)>,
}

/// A shard that is assembled but not written.
struct Batch {
    shard: Shard,
    leads: Vec<(StoredLead, Lead, Reservation)>,
}

/// The result of writing one shard.
#[derive(PartialEq, Eq)]
enum Step {
    Written,
    /// Another request changed or took one of the leads.
    Refused,
    /// Another request aborted the reservation.
    Aborted,
}

struct LargeOrder<'a> {
    orders: &'a Orders,
    draft: &'a OrderDraft<'a>,
    id: OrderId,
    stored: StoredOrder,
}

impl Orders {
    /// Tries once to create a large order. Returns `None` if another request took a lead or part of a cap first.
    pub(super) async fn reserve(
        &self,
        draft: &OrderDraft<'_>,
    ) -> Result<Option<Done<OrderDetail>>, OrderError> {
        let id = OrderId::new(draft.stamp.at, &self.rng.bytes());
        let mut workers = workers_of(draft);
        let progress = Progress {
            phase: Phase::Preparing,
            large: true,
            out: BTreeMap::new(),
            workers: u32::try_from(workers.len()).unwrap_or(u32::MAX),
            deadline: draft.stamp.at.saturating_add(TIME_LIMIT).ok(),
        };
        let order = new_order(id, draft.new, draft.plan, draft.stamp);
        let reservation = LargeOrder { orders: self, draft, id, stored: StoredOrder { order, progress } };
        if !reservation.begin(&mut workers).await? {
            return Ok(None);
        }
        let outcome = reservation.run_workers(&mut workers).await;
        if !matches!(outcome, Ok(Some(Done::Now(_))))
            && let Err(error) = self.reconciler.abort(&reservation.stored).await
        {
            // The sweeper aborts the reservation once its deadline has passed.
            tracing::warn!(%error, "failed to abort a reservation");
        }
        outcome
    }
}

fn workers_of(draft: &OrderDraft<'_>) -> Vec<Worker> {
    let mut leads = draft.plan.leads.iter().cloned();
    let wanted = draft.plan.giving().map(|given| {
        let number = given.given as usize;
        Wanted { state: given.state, number, candidates: leads.by_ref().take(number).collect() }
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let all = draft.plan.leads.len();
    let number = if all <= MAX_LEADS_OF_ONE_WORKER { 1 } else { MAX_WORKERS.min(wanted.len()) };
    // The states keep their order, so the leads of the order do too.
    let share = all.div_ceil(number);
    let mut workers: Vec<Worker> = Vec::new();
    let mut remaining = 0;
    for one in wanted {
        if remaining == 0 && workers.len() < number {
            let worker = u32::try_from(workers.len()).unwrap_or(u32::MAX);
            let next_shard = worker * SHARDS_PER_WORKER;
            let (wanted, reserved) = (VecDeque::new(), Vec::new());
            workers.push(Worker { number: worker, wanted, next_shard, reserved });
            remaining = share;
        }
        remaining = remaining.saturating_sub(one.number);
        if let Some(worker) = workers.last_mut() {
            worker.wanted.push_back(one);
        }
    }
    workers
}

impl Worker {
    fn left(&self) -> usize {
        self.wanted.iter().map(|wanted| wanted.number.min(wanted.candidates.len())).sum()
    }
}

impl LargeOrder<'_> {
    /// Writes the order as `PREPARING`, takes what it needs from the caps, and adds the first shard if there
    /// is one worker.
    async fn begin(&self, workers: &mut [Worker]) -> Result<bool, OrderError> {
        let cause = self.draft.stamp.cause.as_ref();
        let states = self.draft.plan.giving().map(|given| given.state);
        let mut write = self
            .orders
            .dynamo
            .guarded_write()
            .put("order", order_item(&self.stored)?, Condition::Absent)
            .put_derived("pending", reconcile::pending_item(self.id, states)?);
        let mut actions = 2 + workers.len() + usize::from(self.draft.lease.is_some());
        if let Some(lease) = self.draft.lease {
            write = lease.release_in(write);
        }
        for worker in workers.iter() {
            let item = to_item(&worker_key(self.id, worker.number), &serde_json::json!({}))?;
            write = write.put_derived("worker", item);
        }
        for (given, stock) in self.draft.giving_stocks() {
            write = take_remaining(write, stock, given, false, cause)?;
            actions += 1;
        }
        let mut first = None;
        if let [worker] = workers {
            // One more action for the fence of a form.
            let batch = self.next_batch(worker, lead_capacity(actions + 1));
            write = self.with_batch(write, &batch)?;
            first = Some(batch);
        }
        let written = self.orders.dynamo.try_write(write).await?;
        if written && let (Some(batch), [worker]) = (first, workers) {
            record_reserved(worker, batch);
        }
        Ok(written)
    }

    /// Writes the shards and then completes the order.
    async fn run_workers(&self, workers: &mut Vec<Worker>) -> Result<Option<Done<OrderDetail>>, OrderError> {
        let last = self.capacity_of_last(workers);
        let runs: Vec<_> = workers.drain(..).map(|worker| self.run(worker, last)).collect();
        let ran: Vec<Option<Worker>> = stream::iter(runs).buffered(MAX_WORKERS).try_collect().await?;
        let Some(mut ran) = ran.into_iter().collect::<Option<Vec<Worker>>>() else {
            return Ok(None);
        };
        loop {
            self.check_deadline()?;
            let batch = match &mut ran[..] {
                [worker] if worker.left() > 0 => Some(self.next_batch(worker, last)),
                _ => None,
            };
            if reserved_leads(&ran, batch.as_ref()).is_empty() {
                return Ok(None);
            }
            match self.finish(&ran, batch.as_ref()).await? {
                Ok(done) => return Ok(Some(done)),
                // Another request aborted the reservation.
                Err(refusal) if refusal.of("order") => return Ok(None),
                Err(_) => {
                    let (Some(batch), [worker]) = (batch, &mut ran[..]) else { return Ok(None) };
                    if !self.reread_queues(worker, batch).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Returns how many leads fit into the last transaction: none if there are several workers.
    fn capacity_of_last(&self, workers: &[Worker]) -> usize {
        // The order, its history entry, the idempotency record, the pending item and the worker item; one cap
        // per state.
        if workers.len() == 1 { lead_capacity(5 + self.draft.plan.giving().count()) } else { 0 }
    }

    /// Writes a worker's shards, except the leads that the last transaction writes. Returns `None` if the
    /// reservation was aborted or a confirmed lead was taken.
    async fn run(&self, mut worker: Worker, last: usize) -> Result<Option<Worker>, OrderError> {
        while worker.left() > last {
            self.check_deadline()?;
            let batch = self.next_batch(&mut worker, SHARD_LEADS);
            let key = worker_key(self.id, worker.number);
            let write = self.orders.dynamo.guarded_write().check("worker", &key, Condition::Exists);
            match self.write(self.with_batch(write, &batch)?).await? {
                Step::Written => record_reserved(&mut worker, batch),
                Step::Aborted => return Ok(None),
                Step::Refused => {
                    if !self.reread_queues(&mut worker, batch).await? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(worker))
    }

    async fn write(&self, write: GuardedWrite) -> Result<Step, OrderError> {
        match self.orders.dynamo.write(write).await {
            Ok(()) => Ok(Step::Written),
            Err(WriteError::Refused(refusal)) if refusal.of("worker") => Ok(Step::Aborted),
            Err(WriteError::Refused(_)) => Ok(Step::Refused),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Takes up to `most` leads off the worker's queues for its next shard.
    fn next_batch(&self, worker: &mut Worker, most: usize) -> Batch {
        let mut leads = Vec::new();
        for wanted in &mut worker.wanted {
            while leads.len() < most && wanted.number > 0 {
                let Some(lead) = wanted.candidates.pop_front() else { break };
                // A lead that moves to another state between two reads appears in both.
                if leads.iter().any(|(taken, ..): &(StoredLead, Lead, Reservation)| taken.lead.id == lead.id)
                {
                    continue;
                }
                wanted.number -= 1;
                let after = assigned(&lead, self.id, self.draft.stamp);
                let reservation = reservation_of(&lead, worker.next_shard);
                leads.push((StoredLead::free(lead), after, reservation));
            }
        }
        let named = leads.iter().filter_map(|(_, after, _)| shard_lead(after)).collect();
        let shard = Shard { number: worker.next_shard, leads: named, reconciled: false };
        worker.next_shard += 1;
        Batch { shard, leads }
    }

    fn with_batch(&self, write: GuardedWrite, batch: &Batch) -> Result<GuardedWrite, StoreError> {
        let mut write = write.put("shard", shard_item(self.id, &batch.shard)?, Condition::Absent);
        let cause = self.draft.stamp.cause.as_ref();
        for (before, after, reservation) in &batch.leads {
            let one = Transition::new(before, after, Action::Assigned, self.id, cause);
            write = transition_lead(write, Transition { reservation: Some(reservation), ..one })?;
        }
        Ok(write)
    }

    /// Reads the queues again after a shard was refused. Returns `false` if the confirmed leads are no longer
    /// the oldest.
    async fn reread_queues(&self, worker: &mut Worker, missed: Batch) -> Result<bool, OrderError> {
        for wanted in &mut worker.wanted {
            let mine = missed.leads.iter().filter(|(before, ..)| before.lead.state == Some(wanted.state));
            let mine: Vec<&Lead> = mine.map(|(before, ..)| &before.lead).collect();
            if mine.is_empty() {
                continue;
            }
            let number = wanted.number + mine.len();
            let oldest = self.orders.oldest_leads(wanted.state, number).await?;
            let before = mine.into_iter().chain(&wanted.candidates).map(|lead| lead.id);
            if self.draft.confirmed && !before.eq(oldest.iter().map(|lead| lead.id)) {
                return Ok(false);
            }
            (wanted.number, wanted.candidates) = (number, oldest.into());
        }
        self.orders.dynamo.retries().backoff().await?;
        Ok(true)
    }

    /// Stops early enough to leave time for aborting the reservation.
    fn check_deadline(&self) -> Result<(), OrderError> {
        if self.orders.dynamo.time_is_short() { Err(OrderError::Contention) } else { Ok(()) }
    }

    /// Runs the transaction that makes the order visible with the leads of the workers and of the last batch.
    async fn finish(
        &self,
        workers: &[Worker],
        last: Option<&Batch>,
    ) -> Result<Result<Done<OrderDetail>, Refusal>, OrderError> {
        let leads = reserved_leads(workers, last);
        let mut out: BTreeMap<UsState, u32> = BTreeMap::new();
        leads.iter().filter_map(|(_, lead)| lead.state).for_each(|state| *out.entry(state).or_default() += 1);
        let given = |one: &Given| Given { given: out.get(&one.state).copied().unwrap_or(0), ..one.clone() };
        let mut stored = self.stored.clone();
        stored.order.given = self.draft.plan.given.iter().map(given).collect();
        stored.order.lead_count = u32::try_from(leads.len()).unwrap_or(u32::MAX);
        stored.progress = Progress { phase: Phase::Open, out, workers: 0, deadline: None, ..stored.progress };
        let detail = order_detail(&stored.order, &leads);
        let write = self.completion(workers, last, &stored)?;
        write_with_record(&self.orders.dynamo, write, detail, self.draft.idempotency).await
    }

    fn completion(
        &self,
        workers: &[Worker],
        last: Option<&Batch>,
        stored: &StoredOrder,
    ) -> Result<GuardedWrite, StoreError> {
        let (order, cause) = (&stored.order, self.draft.stamp.cause.as_ref());
        let entry = OrderEntry::new(order.version, OrderAction::Created, self.draft.stamp);
        let preparing = Condition::is(PHASE, Phase::Preparing.as_str());
        let mut write = self
            .orders
            .dynamo
            .guarded_write()
            .put("order", order_item(stored)?, preparing)
            .put("history", entry_item(order.id, &entry)?, Condition::Absent)
            .delete_derived("pending", &pending_key(order.id));
        for worker in workers {
            write = write.delete_derived("worker", &worker_key(order.id, worker.number));
        }
        for (given, planned) in order.given.iter().zip(&self.draft.plan.given) {
            if planned.given > 0 {
                let remaining = i64::from(planned.given) - i64::from(given.given);
                write =
                    change_cap(write, given.state, CapDelta { out: given.given.into(), remaining }, cause)?;
            }
        }
        match last {
            Some(batch) => self.with_batch(write, batch),
            None => Ok(write),
        }
    }
}

/// Returns the leads that the workers wrote and those of the last batch, each with the number of its shard.
fn reserved_leads<'a>(workers: &'a [Worker], last: Option<&'a Batch>) -> Vec<(u32, &'a Lead)> {
    let written = workers.iter().flat_map(|worker| &worker.reserved).map(|(shard, lead)| (*shard, lead));
    let last = last.into_iter().flat_map(|batch| &batch.leads);
    written.chain(last.map(|(_, after, reservation)| (reservation.shard, after))).collect()
}

/// Returns the order with the first page of its leads.
fn order_detail(order: &Order, leads: &[(u32, &Lead)]) -> OrderDetail {
    let most = OrderDetail::MOST_LEADS;
    let leads_next = leads.get(most).map(|(shard, _)| {
        let index = leads[..most].iter().filter(|(of, _)| of == shard).count();
        cursor_at(*shard, index)
    });
    let leads = leads.iter().take(most).map(|(_, lead)| (*lead).clone()).collect();
    OrderDetail { order: order.clone(), leads, leads_next }
}

/// Records the leads of a written shard.
fn record_reserved(worker: &mut Worker, batch: Batch) {
    worker.reserved.extend(batch.leads.into_iter().map(|(_, after, reservation)| (reservation.shard, after)));
}

/// Returns how many leads fit into a transaction beside their shard and this many other actions.
fn lead_capacity(actions: usize) -> usize {
    (GuardedWrite::MAX_ACTIONS.saturating_sub(actions + 1) / 3).min(SHARD_LEADS)
}
