//! Leads in a large order: what such a lead is, its order says.
//!
//! A transaction holds 100 actions, and an order may have thousands of leads. So the leads of a large order are written
//! in several transactions, each lead with a hold, and the order itself in one: until it is open, its leads are what they
//! were; once it is fulfilled or deleted, they are what that makes of them, whether or not it was written yet.
//! [`StoredLead::settled`] is the one place that says so, and gives every reader the same lead.

use super::{Action, HistoryEntry, Lead, Stock};
use crate::reservations::{OrderEnd, Reservation, ReservationState};

/// A lead as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLead {
    /// Its fields.
    pub lead: Lead,
    /// The mark of a large order.
    pub reservation: Option<Reservation>,
}

/// The stock of a lead after its order ended.
fn stock_after(end: OrderEnd) -> Stock {
    match end {
        OrderEnd::Fulfilled => Stock::Fulfilled,
        OrderEnd::Deleted => Stock::Unassigned,
    }
}

impl StoredLead {
    /// The lead as every reader is to see it.
    pub fn settled(self, state: &ReservationState) -> Lead {
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

    /// The history entry that settling adds to what is written, if it adds one.
    pub fn entry_to_come(&self, state: &ReservationState) -> Option<HistoryEntry> {
        let ReservationState::Ended { end, .. } = state else { return None };
        self.reservation.as_ref()?;
        let after = self.clone().settled(state);
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

    fn held(free: &Lead) -> StoredLead {
        let now = Timestamp::from_second(60).unwrap();
        let order = OrderId::new(now, &[2; 10]);
        let lead = free.moved(Stock::Assigned, Some(order), now, Actor::new("agent"));
        let reservation =
            Reservation { part: 0, updated_at: free.updated_at, updated_by: free.updated_by.clone() };
        StoredLead { lead, reservation: Some(reservation) }
    }

    #[test]
    fn until_its_order_is_there_a_held_lead_is_what_it_was() {
        assert_eq!(held(&free()).settled(&ReservationState::Pending), free());
    }

    #[test]
    fn in_an_open_order_a_held_lead_is_what_is_written() {
        let stored = held(&free());
        assert_eq!(stored.clone().settled(&ReservationState::Open), stored.lead);
    }

    #[test]
    fn once_its_order_is_over_a_held_lead_is_what_that_makes_of_it() {
        let (stored, at) = (held(&free()), Timestamp::from_second(90).unwrap());
        let ends =
            [(OrderEnd::Fulfilled, Stock::Fulfilled, true), (OrderEnd::Deleted, Stock::Unassigned, false)];
        for (end, stock, keeps_order) in ends {
            let standing = ReservationState::Ended { end, at, by: Actor::new("other") };
            let lead = stored.clone().settled(&standing);
            assert_eq!((lead.stock, lead.version), (stock, stored.lead.version.next()));
            assert_eq!(lead.order_id.is_some(), keeps_order);
            let entry = stored.entry_to_come(&standing).unwrap();
            assert_eq!((entry.version, entry.order), (lead.version, stored.lead.order_id));
        }
        let free = StoredLead { lead: free(), reservation: None };
        assert_eq!(free.entry_to_come(&ReservationState::Pending), None);
    }
}
