//! What an order is, what a cap allows, and which leads an order is given. Pure: time and ids are arguments.
//!
//! What always holds: an order names one to 50 states, each once; what a state gives is never more than was asked, than
//! its cap leaves, or than is in stock.

mod customer;
mod detail;
mod plan;
mod release;

pub use customer::CustomerName;
pub use detail::{Caps, OrderAction, OrderDetail, OrderEntry, OrderLeads, Preview, Released};
pub use plan::{Fingerprint, Given, Plan, StateStock};
pub use release::{Release, ReleaseReason};

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::Actor;
use crate::base::values::{Email, Invalid, OrderId, UsState, Version, text_value};
use crate::shared::audit::Cause;

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OrderStatus {
    /// Its leads are out.
    Open,
    /// Its leads were delivered; nothing changes any more.
    Fulfilled,
}

impl OrderStatus {
    /// All, in the order of an order's life.
    pub const ALL: [Self; 2] = [Self::Open, Self::Fulfilled];

    /// The name in JSON and in the table, for example `OPEN`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Fulfilled => "FULFILLED",
        }
    }

    /// The name for people, for example `Open`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Fulfilled => "Fulfilled",
        }
    }

    /// The name in style sheets, for example `open`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fulfilled => "fulfilled",
        }
    }
}

impl FromStr for OrderStatus {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        Self::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Invalid::new("An order's status is OPEN or FULFILLED."))
    }
}

text_value!(OrderStatus);

/// How many leads of each state an order asks for: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quantity(u32);

impl Quantity {
    /// One lead.
    pub const ONE: Self = Self(1);
    /// The largest.
    pub const MAX: u32 = 1_000;
    const WORDS: &str = "A quantity is a whole number from 1 to 1000.";

    /// The quantity as a number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = Invalid;

    fn try_from(number: i64) -> Result<Self, Invalid> {
        let quantity = u32::try_from(number).ok().filter(|quantity| (1..=Self::MAX).contains(quantity));
        quantity.map(Self).ok_or_else(|| Invalid::new(Self::WORDS))
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        quantity.0.into()
    }
}

impl FromStr for Quantity {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.trim().parse::<i64>().map_err(|_| Invalid::new(Self::WORDS)).and_then(Self::try_from)
    }
}

/// The most leads of a state that may be out in open orders at once: 0 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Cap(u32);

impl Cap {
    /// What holds until something else is set.
    pub const DEFAULT: Self = Self(10);
    /// The largest.
    pub const MAX: u32 = 1_000;
    const WORDS: &str = "A cap is a whole number from 0 to 1000.";

    /// The cap as a number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Cap {
    type Error = Invalid;

    fn try_from(number: i64) -> Result<Self, Invalid> {
        let cap = u32::try_from(number).ok().filter(|cap| *cap <= Self::MAX);
        cap.map(Self).ok_or_else(|| Invalid::new(Self::WORDS))
    }
}

impl From<Cap> for i64 {
    fn from(cap: Cap) -> Self {
        cap.0.into()
    }
}

impl FromStr for Cap {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.trim().parse::<i64>().map_err(|_| Invalid::new(Self::WORDS)).and_then(Self::try_from)
    }
}

/// A state's cap, as stored and as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateCap {
    /// The state.
    pub state: UsState,
    /// The most leads that may be out.
    pub cap: Cap,
    /// Whether it was set for this state; otherwise it follows the default.
    pub own: bool,
    /// How many are out in open orders: exact.
    pub out: u32,
    /// One more with every change of the cap; giving leads out changes no version.
    pub version: Version,
}

/// The cap of every state that has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultCap {
    /// The most leads that may be out.
    pub cap: Cap,
    /// One more with every change.
    pub version: Version,
}

/// The states that an order asks for: one to 50, each once, in the order in which they were named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<UsState>", into = "Vec<UsState>")]
pub struct RequestedStates(Vec<UsState>);

impl RequestedStates {
    /// The most.
    pub const MAX: usize = 50;

    /// The states.
    pub fn as_slice(&self) -> &[UsState] {
        &self.0
    }
}

impl TryFrom<Vec<UsState>> for RequestedStates {
    type Error = Invalid;

    fn try_from(states: Vec<UsState>) -> Result<Self, Invalid> {
        let mut folded: Vec<UsState> = Vec::new();
        for state in states {
            if !folded.contains(&state) {
                folded.push(state);
            }
        }
        if folded.is_empty() {
            Err(Invalid::new("Name at least one state, for example NY."))
        } else if folded.len() > Self::MAX {
            Err(Invalid::new("An order names at most 50 states."))
        } else {
            Ok(Self(folded))
        }
    }
}

impl From<RequestedStates> for Vec<UsState> {
    fn from(states: RequestedStates) -> Self {
        states.0
    }
}

/// Codes with commas or spaces between them, as people type them: `CA, NY TX`.
impl FromStr for RequestedStates {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let codes = text.split([',', ' ', ';', '\n', '\r', '\t']).filter(|code| !code.is_empty());
        let state = |code: &str| {
            let words = format!("{:.20} is not a US state; give two-letter codes, for example CA,NY.", code);
            code.parse::<UsState>().map_err(|_| Invalid::new(words))
        };
        codes.map(state).collect::<Result<Vec<_>, _>>().and_then(Self::try_from)
    }
}

/// What a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// The customer's name.
    pub customer_name: CustomerName,
    /// The customer's e-mail address.
    pub customer_email: Email,
    /// From which states.
    pub requested_states: RequestedStates,
    /// How many of each state; as many as its cap leaves unless given.
    #[serde(default)]
    pub quantity_per_state: Option<Quantity>,
}

/// An order, as stored and as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id.
    pub id: OrderId,
    /// The customer's name.
    pub customer_name: CustomerName,
    /// The customer's e-mail address.
    pub customer_email: Email,
    /// From which states.
    pub requested_states: RequestedStates,
    /// How many of each state were asked for; as many as the caps left, if none.
    pub quantity_per_state: Option<Quantity>,
    /// What each state gave at creation, and why that many.
    pub given: Vec<Given>,
    /// How many leads it has now.
    pub lead_count: u32,
    /// How far it is.
    pub status: OrderStatus,
    /// 1 at creation, one more with every accepted change.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: Actor,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: Actor,
    /// When it was fulfilled.
    pub fulfilled_at: Option<Timestamp>,
    /// The rule whose command changed it last, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// Why a change of an order is forbidden although its version is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderRule {
    /// A fulfilled order cannot be deleted.
    FulfilledStays,
    /// Leads are released from open orders only.
    OnlyOpenReleases,
    /// The lead is not in the order.
    NotInOrder,
}

impl OrderRule {
    /// The rule's name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::FulfilledStays => "fulfilled-stays",
            Self::OnlyOpenReleases => "only-open-releases",
            Self::NotInOrder => "not-in-order",
        }
    }

    /// The field beside which the rule is shown.
    pub fn field(self) -> &'static str {
        match self {
            Self::FulfilledStays | Self::OnlyOpenReleases => "status",
            Self::NotInOrder => "leadId",
        }
    }

    /// The rule in words, with what would be right.
    pub fn words(self) -> &'static str {
        match self {
            Self::FulfilledStays => "A fulfilled order cannot be deleted: its leads were delivered.",
            Self::OnlyOpenReleases => "Leads are released from open orders only; this one is fulfilled.",
            Self::NotInOrder => "This lead is not, or no longer, in the order.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_folded_in_the_order_in_which_they_were_named() {
        let states: RequestedStates = "ny, ca NY;tx".parse().unwrap();
        let codes: Vec<_> = states.as_slice().iter().map(UsState::as_str).collect();
        assert_eq!(codes, ["NY", "CA", "TX"]);
    }

    #[test]
    fn no_state_an_unknown_one_and_51_are_refused_in_words() {
        for text in ["", " ,", "CA,XX", "California"] {
            let refused = text.parse::<RequestedStates>().expect_err(text);
            assert!(refused.to_string().ends_with('.'), "{refused}");
        }
        let all: Vec<UsState> = UsState::all().collect();
        assert_eq!(all.len(), 51);
        assert!(RequestedStates::try_from(all.clone()).is_err());
        assert!(RequestedStates::try_from(all[1..].to_vec()).is_ok());
    }

    #[test]
    fn quantities_and_caps_have_their_bounds() {
        for number in [0, -1, 1_001, 1_000_000_000] {
            assert!(Quantity::try_from(number).is_err(), "{number}");
        }
        for number in [-1, 1_001, 1_000_000_000] {
            assert!(Cap::try_from(number).is_err(), "{number}");
        }
        assert_eq!("7".parse::<Quantity>().unwrap().get(), 7);
        assert_eq!("0".parse::<Cap>().unwrap().get(), 0);
        for text in ["", "1.5", "ten"] {
            assert!(text.parse::<Quantity>().is_err() && text.parse::<Cap>().is_err(), "{text}");
        }
    }
}
