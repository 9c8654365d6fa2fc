//! Orders that are too large for one transaction.
//!
//! First the order is written as PREPARING, which no reader sees, and the room under each cap is taken. Then its leads
//! are written in parts, each lead with a [hold](crate::leads::domain::Reservation), in lanes side by side: each state has its
//! lane, and a part is written only while its lane is there. Last, one transaction makes the order OPEN and the leads
//! count as out. An order with few parts has its first one in the first transaction and its last one in the last.
//!
//! What always holds: before the last transaction every reader sees all leads as they were, after it all of them in the
//! order. Whoever gives the reservation up takes the lanes away in the same transaction, so that no part is written
//! behind their back; [`settle`] then gives the leads back.

use std::collections::{BTreeMap, VecDeque};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;

use super::domain::{Given, Order};
use super::draft::{OrderDraft, Outcome, assigned, entry_of_creation};
use super::error::OrderError;
use super::items::SHARD_LEADS;
use super::items::{
    Progress, Shard, StoredOrder, entry_item, order_item, shard_item, unsettled_key, worker_key,
};
use super::reconcile;
use super::store::cursor_at;
use super::write::{CapDelta, Transition, count, new_order, shard_lead, take_remaining, transition_lead};
use crate::base::values::{OrderId, UsState};
use crate::leads::domain::{Action, Lead, StoredLead};
use crate::orders::Orders;
use crate::orders::domain::OrderDetail;
use crate::reservations::{Phase, Reservation};
use crate::store::ledger::{Idempotency, Lookup};
use crate::store::{Condition, GuardedWrite, StoreError, WriteError, to_item};

/// After this time anyone may give a reservation up. Its own request has given up before.
const DEADLINE: SignedDuration = SignedDuration::from_secs(25);

/// An order with more leads than this has several lanes.
const ONE_WORKER: usize = 3 * SHARD_LEADS;
const MOST_WORKERS: usize = 8;
/// Numbers of parts in a lane: more than the leads of all its states at the largest cap fill.
const SHARDS_OF_WORKER: u32 = 1_000;

/// A state's leads that are still to be reserved: how many, and which at best knowledge.
struct Wanted {
    state: UsState,
    number: usize,
    candidates: VecDeque<Lead>,
}

/// Some states, whose parts are written one after another.
struct Worker {
    number: u32,
    wanted: VecDeque<Wanted>,
    next_part: u32,
    /// What is written, each lead with the number of its part.
    reserved: Vec<(u32, Lead)>,
}

/// A part that was put together and not written yet.
struct Batch {
    part: Shard,
    leads: Vec<(StoredLead, Lead, Reservation)>,
}

/// What writing a part came to.
#[derive(PartialEq, Eq)]
enum Step {
    Done,
    /// Somebody was faster with a lead, or changed it.
    Missed,
    /// Somebody gave the reservation up.
    Over,
}

struct LargeOrder<'a> {
    orders: &'a Orders,
    draft: &'a OrderDraft<'a>,
    id: OrderId,
    stored: StoredOrder,
}

impl Orders {
    /// Makes a large order.
    pub(super) async fn reserve(&self, draft: &OrderDraft<'_>) -> Result<Outcome, OrderError> {
        let id = OrderId::new(draft.stamp.at, &self.rng.bytes());
        let mut workers = workers_of(draft);
        let writing = Progress {
            stage: Phase::Preparing,
            large: true,
            out: BTreeMap::new(),
            workers: u32::try_from(workers.len()).unwrap_or(u32::MAX),
            deadline: draft.stamp.at.saturating_add(DEADLINE).ok(),
        };
        let order = new_order(id, draft.new, draft.plan, draft.stamp);
        let reservation = LargeOrder { orders: self, draft, id, stored: StoredOrder { order, writing } };
        if !reservation.begin(&mut workers).await? {
            return Ok(Outcome::Lost);
        }
        let outcome = reservation.go_on(&mut workers).await;
        if !matches!(outcome, Ok(Outcome::Made(_))) {
            // What fails here the sweeper does: the order is past its deadline soon.
            if let Err(error) = self.reconciler.abort(&reservation.stored).await {
                tracing::warn!(%error, "a reservation was not given back at once");
            }
        }
        outcome
    }
}

fn workers_of(draft: &OrderDraft<'_>) -> Vec<Worker> {
    let mut leads = draft.plan.leads.iter().cloned();
    let wanted = draft.plan.given.iter().filter(|given| given.given > 0).map(|given| {
        let number = given.given as usize;
        Wanted { state: given.state, number, candidates: leads.by_ref().take(number).collect() }
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let all = draft.plan.leads.len();
    let number = if all <= ONE_WORKER { 1 } else { MOST_WORKERS.min(wanted.len()) };
    // States stay in their order, so that the order's leads do.
    let share = all.div_ceil(number);
    let mut workers: Vec<Worker> = Vec::new();
    let mut remaining = 0;
    for one in wanted {
        if remaining == 0 && workers.len() < number {
            let worker = u32::try_from(workers.len()).unwrap_or(u32::MAX);
            let next_part = worker * SHARDS_OF_WORKER;
            workers.push(Worker { number: worker, wanted: VecDeque::new(), next_part, reserved: Vec::new() });
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
    /// The states that give leads.
    fn states(&self) -> impl Iterator<Item = UsState> {
        self.draft.plan.given.iter().filter(|given| given.given > 0).map(|given| given.state)
    }

    /// Writes the order as it is being prepared, with the room that it takes, and with the first part of a small one.
    async fn begin(&self, workers: &mut [Worker]) -> Result<bool, OrderError> {
        let cause = self.draft.stamp.cause.as_ref();
        let mut write = self
            .orders
            .dynamo
            .guarded_write()
            .put("order", order_item(&self.stored)?, Condition::Absent)
            .put_derived("unsettled", reconcile::unsettled_item(self.id, self.states())?);
        let mut actions = 2 + workers.len() + usize::from(self.draft.lease.is_some());
        if let Some(lease) = self.draft.lease {
            write = lease.pass(write);
        }
        for worker in workers.iter() {
            let item = to_item(&worker_key(self.id, worker.number), &serde_json::json!({}))?;
            write = write.put_derived("lane", item);
        }
        let given = self.draft.plan.given.iter().zip(self.draft.stocks);
        for (given, stock) in given.filter(|(given, _)| given.given > 0) {
            write = take_remaining(write, stock, given.given, false, cause)?;
            actions += 1;
        }
        let mut first = None;
        if let [worker] = workers {
            let chunk = self.chunk(worker, room_for_leads(actions));
            write = self.with_chunk(write, &chunk)?;
            first = Some(chunk);
        }
        match self.orders.dynamo.write(write).await {
            Ok(()) => {
                if let (Some(chunk), [worker]) = (first, workers) {
                    keep(worker, chunk);
                }
                Ok(true)
            }
            Err(WriteError::Refused(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Writes the parts, and then the order as it is.
    async fn go_on(&self, workers: &mut Vec<Worker>) -> Result<Outcome, OrderError> {
        let last = self.room_of_last(workers);
        let runs: Vec<_> = workers.drain(..).map(|worker| self.run(worker, last)).collect();
        let ran: Vec<Option<Worker>> = stream::iter(runs).buffered(MOST_WORKERS).try_collect().await?;
        let Some(mut ran) = ran.into_iter().collect::<Option<Vec<Worker>>>() else {
            return Ok(Outcome::Lost);
        };
        loop {
            self.check_time()?;
            let chunk = match &mut ran[..] {
                [worker] if worker.left() > 0 => Some(self.chunk(worker, last)),
                _ => None,
            };
            match self.finish(&ran, chunk.as_ref()).await? {
                Finish::Made(detail) => return Ok(Outcome::Made(detail)),
                Finish::Before(answer) => return Ok(Outcome::Replayed(answer)),
                Finish::Over => return Ok(Outcome::Lost),
                Finish::Missed => {
                    let (Some(chunk), [worker]) = (chunk, &mut ran[..]) else { return Ok(Outcome::Lost) };
                    if !self.look_again(worker, chunk).await? {
                        return Ok(Outcome::Lost);
                    }
                }
            }
        }
    }

    /// How many leads the last transaction has room for; none where several lanes run side by side.
    fn room_of_last(&self, workers: &[Worker]) -> usize {
        // The order, its history, the ledger, the mark and the lane; a cap for each state.
        let states = self.draft.plan.given.iter().filter(|given| given.given > 0).count();
        if workers.len() == 1 { room_for_leads(5 + states) } else { 0 }
    }

    /// Writes a lane's parts, all but what the last transaction takes; nothing if somebody gave the reservation up or
    /// took what was confirmed.
    async fn run(&self, mut worker: Worker, last: usize) -> Result<Option<Worker>, OrderError> {
        while worker.left() > last {
            self.check_time()?;
            let chunk = self.chunk(&mut worker, SHARD_LEADS);
            let key = worker_key(self.id, worker.number);
            let write = self.orders.dynamo.guarded_write().check("lane", &key, Condition::Exists);
            match self.write(self.with_chunk(write, &chunk)?).await? {
                Step::Done => keep(&mut worker, chunk),
                Step::Over => return Ok(None),
                Step::Missed => {
                    if !self.look_again(&mut worker, chunk).await? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(worker))
    }

    async fn write(&self, write: GuardedWrite) -> Result<Step, OrderError> {
        match self.orders.dynamo.write(write).await {
            Ok(()) => Ok(Step::Done),
            Err(WriteError::Refused(refusal)) if refusal.of("lane") => Ok(Step::Over),
            Err(WriteError::Refused(_)) => Ok(Step::Missed),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Takes up to `most` leads off a lane, for its next part.
    fn chunk(&self, worker: &mut Worker, most: usize) -> Batch {
        let mut leads = Vec::new();
        for wanted in &mut worker.wanted {
            while leads.len() < most && wanted.number > 0 {
                let Some(lead) = wanted.candidates.pop_front() else { break };
                // A lead that moved to another state between two reads was seen in both.
                if leads.iter().any(|(taken, ..): &(StoredLead, Lead, Reservation)| taken.lead.id == lead.id)
                {
                    continue;
                }
                wanted.number -= 1;
                let after = assigned(&lead, self.id, self.draft.stamp);
                let (updated_at, updated_by) = (lead.updated_at, lead.updated_by.clone());
                let reservation = Reservation { part: worker.next_part, updated_at, updated_by };
                leads.push((StoredLead { lead, reservation: None }, after, reservation));
            }
        }
        let named = leads.iter().filter_map(|(_, after, _)| shard_lead(after)).collect();
        let part = Shard { number: worker.next_part, leads: named, settled: false };
        worker.next_part += 1;
        Batch { part, leads }
    }

    fn with_chunk(&self, write: GuardedWrite, chunk: &Batch) -> Result<GuardedWrite, StoreError> {
        let mut write = write.put("part", shard_item(self.id, &chunk.part)?, Condition::Absent);
        let cause = self.draft.stamp.cause.as_ref();
        for (before, after, reservation) in &chunk.leads {
            let (order, action) = (self.id, Action::Assigned);
            let one = Transition {
                before,
                after,
                reservation: Some(reservation),
                action,
                order,
                reason: None,
                cause,
            };
            write = transition_lead(write, &one)?;
        }
        Ok(write)
    }

    /// Reads the queues again of which a part missed something. What was confirmed must still be the oldest.
    async fn look_again(&self, worker: &mut Worker, missed: Batch) -> Result<bool, OrderError> {
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

    /// Ends early enough to abort the reservation.
    fn check_time(&self) -> Result<(), OrderError> {
        if self.orders.dynamo.time_is_short() { Err(OrderError::Contention) } else { Ok(()) }
    }

    /// The transaction that makes the order be there.
    async fn finish(&self, workers: &[Worker], last: Option<&Batch>) -> Result<Finish, OrderError> {
        let of_last = last
            .iter()
            .flat_map(|chunk| &chunk.leads)
            .map(|(_, after, reservation)| (reservation.part, after));
        let written = workers.iter().flat_map(|worker| &worker.reserved).map(|(part, lead)| (*part, lead));
        let leads: Vec<(u32, &Lead)> = written.chain(of_last).collect();
        if leads.is_empty() {
            return Ok(Finish::Over);
        }
        let mut out: BTreeMap<UsState, u32> = BTreeMap::new();
        leads.iter().filter_map(|(_, lead)| lead.state).for_each(|state| *out.entry(state).or_default() += 1);
        let given = self.draft.plan.given.iter();
        let given =
            given.map(|one| Given { given: out.get(&one.state).copied().unwrap_or(0), ..one.clone() });
        let mut stored = self.stored.clone();
        stored.order.given = given.collect();
        stored.order.lead_count = u32::try_from(leads.len()).unwrap_or(u32::MAX);
        stored.writing = Progress { stage: Phase::Open, out, workers: 0, deadline: None, ..stored.writing };
        let detail = shown(&stored.order, &leads);
        let write =
            Idempotency::record(self.draft.idempotency, self.completion(workers, last, &stored)?, &detail)?;
        match self.orders.dynamo.write(write).await {
            Ok(()) => Ok(Finish::Made(Box::new(detail))),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) => match Idempotency::recall(self.draft.idempotency, &refusal)?
            {
                Lookup::Same(answer) => Ok(Finish::Before(answer)),
                Lookup::Other => Err(OrderError::KeyOfAnotherRequest),
                Lookup::Nothing if refusal.of("order") => Ok(Finish::Over),
                Lookup::Nothing => Ok(Finish::Missed),
            },
        }
    }

    fn completion(
        &self,
        workers: &[Worker],
        last: Option<&Batch>,
        stored: &StoredOrder,
    ) -> Result<GuardedWrite, StoreError> {
        let (order, cause) = (&stored.order, self.draft.stamp.cause.as_ref());
        let entry = entry_of_creation(self.draft.stamp, order.version);
        let preparing = Condition::is(crate::reservations::PHASE, Phase::Preparing.as_str());
        let mut write = self
            .orders
            .dynamo
            .guarded_write()
            .put("order", order_item(stored)?, preparing)
            .put("history", entry_item(order.id, &entry)?, Condition::Absent)
            .delete_derived("unsettled", &unsettled_key(order.id));
        for worker in workers {
            write = write.delete_derived("lane", &worker_key(order.id, worker.number));
        }
        for (given, planned) in order.given.iter().zip(&self.draft.plan.given) {
            if planned.given > 0 {
                let remaining = i64::from(planned.given) - i64::from(given.given);
                write = count(write, given.state, CapDelta { out: given.given.into(), remaining }, cause)?;
            }
        }
        match last {
            Some(chunk) => self.with_chunk(write, chunk),
            None => Ok(write),
        }
    }
}

/// What the last transaction came to.
enum Finish {
    Made(Box<OrderDetail>),
    Before(crate::store::ledger::Answer),
    Missed,
    Over,
}

/// The order with the first of its leads.
fn shown(order: &Order, leads: &[(u32, &Lead)]) -> OrderDetail {
    let most = OrderDetail::MOST_LEADS;
    let leads_next = leads.get(most).map(|(part, _)| {
        let index = leads[..most].iter().filter(|(of, _)| of == part).count();
        cursor_at(*part, index)
    });
    let leads = leads.iter().take(most).map(|(_, lead)| (*lead).clone()).collect();
    OrderDetail { order: order.clone(), leads, leads_next }
}

/// A part was written: its leads are reserved.
fn keep(worker: &mut Worker, chunk: Batch) {
    worker.reserved.extend(chunk.leads.into_iter().map(|(_, after, reservation)| (reservation.part, after)));
}

/// How many leads a transaction with this many other actions has room for, beside their part.
fn room_for_leads(actions: usize) -> usize {
    (GuardedWrite::MAX_ACTIONS.saturating_sub(actions + 1) / 3).min(SHARD_LEADS)
}
