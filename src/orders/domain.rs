//! Orders, caps and the leads that an order gets. Pure: time and ids are arguments.
//!
//! Invariants: an order names 1 to 50 states, each once. A state never gives more leads than were requested,
//! than its cap leaves, or than are in stock.

mod customer;
mod detail;
mod plan;
mod release;

pub use customer::CustomerName;
pub use detail::{Caps, OrderAction, OrderDetail, OrderEntry, Preview, Released};
pub use plan::{Fingerprint, Given, Plan, StateStock};
pub use release::{Release, ReleaseReason};

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::Actor;
use crate::base::values::{Email, Invalid, OrderId, UsState, Version, text_enum};
use crate::shared::audit::RuleCause;
use crate::shared::values::number_type;

text_enum! {
    /// The status of an order.
    pub enum OrderStatus, "The status must be OPEN or FULFILLED.";
    /// Its leads are assigned to it and not yet delivered.
    Open = "OPEN",
    /// Its leads were delivered. It does not change any more.
    Fulfilled = "FULFILLED",
}

impl OrderStatus {
    /// Returns the name shown to people, for example `Open`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Fulfilled => "Fulfilled",
        }
    }

    /// Returns the name in style sheets, for example `open`.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fulfilled => "fulfilled",
        }
    }
}

number_type!(
    /// The number of leads that an order requests from each state: 1 to 1,000.
    Quantity,
    1..=1_000,
    "A quantity must be a whole number from 1 to 1,000."
);
number_type!(
    /// The most leads of one state that may be in open orders at once: 0 to 1,000.
    Cap,
    0..=1_000,
    "A cap must be a whole number from 0 to 1,000."
);

impl Quantity {
    /// One lead.
    pub const ONE: Self = Self(1);
}

impl Cap {
    /// The cap of a state until another one is set.
    pub const DEFAULT: Self = Self(10);
}

/// The cap of a state, as stored and in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateCap {
    /// The state.
    pub state: UsState,
    /// The most leads that may be in open orders.
    pub cap: Cap,
    /// Whether the cap was set for this state. Otherwise it follows the default.
    pub own: bool,
    /// The exact number of leads in open orders.
    pub out: u32,
    /// Increases by 1 with every change of the cap. Orders do not change it.
    pub version: Version,
    /// Who made the last change, if someone made one since this is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<Actor>,
}

/// The cap of every state without its own cap, as stored and in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultCap {
    /// The most leads that may be in open orders.
    pub cap: Cap,
    /// Increases by 1 with every change.
    pub version: Version,
    /// Who made the last change, if someone made one since this is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<Actor>,
}

/// The states that an order requests: 1 to 50, each once, in the order in which they were named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<UsState>", into = "Vec<UsState>")]
pub struct RequestedStates(Vec<UsState>);

impl RequestedStates {
    /// The most states in one order.
    pub const MAX: usize = 50;

    /// Returns the states as a slice.
    pub fn as_slice(&self) -> &[UsState] {
        &self.0
    }
}

impl TryFrom<Vec<UsState>> for RequestedStates {
    type Error = Invalid;

    fn try_from(states: Vec<UsState>) -> Result<Self, Invalid> {
        let mut unique: Vec<UsState> = Vec::new();
        for state in states {
            if !unique.contains(&state) {
                unique.push(state);
            }
        }
        match unique.len() {
            0 => Err(Invalid::new("Choose at least one state, for example NY.")),
            1..=Self::MAX => Ok(Self(unique)),
            _ => Err(Invalid::new("An order can have at most 50 states.")),
        }
    }
}

impl From<RequestedStates> for Vec<UsState> {
    fn from(states: RequestedStates) -> Self {
        states.0
    }
}

impl RequestedStates {
    /// Parses state codes.
    ///
    /// # Errors
    /// The first invalid code, or the wrong number of states.
    pub fn parse<'a>(codes: impl IntoIterator<Item = &'a str>) -> Result<Self, Invalid> {
        let state = |code: &str| {
            let words = || format!("{code:.20} isn't a US state. Use two-letter codes, for example CA,NY.");
            code.parse::<UsState>().map_err(|_| Invalid::new(words()))
        };
        codes.into_iter().map(state).collect::<Result<Vec<_>, _>>().and_then(Self::try_from)
    }
}

/// Parses state codes separated by commas or spaces, as people type them: `CA, NY TX`.
impl FromStr for RequestedStates {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text.split([',', ' ', ';', '\n', '\r', '\t']).filter(|code| !code.is_empty()))
    }
}

/// A customer's request for leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// The customer's name.
    pub customer_name: CustomerName,
    /// The customer's email address.
    pub customer_email: Email,
    /// The requested states.
    pub requested_states: RequestedStates,
    /// How many leads of each state. If absent, as many as the state's cap leaves.
    #[serde(default)]
    pub quantity_per_state: Option<Quantity>,
}

/// An order, as stored and in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id.
    pub id: OrderId,
    /// The customer's name.
    pub customer_name: CustomerName,
    /// The customer's email address.
    pub customer_email: Email,
    /// The requested states.
    pub requested_states: RequestedStates,
    /// How many leads of each state were requested. If absent, as many as the caps left.
    pub quantity_per_state: Option<Quantity>,
    /// How many leads each state gave at creation, and why.
    pub given: Vec<Given>,
    /// The number of leads in the order now.
    pub lead_count: u32,
    /// The status.
    pub status: OrderStatus,
    /// Starts at 1 and increases by 1 with every accepted change.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: Actor,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: Actor,
    /// When it was fulfilled.
    pub fulfilled_at: Option<Timestamp>,
    /// The rule whose command changed it last, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<RuleCause>,
}

/// A rule that forbids a change of an order although the version is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderRule {
    /// A fulfilled order cannot be deleted.
    FulfilledStays,
    /// Leads can be released only from open orders.
    OnlyOpenReleases,
    /// The lead is not in the order.
    NotInOrder,
}

impl OrderRule {
    /// Returns the name of the rule for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::FulfilledStays => "fulfilled-stays",
            Self::OnlyOpenReleases => "only-open-releases",
            Self::NotInOrder => "not-in-order",
        }
    }

    /// Returns the field beside which the message is shown.
    pub fn field(self) -> &'static str {
        match self {
            Self::FulfilledStays | Self::OnlyOpenReleases => "status",
            Self::NotInOrder => "leadId",
        }
    }

    /// Returns a message that says which rule is broken and what would be right.
    pub fn words(self) -> &'static str {
        match self {
            Self::FulfilledStays => "A fulfilled order can't be deleted: its leads were delivered.",
            Self::OnlyOpenReleases => "Leads can be released only from open orders. This one is fulfilled.",
            Self::NotInOrder => "The lead isn't in this order.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_states_are_removed_and_the_order_is_kept() {
        let states: RequestedStates = "ny, ca NY;tx".parse().unwrap();
        let codes: Vec<_> = states.as_slice().iter().map(UsState::as_str).collect();
        assert_eq!(codes, ["NY", "CA", "TX"]);
    }

    #[test]
    fn missing_unknown_and_too_many_states_are_rejected() {
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
    fn quantities_and_caps_are_bounded() {
        for number in [1_001, 1_000_000_000] {
            assert!(Quantity::try_from(number).is_err() && Cap::try_from(number).is_err(), "{number}");
        }
        assert!(Quantity::try_from(0).is_err());
        assert_eq!("7".parse::<Quantity>().unwrap().get(), 7);
        assert_eq!("0".parse::<Cap>().unwrap().get(), 0);
        for text in ["", "-1", "1.5", "ten"] {
            assert!(text.parse::<Quantity>().is_err() && text.parse::<Cap>().is_err(), "{text}");
        }
    }
}
