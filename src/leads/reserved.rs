//! Resolves the reservations of large orders: a reserved lead depends on the state of its order, for all readers alike.

use std::collections::HashMap;

use super::domain::{HistoryEntry, LeadId, StoredLead};
use super::error::LeadError;
use super::items::{STORED, lead_key, stored_lead};
use crate::base::values::OrderId;
use crate::leads::Leads;
use crate::reservations::{self, PHASE, Phase, ReservationState, order_key};
use crate::store::{Condition, GuardedWrite, StoreError};

impl Leads {
    /// Returns a lead as readers see it, or `None` if it must be read again. The result has a reservation only if it
    /// equals the stored lead. Otherwise a change must wait until the lead is updated, which the condition on its
    /// version enforces.
    pub(super) async fn resolve(&self, stored: StoredLead) -> Result<Option<StoredLead>, StoreError> {
        Ok(self.reservation_state(&stored).await?.map(|state| resolved(stored, &state)))
    }

    /// Returns many leads as readers see them, with at most one call for each hundred, and two more if orders have
    /// ended. Leads that were deleted since are left out.
    pub(super) async fn resolve_all(
        &self,
        mut stored: Vec<StoredLead>,
    ) -> Result<Vec<StoredLead>, StoreError> {
        let mut retries = self.dynamo.retries();
        loop {
            let states =
                reservations::states(&self.dynamo, stored.iter().filter_map(order_of).collect()).await?;
            let state = |stored: &StoredLead| match order_of(stored) {
                Some(order) => states.get(&order),
                None => Some(&ReservationState::Open),
            };
            let needs_reread =
                |stored: &StoredLead| matches!(state(stored), None | Some(ReservationState::Ended { .. }));
            let before: Vec<LeadId> =
                stored.iter().filter(|stored| needs_reread(stored)).map(|stored| stored.lead.id).collect();
            let now = self.reread(&before).await?;
            let is_consistent = |stored: &StoredLead| {
                !needs_reread(stored) || (state(stored).is_some() && now.get(&stored.lead.id) == Some(stored))
            };
            if stored.iter().all(is_consistent) {
                let resolve = |stored: StoredLead| match state(&stored).cloned() {
                    Some(state) => resolved(stored, &state),
                    None => stored,
                };
                return Ok(stored.into_iter().map(resolve).collect());
            }
            let fresh = |stored: StoredLead| match needs_reread(&stored) {
                true => now.get(&stored.lead.id).cloned(),
                false => Some(stored),
            };
            stored = stored.into_iter().filter_map(fresh).collect();
            retries.backoff().await?;
        }
    }

    /// Reads the stored leads again, by id.
    async fn reread(&self, ids: &[LeadId]) -> Result<HashMap<LeadId, StoredLead>, StoreError> {
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

    /// Returns a lead and the newest entries of its history as readers see them, or `None` if they must be read again.
    pub(super) async fn resolve_with_history(
        &self,
        stored: StoredLead,
        mut entries: Vec<HistoryEntry>,
    ) -> Result<Option<(StoredLead, Vec<HistoryEntry>)>, StoreError> {
        let Some(state) = self.reservation_state(&stored).await? else { return Ok(None) };
        if let Some(entry) = stored.pending_entry(&state) {
            entries.insert(0, entry);
        }
        let lead = resolved(stored, &state);
        entries.retain(|entry| entry.version <= lead.lead.version);
        Ok(Some((lead, entries)))
    }

    /// Returns the state of a lead's reservation, or `None` if the lead that was read is outdated: a deleted order
    /// updates its leads before it disappears, and a lead may change while its order is open.
    async fn reservation_state(&self, stored: &StoredLead) -> Result<Option<ReservationState>, StoreError> {
        let Some(order) = order_of(stored) else { return Ok(Some(ReservationState::Open)) };
        match reservations::state(&self.dynamo, order).await? {
            Some(state @ ReservationState::Ended { .. }) => {
                let id = stored.lead.id;
                let is_same = self.reread(&[id]).await?.get(&id) == Some(stored);
                Ok(is_same.then_some(state))
            }
            state => Ok(state),
        }
    }
}

fn order_of(stored: &StoredLead) -> Option<OrderId> {
    stored.lead.order_id.filter(|_| stored.reservation.is_some())
}

fn resolved(stored: StoredLead, state: &ReservationState) -> StoredLead {
    let reservation = stored.reservation.clone().filter(|_| *state == ReservationState::Open);
    let word_index = stored.word_index;
    StoredLead { lead: stored.visible_under(state), reservation, word_index }
}

/// Adds the condition that the order of a reserved lead is open.
pub(super) fn check_open(write: GuardedWrite, order: OrderId) -> GuardedWrite {
    write.check("order", &order_key(order), Condition::is(PHASE, Phase::Open.as_str()))
}

impl Leads {
    /// Reconciles the large order that blocks a change of a lead: completes the order or releases its reservations.
    /// Returns whether there is such an order, so that the caller retries the change.
    pub(super) async fn reconcile(&self, stored: &StoredLead) -> Result<bool, LeadError> {
        let (Some(order), Some(reservation)) = (order_of(stored), &stored.reservation) else {
            return Ok(false);
        };
        match reservations::state(&self.dynamo, order).await? {
            Some(ReservationState::Open) => return Ok(false),
            Some(_) => self.reconciler.reconcile_shard(order, reservation.shard).await?,
            // The order updated its leads before it was deleted.
            None => {}
        }
        Ok(true)
    }
}
