//! The events that rules answer, derived from the changes in the table's stream. Pure.
//!
//! Invariant: the same change always produces the same events with the same ids.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::values::{UsState, Version, text_enum};
use crate::leads::domain::{Lead, Status, Stock};
use crate::leads::items::LEAD;
use crate::orders::items::{CAP, CapItem, StoredOrder, stored_order};
use crate::reservations::{ORDER, Phase};
use crate::shared::audit::RuleCause;
use crate::stats::{StateCounts, is_stats};
use crate::store::stream::Change;
use crate::store::{Item, StoreError, from_item};

/// A state's stock is low if it has fewer free leads than this.
pub const LOW_STOCK: u64 = 10;
/// The prefix of a state's partition key.
const STATE: &str = "STATE#";

text_enum! {
    /// A kind of event.
    pub enum EventKind, exact, "The event must be lead.created, lead.qualified, lead.converted, order.created, \
        order.fulfilled, order.deleted, cap.reached, stock.low, or every 15m, every 2h, every 1d.";
    /// A lead was created or imported.
    LeadCreated = "lead.created",
    /// A lead became QUALIFIED.
    LeadQualified = "lead.qualified",
    /// A lead became CONVERTED.
    LeadConverted = "lead.converted",
    /// An order was created.
    OrderCreated = "order.created",
    /// An order was fulfilled.
    OrderFulfilled = "order.fulfilled",
    /// An open order was deleted.
    OrderDeleted = "order.deleted",
    /// The last lead that a state's cap allows was given to an order.
    CapReached = "cap.reached",
    /// The number of a state's free leads fell below [`LOW_STOCK`].
    StockLow = "stock.low",
    /// An interval of a schedule started.
    Schedule = "every",
}

impl EventKind {
    /// Returns a description for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::LeadCreated => "a lead was created or imported",
            Self::LeadQualified => "a lead was qualified",
            Self::LeadConverted => "a lead was converted",
            Self::OrderCreated => "an order was created",
            Self::OrderFulfilled => "an order was fulfilled",
            Self::OrderDeleted => "an open order was deleted",
            Self::CapReached => "a state reached its cap",
            Self::StockLow => "a state has fewer than 10 available leads",
            Self::Schedule => "on a schedule",
        }
    }

    /// Returns the fields of such an event, each with an example value. A lead may have no state.
    pub fn fields(self) -> &'static [(&'static str, &'static str)] {
        const ID: &str = "019f0000-0000-7000-8000-000000000000";
        match self {
            Self::LeadCreated | Self::LeadQualified | Self::LeadConverted => &[
                ("leadId", ID),
                ("name", "Ann Lee"),
                ("email", "ann.lee@example.com"),
                ("state", "NY"),
                ("score", "80"),
            ],
            Self::OrderCreated | Self::OrderFulfilled | Self::OrderDeleted => &[
                ("orderId", ID),
                ("customerName", "Acme Roofing"),
                ("customerEmail", "buy@acme.example"),
                ("states", "CA,NY"),
                ("quantity", "5"),
            ],
            Self::CapReached => &[("state", "NY"), ("quantity", "10"), ("cap", "10")],
            Self::StockLow => &[("state", "NY"), ("quantity", "9")],
            Self::Schedule => &[],
        }
    }

    /// Returns whether such an event has a field.
    pub fn has(self, field: &str) -> bool {
        self.fields().iter().any(|(name, _)| *name == field)
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The id, which is the same for each delivery of the change.
    pub id: String,
    /// The kind.
    pub kind: EventKind,
    /// When it happened.
    pub at: Timestamp,
    /// How many rules in a row led to this event; 0 if a person caused it.
    pub depth: u8,
    /// The known fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

impl Event {
    /// Returns the value of a field.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// Returns the states of the event.
    pub fn states(&self) -> impl Iterator<Item = UsState> {
        let states = self.get("states").or(self.get("state")).unwrap_or_default();
        states.split(',').filter_map(|code| code.parse().ok())
    }

    /// Returns a field as a number.
    pub fn number(&self, field: &str) -> Option<u32> {
        self.get(field)?.parse().ok()
    }
}

/// Returns the events of a change.
///
/// # Errors
/// [`StoreError::Malformed`] if the changed item cannot be parsed.
pub fn events_of(change: &Change) -> Result<Vec<Event>, StoreError> {
    match change.key.sk.as_str() {
        LEAD => lead_events(change),
        ORDER => order_events(change),
        CAP => cap_events(change),
        _ if is_stats(&change.key) => stock_events(change),
        _ => Ok(Vec::new()),
    }
}

fn event(change: &Change, kind: EventKind, depth: u8, fields: Vec<(&str, String)>) -> Event {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Event { id: format!("{}.{kind}", change.id), kind, at: change.at, depth, fields }
}

/// Returns how many rules in a row led to a change. A deletion writes no cause, so the item before it counts.
fn depth_of(change: &Change) -> Result<u8, StoreError> {
    let Some(item) = change.after.as_ref().or(change.before.as_ref()) else { return Ok(0) };
    Ok(RuleCause::of(item.clone())?.map_or(0, |cause| cause.depth))
}

fn read<T>(
    image: Option<&Item>,
    read: impl Fn(Item) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    image.cloned().map(read).transpose()
}

fn lead_events(change: &Change) -> Result<Vec<Event>, StoreError> {
    let before = read(change.before.as_ref(), from_item::<Lead>)?;
    let Some(after) = read(change.after.as_ref(), from_item::<Lead>)? else { return Ok(Vec::new()) };
    // A lead that appears at a later version was restored from the trash, so nothing about it is new.
    let is_new = before.is_none() && after.version == Version::FIRST;
    let is_other = |status| before.as_ref().map_or(is_new, |was| was.status != status);
    let became = |status| after.status == status && is_other(status);
    let kinds = [
        (EventKind::LeadCreated, is_new),
        (EventKind::LeadQualified, became(Status::Qualified)),
        (EventKind::LeadConverted, became(Status::Converted)),
    ];
    let depth = depth_of(change)?;
    let fields = || {
        let mut fields = vec![
            ("leadId", after.id.to_string()),
            ("name", after.name.to_string()),
            ("email", after.email.to_string()),
            ("score", after.lead_score.to_string()),
        ];
        fields.extend(after.state.map(|state| ("state", state.to_string())));
        fields
    };
    let happened = kinds.into_iter().filter(|(_, happened)| *happened);
    Ok(happened.map(|(kind, _)| event(change, kind, depth, fields())).collect())
}

fn order_events(change: &Change) -> Result<Vec<Event>, StoreError> {
    let before = read(change.before.as_ref(), stored_order)?;
    let after = read(change.after.as_ref(), stored_order)?;
    let phase = |stored: &Option<StoredOrder>| stored.as_ref().map(|stored| stored.progress.phase);
    let kind = match (phase(&before), phase(&after)) {
        (None | Some(Phase::Preparing), Some(Phase::Open)) => EventKind::OrderCreated,
        (Some(Phase::Open), Some(Phase::Fulfilled)) => EventKind::OrderFulfilled,
        (Some(Phase::Open), None | Some(Phase::Deleted)) => EventKind::OrderDeleted,
        _ => return Ok(Vec::new()),
    };
    let Some(StoredOrder { order, .. }) = after.or(before) else { return Ok(Vec::new()) };
    let states: Vec<_> = order.requested_states.as_slice().iter().map(UsState::as_str).collect();
    let fields = vec![
        ("orderId", order.id.to_string()),
        ("customerName", order.customer_name.to_string()),
        ("customerEmail", order.customer_email.to_string()),
        ("states", states.join(",")),
        ("quantity", order.lead_count.to_string()),
    ];
    Ok(vec![event(change, kind, depth_of(change)?, fields)])
}

/// Returns the state of a change in a state's partition, or `None` for the default cap.
fn state_of(change: &Change) -> Option<UsState> {
    change.key.pk.strip_prefix(STATE)?.parse().ok()
}

fn cap_events(change: &Change) -> Result<Vec<Event>, StoreError> {
    let Some(state) = state_of(change) else { return Ok(Vec::new()) };
    let was_out = read(change.before.as_ref(), from_item::<CapItem>)?.map_or(0, |before| before.out);
    let Some(CapItem { cap, out, .. }) = read(change.after.as_ref(), from_item::<CapItem>)? else {
        return Ok(Vec::new());
    };
    // Lowering a cap to or below the number of leads in orders does not count as reaching it.
    if was_out >= cap.get() || out < cap.get() {
        return Ok(Vec::new());
    }
    let fields =
        vec![("state", state.to_string()), ("quantity", out.to_string()), ("cap", cap.get().to_string())];
    Ok(vec![event(change, EventKind::CapReached, depth_of(change)?, fields)])
}

fn stock_events(change: &Change) -> Result<Vec<Event>, StoreError> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return Ok(Vec::new()) };
    let (before, after) = (StateCounts::of(before), StateCounts::of(after));
    let mut events = Vec::new();
    for state in UsState::all() {
        let (Some(was), Some(is)) =
            (before.stored(state, Stock::Unassigned), after.stored(state, Stock::Unassigned))
        else {
            continue;
        };
        if was < LOW_STOCK || is >= LOW_STOCK {
            continue;
        }
        let depth = after.cause(state)?.map_or(0, |cause| cause.depth);
        let fields = vec![("state", state.to_string()), ("quantity", is.to_string())];
        let event = event(change, EventKind::StockLow, depth, fields);
        events.push(Event { id: format!("{}.{state}", event.id), ..event });
    }
    Ok(events)
}

#[cfg(test)]
mod tests;
