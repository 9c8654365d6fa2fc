//! Reads through the holds of large orders: a held lead is what its order says of it, for every reader alike.

use std::collections::HashMap;

use super::domain::{HistoryEntry, Standing, StoredLead};
use super::error::LeadError;
use crate::app::App;
use crate::dynamo::{Condition, GuardedWrite, StoreError};
use crate::orders::items::{STAGE, Stage, order_key, standing};
use crate::orders::settle;
use crate::values::OrderId;

/// A lead as readers see it. One that is no longer what is written has no hold: a change of it must wait until it is
/// written, and finds that by its version.
pub(super) async fn see(app: &App, stored: StoredLead) -> Result<StoredLead, StoreError> {
    match order_of(&stored) {
        Some(order) => Ok(seen(stored, &settle::standing_of(app, order).await?)),
        None => Ok(stored),
    }
}

/// The same for many at once, by at most one call for each hundred.
pub(super) async fn see_all(app: &App, stored: Vec<StoredLead>) -> Result<Vec<StoredLead>, StoreError> {
    let mut orders: Vec<OrderId> = stored.iter().filter_map(order_of).collect();
    orders.sort_unstable();
    orders.dedup();
    let mut standings: HashMap<OrderId, Standing> = HashMap::new();
    for orders in orders.chunks(100) {
        let keys: Vec<_> = orders.iter().map(|order| order_key(*order)).collect();
        for item in app.dynamo.get_all(&keys).await? {
            let (order, said) = standing(item)?;
            standings.insert(order, said);
        }
    }
    let see = |stored: StoredLead| match order_of(&stored) {
        Some(order) => seen(stored, standings.get(&order).unwrap_or(&Standing::Pending)),
        None => stored,
    };
    Ok(stored.into_iter().map(see).collect())
}

/// A lead with the newest entries of its history, both as readers see them.
pub(super) async fn see_with_history(
    app: &App,
    stored: StoredLead,
    mut entries: Vec<HistoryEntry>,
) -> Result<(StoredLead, Vec<HistoryEntry>), StoreError> {
    let Some(order) = order_of(&stored) else { return Ok((stored, entries)) };
    let standing = settle::standing_of(app, order).await?;
    if let Some(entry) = stored.entry_to_come(&standing) {
        entries.insert(0, entry);
    }
    let seen = seen(stored, &standing);
    entries.retain(|entry| entry.version <= seen.lead.version);
    Ok((seen, entries))
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

/// Settles the large order that stands between a lead and a change of it, if one does: completes it, gives back what
/// it had reserved, or waits a moment for the request that is at it.
pub(super) async fn settle(app: &App, stored: &StoredLead, attempt: u32) -> Result<bool, LeadError> {
    let Some(order) = order_of(stored) else { return Ok(false) };
    if settle::standing_of(app, order).await? == Standing::Open {
        return Ok(false);
    }
    match &stored.hold {
        Some(hold) => settle::settle_part(app, order, hold.part).await?,
        None => return Ok(false),
    }
    app.dynamo.pause(attempt + 2).await;
    Ok(true)
}
