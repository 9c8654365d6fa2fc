//! Large orders that were cut off: whoever meets one, and the sweeper, completes it or gives it back.
//!
//! What always holds: every step can be repeated, by several at once; a large order that is being written stands in one
//! partition until nothing of it is left to write, so that the sweeper finds it without looking through the table.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::domain::OrderStatus;
use super::items::{
    ORDER, PARTS, Part, STAGE, Stage, StoredOrder, UNSETTLED, Writing, is_part, lane_key, lead_update,
    order_item, order_key, part_item, part_key, standing, stored_order, unsettled_key,
};
use super::write::{Count, Move, count, move_lead};
use crate::app::App;
use crate::dynamo::{Condition, Item, Key, Select, StoreError, WriteError, from_item, to_item};
use crate::leads::domain::{Action, Standing, StoredLead};
use crate::leads::items::{history_key, lead_key, requeue, stored_lead};
use crate::values::{OrderId, UsState};

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

/// What an order says of its held leads; nothing if it is gone, which it is only after its leads were written.
pub(crate) async fn standing_of(app: &App, id: OrderId) -> Result<Option<Standing>, StoreError> {
    app.dynamo.get(&order_key(id)).await?.map(|item| Ok(standing(item)?.1)).transpose()
}

/// Looks once at all large orders that are being written, and settles those that were cut off. The sweeper calls it every
/// half minute. They are taken in another order each time and have a few seconds each, so that those that cannot be
/// settled keep none of the others back.
///
/// # Errors
/// [`StoreError`] of any of them; doing it again is safe.
pub async fn help(app: &App) -> Result<Found, StoreError> {
    let mut ids: Vec<OrderId> = unsettled(app, usize::MAX).await?.into_iter().map(|mark| mark.id).collect();
    let random = usize::from(u16::from_be_bytes(app.entropy.bytes()));
    let first = random.checked_rem(ids.len()).unwrap_or_default();
    ids.rotate_left(first);
    let settling = ids.into_iter().map(|id| app.dynamo.within(Some(TIME_FOR_ONE), settle(app, id)));
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
pub(super) async fn help_states(app: &App, states: &[UsState]) -> Result<Found, StoreError> {
    let mut found = Found::Nothing;
    for mark in unsettled(app, MOST_PAGES).await?.iter().filter(|mark| mark.concerns(states)) {
        let settled = settle(app, mark.id).await.unwrap_or_else(|error| {
            tracing::warn!(%error, order = %mark.id, "a large order was not settled");
            false
        });
        found = found.max(if settled { Found::Settled } else { Found::Running });
    }
    Ok(found)
}

/// What the table says of a large order that is being written.
struct Mark {
    id: OrderId,
    /// The states of its leads. Versions before did not write them.
    states: Option<Vec<UsState>>,
}

impl Mark {
    fn concerns(&self, states: &[UsState]) -> bool {
        self.states.as_ref().is_none_or(|own| own.iter().any(|state| states.contains(state)))
    }
}

/// The item that marks a large order as being written.
pub(super) fn unsettled_item(id: OrderId, states: impl Iterator<Item = UsState>) -> Result<Item, StoreError> {
    to_item(&unsettled_key(id), &serde_json::json!({ "states": states.collect::<Vec<_>>() }))
}

/// The large orders that are being written, on so many pages at the most.
async fn unsettled(app: &App, pages: usize) -> Result<Vec<Mark>, StoreError> {
    #[derive(Deserialize)]
    struct MarkItem {
        sk: String,
        states: Option<Vec<UsState>>,
    }
    let mut marks = Vec::new();
    let mut select = Select::partition(UNSETTLED, AT_A_LOOK);
    for _ in 0..pages {
        let page = app.dynamo.select(&select).await?;
        let mut last = None;
        for item in page.items {
            let MarkItem { sk, states } = from_item(item)?;
            let Some(id) = sk.strip_prefix("ORDER#").and_then(|id| id.parse().ok()) else { continue };
            marks.push(Mark { id, states });
            last = Some(id);
        }
        let Some(last) = last.filter(|_| page.more) else { break };
        let key = unsettled_key(last);
        select = select.after(&key.sk, &key);
    }
    Ok(marks)
}

/// Settles one order if it was cut off; says whether nothing is left to do.
pub(crate) async fn settle(app: &App, id: OrderId) -> Result<bool, StoreError> {
    let Some(item) = app.dynamo.get(&order_key(id)).await? else {
        let write = app
            .dynamo
            .guarded_write()
            .check("order", &order_key(id), Condition::Absent)
            .delete_derived("unsettled", &unsettled_key(id));
        return lenient(app.dynamo.write(write).await);
    };
    let stored = stored_order(item)?;
    match stored.writing.stage {
        Stage::Preparing if stored.writing.deadline.is_some_and(|deadline| app.clock.now() < deadline) => {
            Ok(false)
        }
        Stage::Preparing => give_up(app, &stored).await.map(|()| true),
        Stage::Aborted => give_back(app, id).await.map(|()| true),
        Stage::Fulfilled | Stage::Deleted => follow(app, &stored).await.map(|()| true),
        Stage::Open => {
            let write = app
                .dynamo
                .guarded_write()
                .check("order", &order_key(id), Condition::is(STAGE, Stage::Open.as_str()))
                .delete_derived("unsettled", &unsettled_key(id));
            lenient(app.dynamo.write(write).await)
        }
    }
}

/// A write that several do at once: whoever is refused finds it done.
fn lenient(written: Result<(), WriteError>) -> Result<bool, StoreError> {
    match written {
        Ok(()) | Err(WriteError::Refused(_)) => Ok(true),
        Err(WriteError::Store(error)) => Err(error),
    }
}

/// Gives a reservation up, if it was not completed meanwhile: in one transaction no part can be added any more and the
/// room under the caps is free; then the leads go back.
pub(super) async fn give_up(app: &App, stored: &StoredOrder) -> Result<(), StoreError> {
    let (order, writing) = (&stored.order, &stored.writing);
    let aborted = Writing { stage: Stage::Aborted, deadline: None, ..writing.clone() };
    let item = order_item(&StoredOrder { order: order.clone(), writing: aborted })?;
    let preparing = Condition::is(STAGE, Stage::Preparing.as_str());
    let mut write = app.dynamo.guarded_write().put("order", item, preparing);
    for lane in 0..writing.lanes {
        write = write.delete_derived("lane", &lane_key(order.id, lane));
    }
    for given in order.given.iter().filter(|given| given.given > 0) {
        write = count(write, given.state, Count { out: 0, room: given.given.into() }, None)?;
    }
    match app.dynamo.write(write).await {
        Ok(()) => give_back(app, order.id).await,
        Err(WriteError::Store(error)) => Err(error),
        Err(WriteError::Refused(_)) => match app.dynamo.get(&order_key(order.id)).await? {
            Some(item) if stored_order(item.clone())?.writing.stage == Stage::Aborted => {
                give_back(app, order.id).await
            }
            _ => Ok(()),
        },
    }
}

/// Makes the leads of a reservation that was given up what they were, and then forgets the order.
async fn give_back(app: &App, id: OrderId) -> Result<(), StoreError> {
    let parts = parts_of(app, id).await?;
    let works = parts.into_iter().map(|part| give_part_back(app, id, part));
    stream::iter(works.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    forget(app, id, Stage::Aborted).await
}

async fn forget(app: &App, id: OrderId, stage: Stage) -> Result<(), StoreError> {
    let write = app
        .dynamo
        .guarded_write()
        .delete("order", &order_key(id), Condition::is(STAGE, stage.as_str()))
        .delete_derived("unsettled", &unsettled_key(id));
    lenient(app.dynamo.write(write).await).map(drop)
}

/// All parts of an order.
pub(super) async fn parts_of(app: &App, id: OrderId) -> Result<Vec<Part>, StoreError> {
    let (pk, mut first) = (order_key(id).pk, PARTS.to_owned());
    let mut parts = Vec::new();
    loop {
        let page = app.dynamo.select(&Select::partition(&*pk, 1_000).between(&*first, ORDER)).await?;
        let more = page.more;
        for item in page.items.into_iter().filter(is_part) {
            let part: Part = from_item(item)?;
            first = part_key(id, part.number + 1).sk;
            parts.push(part);
        }
        if !more {
            return Ok(parts);
        }
    }
}

/// The leads of a part that an order still holds, as they are written.
async fn held(app: &App, id: OrderId, part: &Part) -> Result<Vec<StoredLead>, StoreError> {
    let keys: Vec<Key> = part.leads.iter().map(|lead| lead_key(lead.id)).collect();
    let leads = app.dynamo.get_all(&keys).await?.into_iter().map(stored_lead);
    let mut leads = leads.collect::<Result<Vec<_>, _>>()?;
    leads.retain(|stored| stored.hold.is_some() && stored.lead.order_id == Some(id));
    Ok(leads)
}

async fn give_part_back(app: &App, id: OrderId, part: Part) -> Result<(), StoreError> {
    let mut retries = app.dynamo.retries();
    loop {
        let mut write = app.dynamo.guarded_write().delete_derived("part", &part_key(id, part.number));
        for stored in held(app, id, &part).await? {
            let (lead, before) = (stored.lead.clone(), stored.settled(&Standing::Pending));
            let same = Condition::is_number("version", lead.version.get())
                .and(Condition::is("orderId", id.to_string()));
            let update = lead_update(&lead, &before, None, None)?;
            write = write
                .update("lead", &lead_key(lead.id), &update, same)
                .delete_derived("lead history", &history_key(lead.id, lead.version));
            write = requeue(write, None, Some(&before))?;
        }
        match app.dynamo.write(write).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::Refused(_)) => retries.backoff().await?,
        }
    }
}

/// Writes the leads of a large order that is over as its end made them.
pub(super) async fn follow(app: &App, stored: &StoredOrder) -> Result<(), StoreError> {
    let id = stored.order.id;
    let parts = parts_of(app, id).await?.into_iter().filter(|part| !part.settled);
    let works: Vec<_> = parts.map(|part| follow_part(app, stored, part)).collect();
    stream::iter(works).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    if stored.writing.stage == Stage::Deleted {
        return forget(app, id, Stage::Deleted).await;
    }
    let write = app.dynamo.guarded_write().delete_derived("unsettled", &unsettled_key(id));
    lenient(app.dynamo.write(write).await).map(drop)
}

/// Writes one held lead and those of its part as their order's end made them, or settles the whole order where it has
/// not ended.
pub(crate) async fn settle_part(app: &App, id: OrderId, number: u32) -> Result<(), StoreError> {
    let Some(item) = app.dynamo.get(&order_key(id)).await? else { return Ok(()) };
    let stored = stored_order(item)?;
    if !matches!(stored.writing.stage, Stage::Fulfilled | Stage::Deleted) {
        return settle(app, id).await.map(drop);
    }
    match app.dynamo.get(&part_key(id, number)).await? {
        Some(item) => follow_part(app, &stored, from_item(item)?).await,
        None => Ok(()),
    }
}

async fn follow_part(app: &App, stored: &StoredOrder, part: Part) -> Result<(), StoreError> {
    let (order, id) = (&stored.order, stored.order.id);
    let (_, standing) = standing(order_item(stored)?)?;
    let fulfilled = order.status == OrderStatus::Fulfilled;
    let action = if fulfilled { Action::Fulfilled } else { Action::Returned };
    let mut retries = app.dynamo.retries();
    loop {
        let mut write = app.dynamo.guarded_write();
        for before in held(app, id, &part).await? {
            let after = before.clone().settled(&standing);
            let (before, after, cause) = (&before, &after, order.cause.as_ref());
            let one = Move { before, after, hold: None, action, order: id, reason: None, cause };
            write = move_lead(write, &one)?;
        }
        write = if fulfilled {
            write.put("part", part_item(id, &Part { settled: true, ..part.clone() })?, Condition::Exists)
        } else {
            write.delete_derived("part", &part_key(id, part.number))
        };
        match app.dynamo.write(write).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::Refused(_)) => retries.backoff().await?,
        }
    }
}
