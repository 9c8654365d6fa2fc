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

use super::domain::{By, Fingerprint, NewOrder, Plan, StateStock};
use super::error::OrderError;
use super::items::{Part, Stage, Stamp, StoredOrder, Writing, entry_item, order_item, part_item};
use super::store::{OrderAction, OrderDetail, OrderEntry, Preview};
use super::turn::Turn;
use super::write::{Move, move_lead, new_order, part_lead, stamp, take_room};
use super::{locks, reserve, settle, stock};
use crate::app::App;
use crate::dynamo::ledger::{Answer, Done, Once, Recall};
use crate::dynamo::{Condition, GuardedWrite, StoreError, WriteError};
use crate::leads::domain::{Action, Lead, Stock, StoredLead};
use crate::values::OrderId;

/// Which leads an order would be given now. Writes nothing.
///
/// # Errors
/// [`OrderError::NothingToGive`] if no state gives one.
pub async fn preview(app: &App, new: &NewOrder) -> Result<Preview, OrderError> {
    let stocks = stock::read_all(app, new.requested_states.as_slice(), new.quantity_per_state).await?;
    let plan = Plan::of(&stocks, new.quantity_per_state);
    if plan.is_empty() { Err(OrderError::NothingToGive(plan.given)) } else { Ok(preview_of(plan)) }
}

fn preview_of(mut plan: Plan) -> Preview {
    let (fingerprint, lead_count) = (plan.fingerprint(), plan.leads.len());
    plan.leads.truncate(OrderDetail::MOST_LEADS);
    Preview { fingerprint, given: plan.given, lead_count, leads: plan.leads }
}

/// What an attempt came to.
pub(super) enum Attempt {
    /// The order is there.
    Made(Box<OrderDetail>),
    /// The same request had made it before.
    Before(Answer),
    /// Somebody was faster with a lead or a cap's room; nothing was written.
    Lost,
}

/// What an attempt is made of.
pub(super) struct Wish<'a> {
    pub new: &'a NewOrder,
    pub confirmed: bool,
    pub stocks: &'a [StateStock],
    pub plan: &'a Plan,
    pub stamp: &'a Stamp,
    pub once: Option<&'a Once<'a, OrderDetail>>,
    pub turn: Option<&'a Turn>,
}

/// Creates an order with the oldest free leads, or with exactly the leads of a preview.
///
/// # Errors
/// [`OrderError::NothingToGive`], [`OrderError::PreviewOutdated`], [`OrderError::Crowded`].
pub async fn create(
    app: &App,
    new: &NewOrder,
    confirmed: Option<&Fingerprint>,
    by: &By,
    once: Option<&Once<'_, OrderDetail>>,
) -> Result<Done<OrderDetail>, OrderError> {
    let mut turn = None;
    let done = try_to_create(app, new, confirmed, by, once, &mut turn).await;
    if let Some(turn) = turn
        && let Err(error) = turn.leave(app).await
    {
        // It ends by itself soon; what the order came to stands.
        tracing::warn!(%error, "a turn was not passed on");
    }
    done
}

/// Tries until the order is there or is refused; `turn` is what it holds of a queue at the end.
async fn try_to_create(
    app: &App,
    new: &NewOrder,
    confirmed: Option<&Fingerprint>,
    by: &By,
    once: Option<&Once<'_, OrderDetail>>,
    turn: &mut Option<Turn>,
) -> Result<Done<OrderDetail>, OrderError> {
    let mut retries = app.dynamo.retries();
    let _locked = locks::lock(app, new).await;
    let states = new.requested_states.as_slice();
    // Whether unfinished orders were looked for, and whether there were none before the stock was read.
    let (mut has_looked, mut none_unfinished) = (false, false);
    loop {
        let stocks = stock::read_all(app, states, new.quantity_per_state).await?;
        let plan = Plan::of(&stocks, new.quantity_per_state);
        let short =
            plan.given.iter().zip(&stocks).any(|(given, stock)| given.given < stock.most(given.asked));
        // Leads of an unfinished order are not in the queue: an order that misses leads settles it first, and one that finds
        // none at all waits for those that are being released.
        if (short && !has_looked) || (plan.is_empty() && !none_unfinished) {
            let found = settle::help_states(app, states).await?;
            none_unfinished = found == settle::Found::Nothing;
            let read_again = plan.is_empty() || (found == settle::Found::Settled && !has_looked);
            has_looked = true;
            if read_again {
                if !none_unfinished {
                    retries.backoff().await?;
                }
                continue;
            }
        }
        if plan.is_empty() {
            return refused(app, once, OrderError::NothingToGive(plan.given)).await;
        }
        if confirmed.is_some_and(|confirmed| *confirmed != plan.fingerprint()) {
            return refused(app, once, OrderError::PreviewOutdated(Box::new(preview_of(plan)))).await;
        }
        let stamp = stamp(app, by);
        let (stocks, plan, confirmed) = (&stocks[..], &plan, confirmed.is_some());
        let wish = Wish { new, confirmed, stocks, plan, stamp: &stamp, once, turn: turn.as_ref() };
        match make(app, &wish).await? {
            Attempt::Made(detail) => {
                // It passed the turn on.
                *turn = None;
                return Ok(Done::Now(*detail));
            }
            Attempt::Before(answer) => return Ok(Done::Before(answer)),
            Attempt::Lost => retries.backoff().await?,
        }
        let contended = plan.given.iter().filter(|given| given.given > 0).map(|given| given.state).min();
        if let (None, Some(state)) = (&turn, contended) {
            *turn = Turn::take(app, state).await?;
        }
    }
}

fn make<'a>(app: &'a App, wish: &'a Wish<'a>) -> BoxFuture<'a, Result<Attempt, OrderError>> {
    let states = wish.plan.given.iter().filter(|given| given.given > 0).count();
    // The order, its part, its history, the ledger and the turn; a cap for each state; three for each lead.
    if 5 + states + 3 * wish.plan.leads.len() <= GuardedWrite::MAX_ACTIONS {
        Box::pin(at_once(app, wish))
    } else {
        Box::pin(reserve::reserve(app, wish))
    }
}

/// A request that is refused may be the repetition of one that took what is now missing.
async fn refused(
    app: &App,
    once: Option<&Once<'_, OrderDetail>>,
    error: OrderError,
) -> Result<Done<OrderDetail>, OrderError> {
    match Once::look_up(once, &app.dynamo).await? {
        Recall::Same(answer) => Ok(Done::Before(answer)),
        Recall::Other => Err(OrderError::KeyOfAnotherRequest),
        Recall::Nothing => Err(error),
    }
}

/// The order in one transaction.
async fn at_once(app: &App, wish: &Wish<'_>) -> Result<Attempt, OrderError> {
    let id = OrderId::new(wish.stamp.at, &app.entropy.bytes());
    let detail = detail(id, wish);
    let write = Once::record(wish.once, creation(app, wish, &detail)?, &detail)?;
    match app.dynamo.write(write).await {
        Ok(()) => Ok(Attempt::Made(Box::new(detail))),
        Err(WriteError::Store(error)) => Err(error.into()),
        Err(WriteError::Refused(refusal)) => match Once::recall(wish.once, &refusal)? {
            Recall::Same(answer) => Ok(Attempt::Before(answer)),
            Recall::Other => Err(OrderError::KeyOfAnotherRequest),
            Recall::Nothing => Ok(Attempt::Lost),
        },
    }
}

fn detail(id: OrderId, wish: &Wish<'_>) -> OrderDetail {
    let given = |lead: &Lead| assigned(lead, id, wish.stamp);
    OrderDetail {
        order: new_order(id, wish.new, wish.plan, wish.stamp),
        leads: wish.plan.leads.iter().map(given).collect(),
        leads_next: None,
    }
}

/// A lead as an order takes it.
pub(super) fn assigned(lead: &Lead, order: OrderId, stamp: &Stamp) -> Lead {
    lead.moved(Stock::Assigned, Some(order), stamp.at, stamp.actor.clone())
}

/// The entry of an order's creation.
pub(super) fn entry_of_creation(stamp: &Stamp, version: crate::values::Version) -> OrderEntry {
    OrderEntry {
        version,
        at: stamp.at,
        by: stamp.actor.clone(),
        action: OrderAction::Created,
        reason: None,
        released: None,
        replacement: None,
    }
}

fn creation(app: &App, wish: &Wish<'_>, detail: &OrderDetail) -> Result<GuardedWrite, StoreError> {
    let order = &detail.order;
    let out = wish.plan.given.iter().filter(|given| given.given > 0).map(|given| (given.state, given.given));
    let writing = Writing { stage: Stage::Open, large: false, out: out.collect(), lanes: 0, deadline: None };
    let part = Part { number: 0, leads: detail.leads.iter().filter_map(part_lead).collect(), settled: false };
    let stored = StoredOrder { order: order.clone(), writing };
    let entry = entry_of_creation(wish.stamp, order.version);
    let mut write = app
        .dynamo
        .guarded_write()
        .put("order", order_item(&stored)?, Condition::Absent)
        .put("part", part_item(order.id, &part)?, Condition::Absent)
        .put("history", entry_item(order.id, &entry)?, Condition::Absent);
    if let Some(turn) = wish.turn {
        write = turn.pass(write);
    }
    let cause = wish.stamp.cause.as_ref();
    for (given, stock) in wish.plan.given.iter().zip(wish.stocks).filter(|(given, _)| given.given > 0) {
        write = take_room(write, stock, given.given, true, cause)?;
    }
    for (before, after) in wish.plan.leads.iter().zip(&detail.leads) {
        let before = &StoredLead { lead: before.clone(), hold: None };
        let (order, action) = (order.id, Action::Assigned);
        let one = Move { before, after, hold: None, action, order, reason: None, cause };
        write = move_lead(write, &one)?;
    }
    Ok(write)
}
