//! Plans: how many leads each state gives to an order, and why.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Cap, Quantity};
use crate::base::values::{UsState, text_type};
use crate::leads::domain::{Lead, LeadId};

/// How many leads a state gives to an order, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    /// The state.
    pub state: UsState,
    /// How many leads were requested. If absent, as many as the cap leaves.
    pub asked: Option<Quantity>,
    /// How many free leads the order read.
    pub in_stock: u64,
    /// Whether the state had more free leads than the order read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_in_stock: bool,
    /// The most leads that may be in open orders.
    pub cap: Cap,
    /// How many leads were already in other open orders.
    pub already_out: u32,
    /// How many leads the state gives.
    pub given: u32,
}

impl Given {
    /// Says why the state gives that many leads.
    pub fn why(&self) -> &'static str {
        if self.asked.is_some_and(|asked| asked.get() == self.given) {
            "as asked"
        } else if self.already_out >= self.cap.get() {
            "cap reached"
        } else if self.in_stock == 0 {
            "none in stock"
        } else if u64::from(self.given) >= self.in_stock && !self.more_in_stock {
            "all available"
        } else {
            "up to the cap"
        }
    }

    /// Formats how many leads were free: `12`, or `35+` if there were more.
    pub fn in_stock_words(&self) -> String {
        format!("{}{}", self.in_stock, if self.more_in_stock { "+" } else { "" })
    }
}

/// The stock of a state, as read: its cap and its oldest free leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateStock {
    /// The state.
    pub state: UsState,
    /// The most leads that may be in open orders.
    pub cap: Cap,
    /// How many leads are in open orders.
    pub out: u32,
    /// How many more leads may go out. Negative if the cap was lowered below the number of leads that are
    /// out. Leads that other requests have just reserved count as out here.
    pub remaining: i64,
    /// Whether the cap is stored. It is not stored until it is set or used.
    pub stored: bool,
    /// The oldest free leads, oldest first: at least as many as the order may get, if there are that many.
    pub oldest: Vec<Lead>,
    /// Whether `oldest` contains all free leads.
    pub complete: bool,
}

impl StateStock {
    /// Returns the most leads that this state may give to an order that requests `quantity`.
    pub fn most(&self, quantity: Option<Quantity>) -> u32 {
        let remaining = u32::try_from(self.remaining.max(0)).unwrap_or(u32::MAX);
        quantity.map_or(remaining, |quantity| remaining.min(quantity.get()))
    }
}

/// The leads that an order takes, state by state in the order in which the states were requested.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// How many leads each state gives, and why.
    pub given: Vec<Given>,
    /// The leads, state by state, oldest first.
    pub leads: Vec<Lead>,
}

impl Plan {
    /// Plans an order that requests `quantity` leads of each state.
    pub fn of(stocks: &[StateStock], quantity: Option<Quantity>) -> Self {
        let mut plan = Self::default();
        let mut planned: HashSet<LeadId> = HashSet::new();
        for stock in stocks {
            let most = usize::try_from(stock.most(quantity)).unwrap_or(usize::MAX);
            // A lead that moves to another state between two reads appears in both.
            let unplanned = stock.oldest.iter().filter(|lead| !planned.contains(&lead.id));
            let taken: Vec<Lead> = unplanned.take(most).cloned().collect();
            planned.extend(taken.iter().map(|lead| lead.id));
            plan.given.push(Given {
                state: stock.state,
                asked: quantity,
                in_stock: stock.oldest.len() as u64,
                more_in_stock: !stock.complete,
                cap: stock.cap,
                already_out: stock.out,
                given: u32::try_from(taken.len()).unwrap_or(u32::MAX),
            });
            plan.leads.extend(taken);
        }
        plan
    }

    /// Returns the states that give leads.
    pub fn giving(&self) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(|given| given.given > 0)
    }

    /// Returns whether no state gives a lead.
    pub fn is_empty(&self) -> bool {
        self.leads.is_empty()
    }

    /// Returns the fingerprint of these leads, for confirming them.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        for lead in &self.leads {
            hash.update(lead.id.to_string());
        }
        Fingerprint(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}

text_type!(
    /// The fingerprint of the leads of a preview: 32 hexadecimal digits.
    Fingerprint,
    |text| {
        let is_one = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| text.to_owned())
    },
    "This isn't the fingerprint of a preview. Send the fingerprint unchanged."
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::identity::Actor;
    use crate::leads::domain::NewLead;
    use jiff::Timestamp;

    fn lead(number: u8, state: &str) -> Lead {
        let email = format!("lead{number}@example.com");
        let new = serde_json::json!({ "name": "Lead", "email": email, "state": state });
        let new: NewLead = serde_json::from_value(new).unwrap();
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[number; 10]);
        new.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("test")).unwrap()
    }

    fn stock(state: &str, remaining: i64, oldest: Vec<Lead>) -> StateStock {
        let (cap, state) = (Cap::DEFAULT, state.parse().unwrap());
        StateStock { state, cap, out: 0, remaining, stored: true, oldest, complete: true }
    }

    #[test]
    fn a_state_gives_no_more_than_requested_left_by_the_cap_or_in_stock() {
        for (asked, remaining, there, given) in
            [(Some(2), 10, 3, 2), (None, 2, 3, 2), (Some(5), 10, 3, 3), (None, -4, 3, 0), (Some(1), 0, 3, 0)]
        {
            let leads: Vec<Lead> = (0..there).map(|number| lead(number, "NY")).collect();
            let asked = asked.map(|asked| Quantity::try_from(asked).unwrap());
            let plan = Plan::of(&[stock("NY", remaining, leads.clone())], asked);
            assert_eq!(plan.leads, leads[..given], "{asked:?} {remaining} {there}");
            assert_eq!((plan.given[0].given as usize, plan.given[0].in_stock), (given, u64::from(there)));
        }
    }

    #[test]
    fn the_answer_says_why_a_state_gives_that_many_leads() {
        for (asked, in_stock, cap, out, given, why) in [
            (Some(5), 20, 10, 0, 5, "as asked"),
            (Some(5), 3, 10, 0, 3, "all available"),
            (Some(5), 20, 10, 8, 2, "up to the cap"),
            (Some(5), 20, 10, 12, 0, "cap reached"),
            (Some(5), 0, 10, 0, 0, "none in stock"),
            (None, 20, 10, 4, 6, "up to the cap"),
            (None, 4, 10, 4, 4, "all available"),
        ] {
            let given = serde_json::json!({
                "state": "NY", "asked": asked, "inStock": in_stock, "cap": cap, "alreadyOut": out, "given": given,
            });
            let given: Given = serde_json::from_value(given).unwrap();
            assert_eq!(given.why(), why, "{given:?}");
        }
    }

    #[test]
    fn a_lead_that_moved_between_two_reads_is_taken_once() {
        let stocks =
            [stock("NY", 9, vec![lead(1, "NY")]), stock("CA", 9, vec![lead(1, "CA"), lead(2, "CA")])];
        let plan = Plan::of(&stocks, None);
        assert_eq!(plan.leads.len(), 2);
        assert_eq!(plan.given[1].given, 1);
    }

    #[test]
    fn a_fingerprint_depends_on_the_leads_and_their_order() {
        let of = |numbers: &[u8]| {
            let leads = numbers.iter().map(|number| lead(*number, "NY")).collect();
            Plan::of(&[stock("NY", 9, leads)], None).fingerprint()
        };
        assert_eq!(of(&[1, 2]), of(&[1, 2]));
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[1, 2]), of(&[1]));
        assert!(of(&[1]).as_str().parse::<Fingerprint>().is_ok() && "x".parse::<Fingerprint>().is_err());
    }
}
