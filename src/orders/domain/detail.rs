//! What readers get of an order: with its leads, its preview, its history, and the caps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DefaultCap, Fingerprint, Given, Order, StateCap};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::leads::domain::{Lead, LeadId, Reason};

/// An order with its leads, as JSON shows it: the order's fields, and `leads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDetail {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Its leads, state by state, oldest first; of a large order the first [`OrderDetail::MOST_LEADS`].
    pub leads: Vec<Lead>,
    /// Where its further leads begin, for [`leads`].
    pub leads_next: Option<String>,
}

impl OrderDetail {
    /// The most leads that come with an order.
    pub const MOST_LEADS: usize = 100;
}

/// What an order would be given, as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// What each state gives, and why that many.
    pub given: Vec<Given>,
    /// How many leads it would be given.
    pub lead_count: usize,
    /// The first [`OrderDetail::MOST_LEADS`] of them.
    pub leads: Vec<Lead>,
    /// What confirms exactly these leads, all of them.
    pub fingerprint: Fingerprint,
}

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderAction {
    /// Created, with its leads.
    Created,
    /// Fulfilled, with all its leads.
    Fulfilled,
    /// Deleted; its leads went back to stock.
    Deleted,
    /// A lead was released, and another one took its place if there was one.
    Released,
}

/// One accepted change of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEntry {
    /// The version that the change made.
    pub version: Version,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What.
    pub action: OrderAction,
    /// Why, where the change asks for a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The lead that was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<LeadId>,
    /// The lead that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<LeadId>,
}

/// What a release came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// The order as it is now.
    pub order: Order,
    /// The lead that was released, as it is now.
    pub released: Lead,
    /// The lead that took its place, if the cap and the stock allowed one.
    pub replacement: Option<Lead>,
}

/// All caps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// Of every state that has none of its own.
    pub default: DefaultCap,
    /// Of each state, in the order of the codes.
    pub states: Vec<StateCap>,
}

/// One page of leads of an order.
#[derive(Debug)]
pub struct OrderLeads {
    /// The leads.
    pub leads: Vec<Lead>,
    /// Where the next page begins.
    pub next: Option<String>,
}
