//! Leads in a large order: what such a lead is, its order says.
//!
//! A transaction holds 100 actions, and an order may have thousands of leads. So the leads of a large order are written
//! in several transactions, each lead with a hold, and the order itself in one: until it is open, its leads are what they
//! were; once it is fulfilled or deleted, they are what that makes of them, whether or not it was written yet.
//! [`StoredLead::settled`] is the one place that says so, and gives every reader the same lead.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Action, Actor, HistoryEntry, Lead, Stock};

/// The mark of a lead in a large order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The part of the order's leads in which it stands.
    pub part: u32,
    /// When the lead was changed last before the order.
    pub updated_at: Timestamp,
    /// By whom.
    pub updated_by: Actor,
}

/// A lead as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLead {
    /// Its fields.
    pub lead: Lead,
    /// The mark of a large order.
    pub hold: Option<Hold>,
}

/// What a large order says of its leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is not there yet, or will never be.
    Pending,
    /// It is open: what is written is so.
    Open,
    /// It is over: since when, and who ended it so.
    Over {
        /// FULFILLED, or UNASSIGNED where it was deleted.
        stock: Stock,
        /// When.
        at: Timestamp,
        /// By whom.
        by: Actor,
    },
}

impl StoredLead {
    /// The lead as every reader is to see it.
    pub fn settled(self, standing: &Standing) -> Lead {
        let Some(hold) = self.hold else { return self.lead };
        match standing {
            Standing::Open => self.lead,
            Standing::Pending => Lead {
                stock: Stock::Unassigned,
                order_id: None,
                version: self.lead.version.previous(),
                updated_at: hold.updated_at,
                updated_by: hold.updated_by,
                ..self.lead
            },
            Standing::Over { stock, at, by } => {
                let order = self.lead.order_id.filter(|_| *stock == Stock::Fulfilled);
                self.lead.moved(*stock, order, *at, by.clone())
            }
        }
    }

    /// The history entry that settling adds to what is written, if it adds one.
    pub fn entry_to_come(&self, standing: &Standing) -> Option<HistoryEntry> {
        let Standing::Over { stock, .. } = standing else { return None };
        self.hold.as_ref()?;
        let after = self.clone().settled(standing);
        let action = if *stock == Stock::Fulfilled { Action::Fulfilled } else { Action::Returned };
        let entry = HistoryEntry::of_change(&self.lead, &after, action, None);
        Some(match self.lead.order_id {
            Some(order) => entry.about(order),
            None => entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leads::domain::{LeadId, NewLead};
    use crate::values::OrderId;

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
        let hold = Hold { part: 0, updated_at: free.updated_at, updated_by: free.updated_by.clone() };
        StoredLead { lead, hold: Some(hold) }
    }

    #[test]
    fn until_its_order_is_there_a_held_lead_is_what_it_was() {
        assert_eq!(held(&free()).settled(&Standing::Pending), free());
    }

    #[test]
    fn in_an_open_order_a_held_lead_is_what_is_written() {
        let stored = held(&free());
        assert_eq!(stored.clone().settled(&Standing::Open), stored.lead);
    }

    #[test]
    fn once_its_order_is_over_a_held_lead_is_what_that_makes_of_it() {
        let (stored, at) = (held(&free()), Timestamp::from_second(90).unwrap());
        for (stock, keeps_order) in [(Stock::Fulfilled, true), (Stock::Unassigned, false)] {
            let standing = Standing::Over { stock, at, by: Actor::new("other") };
            let lead = stored.clone().settled(&standing);
            assert_eq!((lead.stock, lead.version), (stock, stored.lead.version.next()));
            assert_eq!(lead.order_id.is_some(), keeps_order);
            let entry = stored.entry_to_come(&standing).unwrap();
            assert_eq!((entry.version, entry.order), (lead.version, stored.lead.order_id));
        }
        let free = StoredLead { lead: free(), hold: None };
        assert_eq!(free.entry_to_come(&Standing::Pending), None);
    }
}
