//! The events that rules answer, derived from the changes in the table's stream. Pure.
//!
//! Invariant: the same change always produces the same events with the same ids.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::values::{Invalid, UsState, text_value};
use crate::leads::domain::{Lead, Status, Stock};
use crate::leads::items::LEAD;
use crate::orders::items::{CAP, CapItem, StoredOrder, stored_order};
use crate::reservations::{ORDER, Phase};
use crate::shared::audit::Cause;
use crate::stats::{StateCounts, is_stats};
use crate::store::stream::Change;
use crate::store::{Item, StoreError, from_item};

/// A state's stock is low if it has fewer free leads than this.
pub const LOW_STOCK: u64 = 10;
/// The prefix of a state's partition key.
const STATE: &str = "STATE#";

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventKind {
    /// A lead was created or imported.
    LeadCreated,
    /// A lead became QUALIFIED.
    LeadQualified,
    /// A lead became CONVERTED.
    LeadConverted,
    /// An order was created.
    OrderCreated,
    /// An order was fulfilled.
    OrderFulfilled,
    /// An open order was deleted.
    OrderDeleted,
    /// The last lead that a state's cap allows was given to an order.
    CapReached,
    /// The number of a state's free leads fell below [`LOW_STOCK`].
    StockLow,
    /// An interval of a schedule started.
    Schedule,
}

impl EventKind {
    /// All kinds, in the order of the pages.
    pub const ALL: [Self; 9] = [
        Self::LeadCreated,
        Self::LeadQualified,
        Self::LeadConverted,
        Self::OrderCreated,
        Self::OrderFulfilled,
        Self::OrderDeleted,
        Self::CapReached,
        Self::StockLow,
        Self::Schedule,
    ];

    /// Returns the name, for example `lead.created`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::LeadCreated => "lead.created",
            Self::LeadQualified => "lead.qualified",
            Self::LeadConverted => "lead.converted",
            Self::OrderCreated => "order.created",
            Self::OrderFulfilled => "order.fulfilled",
            Self::OrderDeleted => "order.deleted",
            Self::CapReached => "cap.reached",
            Self::StockLow => "stock.low",
            Self::Schedule => "every",
        }
    }

    /// Returns a description for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::LeadCreated => "a lead was created or imported",
            Self::LeadQualified => "a lead became qualified",
            Self::LeadConverted => "a lead became converted",
            Self::OrderCreated => "an order was created",
            Self::OrderFulfilled => "an order was fulfilled",
            Self::OrderDeleted => "an open order was deleted",
            Self::CapReached => "the last lead that a state's cap allows was given out",
            Self::StockLow => "a state's free leads became fewer than 10",
            Self::Schedule => "a time has come",
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

impl FromStr for EventKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text.trim());
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL[..8].iter().map(Self::as_str).collect();
            Invalid::new(format!("A rule answers {}, or every 15m, every 2h, every 1d.", names.join(", ")))
        })
    }
}

text_value!(EventKind);

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The id, which is the same for each delivery of the change.
    pub id: String,
    /// The kind.
    pub kind: EventKind,
    /// When it happened.
    pub at: Timestamp,
    /// The number of rules that led to this event in a row; 0 for an action of a person.
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

/// Returns the number of rules that led to a change. A deletion writes no cause, so the item before it counts.
fn depth_of(change: &Change) -> Result<u8, StoreError> {
    #[derive(Deserialize)]
    struct Caused {
        #[serde(default)]
        cause: Option<Cause>,
    }
    let Some(item) = change.after.as_ref().or(change.before.as_ref()) else { return Ok(0) };
    let Caused { cause } = from_item(item.clone())?;
    Ok(cause.map_or(0, |cause| cause.depth))
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
    let became = |status| after.status == status && before.as_ref().is_none_or(|was| was.status != status);
    let kinds = [
        (EventKind::LeadCreated, before.is_none()),
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
    let stage = |stored: &Option<StoredOrder>| stored.as_ref().map(|stored| stored.progress.stage);
    let kind = match (stage(&before), stage(&after)) {
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
mod tests {
    use super::*;
    use crate::store::{Key, to_item};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const ID: &str = "019f0000-0000-7000-8000-000000000000";
    const AT: &str = "2026-11-20T12:00:00Z";

    fn change(pk: &str, sk: &str, before: Option<Value>, after: Option<Value>) -> Change {
        let key = Key::new(pk, sk);
        let item = |value: Value| to_item(&key, &value).unwrap();
        Change {
            id: "7de3".to_owned(),
            at: AT.parse().unwrap(),
            sequence: "7".parse().unwrap(),
            before: before.map(item),
            after: after.map(item),
            key: key.clone(),
        }
    }

    fn lead(status: &str) -> Value {
        json!({
            "id": ID, "name": "Ann Lee", "email": "ann@example.com", "state": "NY", "leadScore": 80,
            "status": status, "stock": "UNASSIGNED", "version": 3, "createdAt": AT, "updatedAt": AT, "updatedBy": "Bob",
        })
    }

    fn order(stage: &str, depth: Option<u8>) -> Value {
        let mut order = json!({
            "id": ID, "customerName": "Acme Roofing", "customerEmail": "buy@acme.example",
            "requestedStates": ["CA", "NY"], "quantityPerState": null, "given": [], "leadCount": 7,
            "status": if stage == "FULFILLED" { "FULFILLED" } else { "OPEN" }, "version": 1,
            "createdAt": AT, "createdBy": "Bob", "updatedAt": AT, "updatedBy": "Bob", "fulfilledAt": null,
            "stage": stage, "large": true,
        });
        if let Some(depth) = depth {
            order["cause"] = json!({ "rule": ID, "depth": depth });
        }
        order
    }

    fn kinds(change: &Change) -> Vec<&'static str> {
        events_of(change).unwrap().iter().map(|event| event.kind.as_str()).collect()
    }

    #[test]
    fn a_lead_event_needs_a_new_lead_or_a_new_status() {
        for (before, after, expected) in [
            (None, Some("PROSPECT"), vec!["lead.created"]),
            (None, Some("QUALIFIED"), vec!["lead.created", "lead.qualified"]),
            (Some("PROSPECT"), Some("QUALIFIED"), vec!["lead.qualified"]),
            (Some("QUALIFIED"), Some("QUALIFIED"), vec![]),
            (Some("QUALIFIED"), Some("CONVERTED"), vec!["lead.converted"]),
            (Some("CONVERTED"), Some("QUALIFIED"), vec!["lead.qualified"]),
            (Some("QUALIFIED"), None, vec![]),
        ] {
            let change = change("LEAD#1", "LEAD", before.map(lead), after.map(lead));
            assert_eq!(kinds(&change), expected, "{before:?} {after:?}");
        }
        let events = events_of(&change("LEAD#1", "LEAD", None, Some(lead("QUALIFIED")))).unwrap();
        assert_eq!(
            (events[0].id.as_str(), events[1].id.as_str()),
            ("7de3.lead.created", "7de3.lead.qualified")
        );
        assert_eq!(
            (events[0].get("score"), events[0].get("state"), events[0].depth),
            (Some("80"), Some("NY"), 0)
        );
    }

    #[test]
    fn an_order_event_is_created_when_readers_see_the_change() {
        for (before, after, expected) in [
            (None, Some("OPEN"), Some("order.created")),
            (None, Some("PREPARING"), None),
            (Some("PREPARING"), Some("OPEN"), Some("order.created")),
            (Some("PREPARING"), Some("ABORTED"), None),
            (Some("ABORTED"), None, None),
            (Some("OPEN"), Some("OPEN"), None),
            (Some("OPEN"), Some("FULFILLED"), Some("order.fulfilled")),
            (Some("FULFILLED"), Some("FULFILLED"), None),
            (Some("OPEN"), None, Some("order.deleted")),
            (Some("OPEN"), Some("DELETED"), Some("order.deleted")),
            (Some("DELETED"), None, None),
        ] {
            let image = |stage: Option<&str>| stage.map(|stage| order(stage, None));
            let change = change("ORDER#1", "ORDER", image(before), image(after));
            assert_eq!(kinds(&change), expected.into_iter().collect::<Vec<_>>(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn the_depth_comes_from_the_cause_of_the_change() {
        let depth = |before: Option<Value>, after: Option<Value>| {
            events_of(&change("ORDER#1", "ORDER", before, after)).unwrap()[0].depth
        };
        assert_eq!(depth(None, Some(order("OPEN", Some(2)))), 2);
        assert_eq!(depth(Some(order("OPEN", Some(2))), Some(order("FULFILLED", None))), 0);
        assert_eq!(depth(Some(order("OPEN", Some(3))), None), 3, "a deletion has no cause of its own");
    }

    #[test]
    fn low_stock_in_several_states_is_one_event_per_state_with_its_own_cause() {
        let before = json!({ "unassignedNY": 10, "unassignedCA": 12, "unassignedTX": 11 });
        let after = json!({
            "unassignedNY": 9, "unassignedCA": -1, "unassignedTX": 10,
            "causeCA": { "rule": ID, "depth": 2 }, "causeTX": { "rule": ID, "depth": 4 },
        });
        let events = events_of(&change("STATS", "STATS", Some(before), Some(after))).unwrap();
        let of = |event: &Event| (event.id.clone(), event.get("quantity").unwrap().to_owned(), event.depth);
        let [ca, ny] = ["CA", "NY"].map(|code| format!("7de3.{}.{code}", EventKind::StockLow));
        assert_eq!(
            events.iter().map(of).collect::<Vec<_>>(),
            [(ca, "0".to_owned(), 2), (ny, "9".to_owned(), 0)]
        );
    }

    #[test]
    fn every_event_has_the_fields_of_its_kind() {
        let cap =
            |out: u32| json!({ "state": "NY", "cap": 10, "own": true, "out": out, "room": 0, "version": 1 });
        let changes = [
            change("LEAD#1", "LEAD", None, Some(lead("CONVERTED"))),
            change("ORDER#1", "ORDER", None, Some(order("OPEN", None))),
            change("STATE#NY", "CAP", Some(cap(9)), Some(cap(10))),
            change("STATS", "STATS", Some(json!({ "unassignedNY": 10 })), Some(json!({ "unassignedNY": 9 }))),
        ];
        for event in changes.iter().flat_map(|change| events_of(change).unwrap()) {
            let mut offered: Vec<_> = event.kind.fields().iter().map(|(name, _)| *name).collect();
            offered.sort_unstable();
            assert_eq!(
                event.fields.keys().map(String::as_str).collect::<Vec<_>>(),
                offered,
                "{}",
                event.kind
            );
        }
    }

    #[test]
    fn other_items_have_no_events_and_a_malformed_item_is_an_error() {
        for (pk, sk) in [
            ("LEAD#1", "HISTORY#1"),
            ("STATE#DEFAULT", "CAP"),
            ("LEAD#1", "COUNTED"),
            ("STATE#NY", "COUNTED"),
        ] {
            let images = [10, 1].map(|free| Some(json!({ "unassigned": free, "unassignedNY": free })));
            let [before, after] = images;
            assert_eq!(kinds(&change(pk, sk, before, after)), Vec::<&str>::new());
        }
        assert_eq!(
            kinds(&change("STATS", "STATS", None, Some(json!({ "unassignedNY": 1 })))),
            Vec::<&str>::new()
        );
        assert!(events_of(&change("LEAD#1", "LEAD", None, Some(json!({})))).is_err());
    }

    proptest! {
        #[test]
        fn cap_and_stock_events_need_a_crossing_of_the_limit(was in 0..30_u32, is in 0..30_u32, cap in 0..30_u32) {
            let image = |out: u32| json!({ "state": "NY", "cap": cap, "own": true, "out": out, "room": 0, "version": 1 });
            let reached = kinds(&change("STATE#NY", "CAP", Some(image(was)), Some(image(is))));
            prop_assert_eq!(!reached.is_empty(), was < cap && is >= cap);
            let image = |free: u32| json!({ "unassignedNY": free, "unassigned": 100, "unassignedCA": 3 });
            let low = kinds(&change("STATS", "STATS", Some(image(was)), Some(image(is))));
            prop_assert_eq!(!low.is_empty(), was >= 10 && is < 10);
        }
    }
}
