//! Orders that are too large for one transaction.
//!
//! First the order is written as PREPARING, which no reader sees, and the room under each cap is taken. Then its leads
//! are written in parts, each lead with a [hold](crate::leads::domain::Hold), in lanes side by side: each state has its
//! lane, and a part is written only while its lane is there. Last, one transaction makes the order OPEN and the leads
//! count as out. An order with few parts has its first one in the first transaction and its last one in the last.
//!
//! What always holds: before the last transaction every reader sees all leads as they were, after it all of them in the
//! order. Whoever gives the reservation up takes the lanes away in the same transaction, so that no part is written
//! behind their back; [`settle`] then gives the leads back.

use std::collections::{BTreeMap, VecDeque};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;

use super::create::{Attempt, Wish, assigned, entry_of_creation};
use super::domain::{Given, Order};
use super::error::OrderError;
use super::items::{
    Part, Stage, StoredOrder, Writing, entry_item, lane_key, order_item, part_item, unsettled_key,
};
use super::store::{OrderDetail, cursor_at};
use super::write::{Count, Move, count, move_lead, new_order, part_lead, take_room};
use super::{settle, stock};
use crate::app::App;
use crate::dynamo::ledger::{Once, Recall};
use crate::dynamo::{Condition, GuardedWrite, StoreError, WriteError, to_item};
use crate::leads::domain::{Action, Hold, Lead, StoredLead};
use crate::values::{OrderId, UsState};

/// After this time anyone may give a reservation up. Its own request has given up before.
const DEADLINE: SignedDuration = SignedDuration::from_secs(25);
/// Leads of one part: a lane, the part, and three actions for each.
pub(super) const PART_LEADS: usize = 32;
/// An order with more leads than this has several lanes.
const ONE_LANE: usize = 3 * PART_LEADS;
const MOST_LANES: usize = 8;
/// Numbers of parts in a lane: more than the leads of all its states at the largest cap fill.
const PARTS_OF_LANE: u32 = 1_000;

/// A state's leads that are still to be reserved: how many, and which at best knowledge.
struct Wanted {
    state: UsState,
    number: usize,
    candidates: VecDeque<Lead>,
}

/// Some states, whose parts are written one after another.
struct Lane {
    number: u32,
    wanted: VecDeque<Wanted>,
    next_part: u32,
    /// What is written, each lead with the number of its part.
    reserved: Vec<(u32, Lead)>,
}

/// A part that was put together and not written yet.
struct Chunk {
    part: Part,
    leads: Vec<(StoredLead, Lead, Hold)>,
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

struct Reservation<'a> {
    app: &'a App,
    wish: &'a Wish<'a>,
    id: OrderId,
    stored: StoredOrder,
}

/// Makes a large order.
pub(super) async fn reserve(app: &App, wish: &Wish<'_>) -> Result<Attempt, OrderError> {
    let id = OrderId::new(wish.stamp.at, &app.entropy.bytes());
    let mut lanes = lanes_of(wish);
    let writing = Writing {
        stage: Stage::Preparing,
        large: true,
        out: BTreeMap::new(),
        lanes: u32::try_from(lanes.len()).unwrap_or(u32::MAX),
        deadline: wish.stamp.at.saturating_add(DEADLINE).ok(),
    };
    let order = new_order(id, wish.new, wish.plan, wish.stamp);
    let reservation = Reservation { app, wish, id, stored: StoredOrder { order, writing } };
    if !reservation.begin(&mut lanes).await? {
        return Ok(Attempt::Lost);
    }
    let outcome = reservation.go_on(&mut lanes).await;
    if !matches!(outcome, Ok(Attempt::Made(_))) {
        // What fails here the sweeper does: the order is past its deadline soon.
        if let Err(error) = settle::give_up(app, &reservation.stored).await {
            tracing::warn!(%error, "a reservation was not given back at once");
        }
    }
    outcome
}

fn lanes_of(wish: &Wish<'_>) -> Vec<Lane> {
    let mut leads = wish.plan.leads.iter().cloned();
    let wanted = wish.plan.given.iter().filter(|given| given.given > 0).map(|given| {
        let number = given.given as usize;
        Wanted { state: given.state, number, candidates: leads.by_ref().take(number).collect() }
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let all = wish.plan.leads.len();
    let number = if all <= ONE_LANE { 1 } else { MOST_LANES.min(wanted.len()) };
    // States stay in their order, so that the order's leads do.
    let share = all.div_ceil(number);
    let mut lanes: Vec<Lane> = Vec::new();
    let mut room = 0;
    for one in wanted {
        if room == 0 && lanes.len() < number {
            let lane = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
            let next_part = lane * PARTS_OF_LANE;
            lanes.push(Lane { number: lane, wanted: VecDeque::new(), next_part, reserved: Vec::new() });
            room = share;
        }
        room = room.saturating_sub(one.number);
        if let Some(lane) = lanes.last_mut() {
            lane.wanted.push_back(one);
        }
    }
    lanes
}

impl Lane {
    fn left(&self) -> usize {
        self.wanted.iter().map(|wanted| wanted.number.min(wanted.candidates.len())).sum()
    }
}

impl Reservation<'_> {
    /// The states that give leads.
    fn states(&self) -> impl Iterator<Item = UsState> {
        self.wish.plan.given.iter().filter(|given| given.given > 0).map(|given| given.state)
    }

    /// Writes the order as it is being prepared, with the room that it takes, and with the first part of a small one.
    async fn begin(&self, lanes: &mut [Lane]) -> Result<bool, OrderError> {
        let cause = self.wish.stamp.cause.as_ref();
        let mut write = self
            .app
            .dynamo
            .guarded_write()
            .put("order", order_item(&self.stored)?, Condition::Absent)
            .put_derived("unsettled", settle::unsettled_item(self.id, self.states())?);
        let mut actions = 2 + lanes.len() + usize::from(self.wish.turn.is_some());
        if let Some(turn) = self.wish.turn {
            write = turn.pass(write);
        }
        for lane in lanes.iter() {
            let item = to_item(&lane_key(self.id, lane.number), &serde_json::json!({}))?;
            write = write.put_derived("lane", item);
        }
        let given = self.wish.plan.given.iter().zip(self.wish.stocks);
        for (given, stock) in given.filter(|(given, _)| given.given > 0) {
            write = take_room(write, stock, given.given, false, cause)?;
            actions += 1;
        }
        let mut first = None;
        if let [lane] = lanes {
            let chunk = self.chunk(lane, room_for_leads(actions));
            write = self.with_chunk(write, &chunk)?;
            first = Some(chunk);
        }
        match self.app.dynamo.write(write).await {
            Ok(()) => {
                if let (Some(chunk), [lane]) = (first, lanes) {
                    keep(lane, chunk);
                }
                Ok(true)
            }
            Err(WriteError::Refused(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Writes the parts, and then the order as it is.
    async fn go_on(&self, lanes: &mut Vec<Lane>) -> Result<Attempt, OrderError> {
        let last = self.room_of_last(lanes);
        let runs: Vec<_> = lanes.drain(..).map(|lane| self.run(lane, last)).collect();
        let ran: Vec<Option<Lane>> = stream::iter(runs).buffered(MOST_LANES).try_collect().await?;
        let Some(mut ran) = ran.into_iter().collect::<Option<Vec<Lane>>>() else { return Ok(Attempt::Lost) };
        loop {
            self.check_time()?;
            let chunk = match &mut ran[..] {
                [lane] if lane.left() > 0 => Some(self.chunk(lane, last)),
                _ => None,
            };
            match self.finish(&ran, chunk.as_ref()).await? {
                Finish::Made(detail) => return Ok(Attempt::Made(detail)),
                Finish::Before(answer) => return Ok(Attempt::Before(answer)),
                Finish::Over => return Ok(Attempt::Lost),
                Finish::Missed => {
                    let (Some(chunk), [lane]) = (chunk, &mut ran[..]) else { return Ok(Attempt::Lost) };
                    if !self.look_again(lane, chunk).await? {
                        return Ok(Attempt::Lost);
                    }
                }
            }
        }
    }

    /// How many leads the last transaction has room for; none where several lanes run side by side.
    fn room_of_last(&self, lanes: &[Lane]) -> usize {
        // The order, its history, the ledger, the mark and the lane; a cap for each state.
        let states = self.wish.plan.given.iter().filter(|given| given.given > 0).count();
        if lanes.len() == 1 { room_for_leads(5 + states) } else { 0 }
    }

    /// Writes a lane's parts, all but what the last transaction takes; nothing if somebody gave the reservation up or
    /// took what was confirmed.
    async fn run(&self, mut lane: Lane, last: usize) -> Result<Option<Lane>, OrderError> {
        while lane.left() > last {
            self.check_time()?;
            let chunk = self.chunk(&mut lane, PART_LEADS);
            let key = lane_key(self.id, lane.number);
            let write = self.app.dynamo.guarded_write().check("lane", &key, Condition::Exists);
            match self.write(self.with_chunk(write, &chunk)?).await? {
                Step::Done => keep(&mut lane, chunk),
                Step::Over => return Ok(None),
                Step::Missed => {
                    if !self.look_again(&mut lane, chunk).await? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(lane))
    }

    async fn write(&self, write: GuardedWrite) -> Result<Step, OrderError> {
        match self.app.dynamo.write(write).await {
            Ok(()) => Ok(Step::Done),
            Err(WriteError::Refused(refusal)) if refusal.of("lane") => Ok(Step::Over),
            Err(WriteError::Refused(_)) => Ok(Step::Missed),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Takes up to `most` leads off a lane, for its next part.
    fn chunk(&self, lane: &mut Lane, most: usize) -> Chunk {
        let mut leads = Vec::new();
        for wanted in &mut lane.wanted {
            while leads.len() < most && wanted.number > 0 {
                let Some(lead) = wanted.candidates.pop_front() else { break };
                // A lead that moved to another state between two reads was seen in both.
                if leads.iter().any(|(taken, ..): &(StoredLead, Lead, Hold)| taken.lead.id == lead.id) {
                    continue;
                }
                wanted.number -= 1;
                let after = assigned(&lead, self.id, self.wish.stamp);
                let (updated_at, updated_by) = (lead.updated_at, lead.updated_by.clone());
                let hold = Hold { part: lane.next_part, updated_at, updated_by };
                leads.push((StoredLead { lead, hold: None }, after, hold));
            }
        }
        let named = leads.iter().filter_map(|(_, after, _)| part_lead(after)).collect();
        let part = Part { number: lane.next_part, leads: named, settled: false };
        lane.next_part += 1;
        Chunk { part, leads }
    }

    fn with_chunk(&self, write: GuardedWrite, chunk: &Chunk) -> Result<GuardedWrite, StoreError> {
        let mut write = write.put("part", part_item(self.id, &chunk.part)?, Condition::Absent);
        let cause = self.wish.stamp.cause.as_ref();
        for (before, after, hold) in &chunk.leads {
            let (order, action) = (self.id, Action::Assigned);
            let one = Move { before, after, hold: Some(hold), action, order, reason: None, cause };
            write = move_lead(write, &one)?;
        }
        Ok(write)
    }

    /// Reads the queues again of which a part missed something. What was confirmed must still be the oldest.
    async fn look_again(&self, lane: &mut Lane, missed: Chunk) -> Result<bool, OrderError> {
        for wanted in &mut lane.wanted {
            let mine = missed.leads.iter().filter(|(before, ..)| before.lead.state == Some(wanted.state));
            let mine: Vec<&Lead> = mine.map(|(before, ..)| &before.lead).collect();
            if mine.is_empty() {
                continue;
            }
            let number = wanted.number + mine.len();
            let oldest = stock::oldest(self.app, wanted.state, number).await?;
            let before = mine.into_iter().chain(&wanted.candidates).map(|lead| lead.id);
            if self.wish.confirmed && !before.eq(oldest.iter().map(|lead| lead.id)) {
                return Ok(false);
            }
            (wanted.number, wanted.candidates) = (number, oldest.into());
        }
        self.app.dynamo.retries().backoff().await?;
        Ok(true)
    }

    /// Ends early enough to abort the reservation.
    fn check_time(&self) -> Result<(), OrderError> {
        if self.app.dynamo.time_is_short() { Err(OrderError::Crowded) } else { Ok(()) }
    }

    /// The transaction that makes the order be there.
    async fn finish(&self, lanes: &[Lane], last: Option<&Chunk>) -> Result<Finish, OrderError> {
        let of_last = last.iter().flat_map(|chunk| &chunk.leads).map(|(_, after, hold)| (hold.part, after));
        let written = lanes.iter().flat_map(|lane| &lane.reserved).map(|(part, lead)| (*part, lead));
        let leads: Vec<(u32, &Lead)> = written.chain(of_last).collect();
        if leads.is_empty() {
            return Ok(Finish::Over);
        }
        let mut out: BTreeMap<UsState, u32> = BTreeMap::new();
        leads.iter().filter_map(|(_, lead)| lead.state).for_each(|state| *out.entry(state).or_default() += 1);
        let given = self.wish.plan.given.iter();
        let given =
            given.map(|one| Given { given: out.get(&one.state).copied().unwrap_or(0), ..one.clone() });
        let mut stored = self.stored.clone();
        stored.order.given = given.collect();
        stored.order.lead_count = u32::try_from(leads.len()).unwrap_or(u32::MAX);
        stored.writing = Writing { stage: Stage::Open, out, lanes: 0, deadline: None, ..stored.writing };
        let detail = shown(&stored.order, &leads);
        let write = Once::record(self.wish.once, self.completion(lanes, last, &stored)?, &detail)?;
        match self.app.dynamo.write(write).await {
            Ok(()) => Ok(Finish::Made(Box::new(detail))),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) => match Once::recall(self.wish.once, &refusal)? {
                Recall::Same(answer) => Ok(Finish::Before(answer)),
                Recall::Other => Err(OrderError::KeyOfAnotherRequest),
                Recall::Nothing if refusal.of("order") => Ok(Finish::Over),
                Recall::Nothing => Ok(Finish::Missed),
            },
        }
    }

    fn completion(
        &self,
        lanes: &[Lane],
        last: Option<&Chunk>,
        stored: &StoredOrder,
    ) -> Result<GuardedWrite, StoreError> {
        let (order, cause) = (&stored.order, self.wish.stamp.cause.as_ref());
        let entry = entry_of_creation(self.wish.stamp, order.version);
        let preparing = Condition::is(super::items::STAGE, Stage::Preparing.as_str());
        let mut write = self
            .app
            .dynamo
            .guarded_write()
            .put("order", order_item(stored)?, preparing)
            .put("history", entry_item(order.id, &entry)?, Condition::Absent)
            .delete_derived("unsettled", &unsettled_key(order.id));
        for lane in lanes {
            write = write.delete_derived("lane", &lane_key(order.id, lane.number));
        }
        for (given, planned) in order.given.iter().zip(&self.wish.plan.given) {
            if planned.given > 0 {
                let room = i64::from(planned.given) - i64::from(given.given);
                write = count(write, given.state, Count { out: given.given.into(), room }, cause)?;
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
    Before(crate::dynamo::ledger::Answer),
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
fn keep(lane: &mut Lane, chunk: Chunk) {
    lane.reserved.extend(chunk.leads.into_iter().map(|(_, after, hold)| (hold.part, after)));
}

/// How many leads a transaction with this many other actions has room for, beside their part.
fn room_for_leads(actions: usize) -> usize {
    (GuardedWrite::MAX_ACTIONS.saturating_sub(actions + 1) / 3).min(PART_LEADS)
}
