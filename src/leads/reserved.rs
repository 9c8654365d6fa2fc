//! Reads through the holds of large orders: a held lead is what its order says of it, for every reader alike.

use std::collections::HashMap;

use super::domain::{HistoryEntry, LeadId, StoredLead};
use super::error::LeadError;
use super::items::{STORED, lead_key, stored_lead};
use crate::base::values::OrderId;
use crate::leads::Leads;
use crate::reservations::{self, PHASE, Phase, ReservationState, order_key};
use crate::store::{Condition, GuardedWrite, StoreError};

impl Leads {
    /// A lead as readers see it, or nothing if it must be read again. One that is no longer what is written has no hold: a
    /// change of it must wait until it is written, and finds that by its version.
    pub(super) async fn resolve(&self, stored: StoredLead) -> Result<Option<StoredLead>, StoreError> {
        Ok(self.standing_for(&stored).await?.map(|standing| seen(stored, &standing)))
    }

    /// The same for many at once, by at most one call for each hundred, and two more where orders are over. Leads that are
    /// gone by then are left out.
    pub(super) async fn resolve_all(
        &self,
        mut stored: Vec<StoredLead>,
    ) -> Result<Vec<StoredLead>, StoreError> {
        let mut retries = self.dynamo.retries();
        loop {
            let standings =
                reservations::states(&self.dynamo, stored.iter().filter_map(order_of).collect()).await?;
            let standing = |stored: &StoredLead| match order_of(stored) {
                Some(order) => standings.get(&order),
                None => Some(&ReservationState::Open),
            };
            let unsure =
                |stored: &StoredLead| matches!(standing(stored), None | Some(ReservationState::Ended { .. }));
            let before: Vec<LeadId> =
                stored.iter().filter(|stored| unsure(stored)).map(|stored| stored.lead.id).collect();
            let now = self.read_again(&before).await?;
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

    /// Leads as they are written now, by their ids.
    async fn read_again(&self, ids: &[LeadId]) -> Result<HashMap<LeadId, StoredLead>, StoreError> {
        let mut leads = HashMap::new();
        for ids in ids.chunks(100) {
            let keys: Vec<_> = ids.iter().map(|id| lead_key(*id)).collect();
            for item in self.dynamo.get_parts(&keys, &STORED).await? {
                let stored = stored_lead(item)?;
                leads.insert(stored.lead.id, stored);
            }
        }
        Ok(leads)
    }

    /// A lead with the newest entries of its history, both as readers see them, or nothing if they must be read again.
    pub(super) async fn resolve_with_history(
        &self,
        stored: StoredLead,
        mut entries: Vec<HistoryEntry>,
    ) -> Result<Option<(StoredLead, Vec<HistoryEntry>)>, StoreError> {
        let Some(standing) = self.standing_for(&stored).await? else { return Ok(None) };
        if let Some(entry) = stored.entry_to_come(&standing) {
            entries.insert(0, entry);
        }
        let seen = seen(stored, &standing);
        entries.retain(|entry| entry.version <= seen.lead.version);
        Ok(Some((seen, entries)))
    }

    /// What the order of a lead says of it, if that and the lead belong together: an order that is gone wrote its leads
    /// before it went, and while an order was open a lead in it may have changed.
    async fn standing_for(&self, stored: &StoredLead) -> Result<Option<ReservationState>, StoreError> {
        let Some(order) = order_of(stored) else { return Ok(Some(ReservationState::Open)) };
        match reservations::state(&self.dynamo, order).await? {
            Some(standing @ ReservationState::Ended { .. }) => {
                let id = stored.lead.id;
                let is_same = self.read_again(&[id]).await?.get(&id) == Some(stored);
                Ok(is_same.then_some(standing))
            }
            standing => Ok(standing),
        }
    }
}

fn order_of(stored: &StoredLead) -> Option<OrderId> {
    stored.lead.order_id.filter(|_| stored.reservation.is_some())
}

fn seen(stored: StoredLead, standing: &ReservationState) -> StoredLead {
    let reservation = stored.reservation.clone().filter(|_| *standing == ReservationState::Open);
    StoredLead { lead: stored.settled(standing), reservation }
}

/// Lets a change of a held lead happen only while its order is open.
pub(super) fn check_open(write: GuardedWrite, order: OrderId) -> GuardedWrite {
    write.check("order", &order_key(order), Condition::is(PHASE, Phase::Open.as_str()))
}

impl Leads {
    /// Settles the large order that stands between a lead and a change of it: completes it, or gives back what it had
    /// reserved. Returns whether one stands there, so that the change is to be tried again in a moment.
    pub(super) async fn reconcile(&self, stored: &StoredLead) -> Result<bool, LeadError> {
        let (Some(order), Some(reservation)) = (order_of(stored), &stored.reservation) else {
            return Ok(false);
        };
        match reservations::state(&self.dynamo, order).await? {
            Some(ReservationState::Open) => return Ok(false),
            Some(_) => self.reconciler.reconcile_part(order, reservation.part).await?,
            // It wrote its leads before it went.
            None => {}
        }
        Ok(true)
    }
}
