//! Leads in a large order. The order determines how readers see such a lead.
//!
//! A transaction has at most 100 actions, but an order may have thousands of leads. The leads of a large order are
//! therefore written in several transactions, each lead with a [`Reservation`], and the order itself in one. Until the
//! order is open, readers see its leads as they were before. Once the order is fulfilled or deleted, readers see its
//! leads as sold or free, even before this is written to each lead. Only [`StoredLead::visible_under`] implements this,
//! so all readers see the same lead.

use super::{Action, HistoryEntry, Lead, Stock};
use crate::reservations::{OrderEnd, Reservation, ReservationState};

/// A lead as stored in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLead {
    /// The stored fields.
    pub lead: Lead,
    /// The reservation by a large order, if there is one.
    pub reservation: Option<Reservation>,
    /// The number of the search index that has its words.
    pub word_index: u32,
}

impl StoredLead {
    /// The number of the current search index.
    pub const CURRENT_INDEX: u32 = 3;

    /// Creates a lead that is in no large order.
    pub fn free(lead: Lead) -> Self {
        Self { lead, reservation: None, word_index: Self::CURRENT_INDEX }
    }
}

/// Returns the stock of a lead after its order ended.
fn stock_after(end: OrderEnd) -> Stock {
    match end {
        OrderEnd::Fulfilled => Stock::Fulfilled,
        OrderEnd::Deleted => Stock::Unassigned,
    }
}

impl StoredLead {
    /// Returns the lead as all readers see it.
    pub fn visible_under(self, state: &ReservationState) -> Lead {
        let Some(reservation) = self.reservation else { return self.lead };
        match state {
            ReservationState::Open => self.lead,
            ReservationState::Pending => Lead {
                stock: Stock::Unassigned,
                order_id: None,
                version: self.lead.version.previous(),
                updated_at: reservation.updated_at,
                updated_by: reservation.updated_by,
                ..self.lead
            },
            ReservationState::Ended { end, at, by } => {
                let order = self.lead.order_id.filter(|_| *end == OrderEnd::Fulfilled);
                self.lead.moved(stock_after(*end), order, *at, by.clone())
            }
        }
    }

    /// Returns the history entry that is not written yet because the order ended before its leads were updated.
    pub fn pending_entry(&self, state: &ReservationState) -> Option<HistoryEntry> {
        let ReservationState::Ended { end, .. } = state else { return None };
        self.reservation.as_ref()?;
        let after = self.clone().visible_under(state);
        let action = match end {
            OrderEnd::Fulfilled => Action::Fulfilled,
            OrderEnd::Deleted => Action::Returned,
        };
        let entry = HistoryEntry::of_change(&self.lead, &after, action, None);
        Some(match self.lead.order_id {
            Some(order) => entry.about(order),
            None => entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::base::identity::Actor;
    use crate::base::values::OrderId;
    use crate::leads::domain::{LeadId, NewLead};

    fn free() -> Lead {
        let new = serde_json::json!({"name": "Ann", "email": "ann@example.com", "state": "NY"});
        let new: NewLead = serde_json::from_value(new).unwrap();
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[1; 10]);
        new.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("creator")).unwrap()
    }

    fn reserved(free: &Lead) -> StoredLead {
        let now = Timestamp::from_second(60).unwrap();
        let order = OrderId::new(now, &[2; 10]);
        let lead = free.moved(Stock::Assigned, Some(order), now, Actor::new("agent"));
        let reservation =
            Reservation { shard: 0, updated_at: free.updated_at, updated_by: free.updated_by.clone() };
        StoredLead { reservation: Some(reservation), ..StoredLead::free(lead) }
    }

    #[test]
    fn a_reserved_lead_is_unchanged_until_its_order_is_open() {
        assert_eq!(reserved(&free()).visible_under(&ReservationState::Pending), free());
    }

    #[test]
    fn a_reserved_lead_in_an_open_order_is_the_stored_lead() {
        let stored = reserved(&free());
        assert_eq!(stored.clone().visible_under(&ReservationState::Open), stored.lead);
    }

    #[test]
    fn the_end_of_an_order_changes_its_reserved_leads() {
        let (stored, at) = (reserved(&free()), Timestamp::from_second(90).unwrap());
        let ends =
            [(OrderEnd::Fulfilled, Stock::Fulfilled, true), (OrderEnd::Deleted, Stock::Unassigned, false)];
        for (end, stock, keeps_order) in ends {
            let state = ReservationState::Ended { end, at, by: Actor::new("other") };
            let lead = stored.clone().visible_under(&state);
            assert_eq!((lead.stock, lead.version), (stock, stored.lead.version.next()));
            assert_eq!(lead.order_id.is_some(), keeps_order);
            let entry = stored.pending_entry(&state).unwrap();
            assert_eq!((entry.version, entry.order), (lead.version, stored.lead.order_id));
        }
        let free = StoredLead::free(free());
        assert_eq!(free.pending_entry(&ReservationState::Pending), None);
    }
}
