//! Reads through the holds of large orders: a held lead is what its order says of it, for every reader alike.

use std::collections::HashMap;

use super::domain::{HistoryEntry, LeadId, Standing, StoredLead};
use super::error::LeadError;
use super::items::{STORED, lead_key, stored_lead};
use crate::app::App;
use crate::dynamo::{Condition, GuardedWrite, StoreError};
use crate::orders::items::{STAGE, Stage, order_key, standing};
use crate::orders::settle;
use crate::values::OrderId;

/// A lead as readers see it, or nothing if it must be read again. One that is no longer what is written has no hold: a
/// change of it must wait until it is written, and finds that by its version.
pub(super) async fn see(app: &App, stored: StoredLead) -> Result<Option<StoredLead>, StoreError> {
    Ok(standing_for(app, &stored).await?.map(|standing| seen(stored, &standing)))
}

/// The same for many at once, by at most one call for each hundred, and two more where orders are over. Leads that are
/// gone by then are left out.
pub(super) async fn see_all(app: &App, mut stored: Vec<StoredLead>) -> Result<Vec<StoredLead>, StoreError> {
    let mut retries = app.dynamo.retries();
    loop {
        let standings = standings_of(app, &stored).await?;
        let standing = |stored: &StoredLead| match order_of(stored) {
            Some(order) => standings.get(&order),
            None => Some(&Standing::Open),
        };
        let unsure = |stored: &StoredLead| matches!(standing(stored), None | Some(Standing::Over { .. }));
        let before: Vec<LeadId> =
            stored.iter().filter(|stored| unsure(stored)).map(|stored| stored.lead.id).collect();
        let now = read_again(app, &before).await?;
        let is_sure = |stored: &StoredLead| {
            !unsure(stored) || (standing(stored).is_some() && now.get(&stored.lead.id) == Some(stored))
        };
        if stored.iter().all(is_sure) {
            let see = |stored: StoredLead| match standing(&stored).cloned() {
                Some(standing) => seen(stored, &standing),
                None => stored,
            };
            return Ok(stored.into_iter().map(see).collect());
        }
        let fresh = |stored: StoredLead| match unsure(&stored) {
            true => now.get(&stored.lead.id).cloned(),
            false => Some(stored),
        };
        stored = stored.into_iter().filter_map(fresh).collect();
        retries.backoff().await?;
    }
}

/// What the orders of held leads say of them; those that are gone say nothing.
async fn standings_of(app: &App, stored: &[StoredLead]) -> Result<HashMap<OrderId, Standing>, StoreError> {
    let mut orders: Vec<OrderId> = stored.iter().filter_map(order_of).collect();
    orders.sort_unstable();
    orders.dedup();
    let mut standings = HashMap::new();
    for orders in orders.chunks(100) {
        let keys: Vec<_> = orders.iter().map(|order| order_key(*order)).collect();
        for item in app.dynamo.get_all(&keys).await? {
            let (order, said) = standing(item)?;
            standings.insert(order, said);
        }
    }
    Ok(standings)
}

/// Leads as they are written now, by their ids.
async fn read_again(app: &App, ids: &[LeadId]) -> Result<HashMap<LeadId, StoredLead>, StoreError> {
    let mut leads = HashMap::new();
    for ids in ids.chunks(100) {
        let keys: Vec<_> = ids.iter().map(|id| lead_key(*id)).collect();
        for item in app.dynamo.get_parts(&keys, &STORED).await? {
            let stored = stored_lead(item)?;
            leads.insert(stored.lead.id, stored);
        }
    }
    Ok(leads)
}

/// A lead with the newest entries of its history, both as readers see them, or nothing if they must be read again.
pub(super) async fn see_with_history(
    app: &App,
    stored: StoredLead,
    mut entries: Vec<HistoryEntry>,
) -> Result<Option<(StoredLead, Vec<HistoryEntry>)>, StoreError> {
    let Some(standing) = standing_for(app, &stored).await? else { return Ok(None) };
    if let Some(entry) = stored.entry_to_come(&standing) {
        entries.insert(0, entry);
    }
    let seen = seen(stored, &standing);
    entries.retain(|entry| entry.version <= seen.lead.version);
    Ok(Some((seen, entries)))
}

/// What the order of a lead says of it, if that and the lead belong together: an order that is gone wrote its leads
/// before it went, and while an order was open a lead in it may have changed.
async fn standing_for(app: &App, stored: &StoredLead) -> Result<Option<Standing>, StoreError> {
    let Some(order) = order_of(stored) else { return Ok(Some(Standing::Open)) };
    match settle::standing_of(app, order).await? {
        Some(standing @ Standing::Over { .. }) => {
            let id = stored.lead.id;
            let is_same = read_again(app, &[id]).await?.get(&id) == Some(stored);
            Ok(is_same.then_some(standing))
        }
        standing => Ok(standing),
    }
}

fn order_of(stored: &StoredLead) -> Option<OrderId> {
    stored.lead.order_id.filter(|_| stored.hold.is_some())
}

fn seen(stored: StoredLead, standing: &Standing) -> StoredLead {
    let hold = stored.hold.clone().filter(|_| *standing == Standing::Open);
    StoredLead { lead: stored.settled(standing), hold }
}

/// Lets a change of a held lead happen only while its order is open.
pub(super) fn check_open(write: GuardedWrite, order: OrderId) -> GuardedWrite {
    write.check("order", &order_key(order), Condition::is(STAGE, Stage::Open.as_str()))
}

/// Settles the large order that stands between a lead and a change of it: completes it, or gives back what it had
/// reserved. Returns whether one stands there, so that the change is to be tried again in a moment.
pub(super) async fn settle(app: &App, stored: &StoredLead) -> Result<bool, LeadError> {
    let (Some(order), Some(hold)) = (order_of(stored), &stored.hold) else { return Ok(false) };
    match settle::standing_of(app, order).await? {
        Some(Standing::Open) => return Ok(false),
        Some(_) => settle::settle_part(app, order, hold.part).await?,
        // It wrote its leads before it went.
        None => {}
    }
    Ok(true)
}
