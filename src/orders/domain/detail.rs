//! The results of reading orders: an order with its leads, a preview, the history and the caps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DefaultCap, Fingerprint, Given, Order, StateCap};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::leads::domain::{Lead, LeadId, Reason};
use crate::shared::audit::AuditStamp;

/// An order with its leads, in JSON: the fields of the order, and `leads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDetail {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Its leads, state by state, oldest first. A large order has only the first [`OrderDetail::MOST_LEADS`]
    /// here.
    pub leads: Vec<Lead>,
    /// The cursor of the remaining leads, for [`Orders::leads_of`](crate::orders::Orders::leads_of).
    pub leads_next: Option<String>,
}

impl OrderDetail {
    /// The most leads that are returned with an order.
    pub const MOST_LEADS: usize = 100;
}

/// The leads that an order would get, in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// How many leads each state gives, and why.
    pub given: Vec<Given>,
    /// The number of leads that the order would get.
    pub lead_count: usize,
    /// The first [`OrderDetail::MOST_LEADS`] of these leads.
    pub leads: Vec<Lead>,
    /// The fingerprint that confirms exactly these leads.
    pub fingerprint: Fingerprint,
}

/// A kind of change of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderAction {
    /// The order was created with its leads.
    Created,
    /// The order was fulfilled with all its leads.
    Fulfilled,
    /// The order was deleted, and its leads went back to stock.
    Deleted,
    /// A lead was released, and another one took its place if possible.
    Released,
}

/// One accepted change of an order: an entry of its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEntry {
    /// The version that the change created.
    pub version: Version,
    /// When it happened.
    pub at: Timestamp,
    /// Who made it.
    pub by: Actor,
    /// The kind of change.
    pub action: OrderAction,
    /// The reason, if the change needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The lead that was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<LeadId>,
    /// The lead that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<LeadId>,
}

impl OrderEntry {
    /// Creates the entry of a change without a reason and without leads.
    pub fn new(version: Version, action: OrderAction, stamp: &AuditStamp) -> Self {
        let (at, by) = (stamp.at, stamp.actor.clone());
        Self { version, at, by, action, reason: None, released: None, replacement: None }
    }
}

/// The result of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// The order after the release.
    pub order: Order,
    /// The lead that was released, after the release.
    pub released: Lead,
    /// The lead that took its place, if the cap and the stock allowed one.
    pub replacement: Option<Lead>,
}

/// All caps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// The cap of every state without its own cap.
    pub default: DefaultCap,
    /// The cap of each state, sorted by code.
    pub states: Vec<StateCap>,
}
