//! The events of changes of leads, orders, caps and statistics.

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

fn lead(status: &str, version: u64) -> Value {
    json!({
        "id": ID, "name": "Ann Lee", "email": "ann@example.com", "state": "NY", "leadScore": 80,
        "status": status, "stock": "UNASSIGNED", "version": version, "createdAt": AT, "updatedAt": AT, "updatedBy": "Bob",
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
        let (old, new) = (before.map(|status| lead(status, 1)), after.map(|status| lead(status, 2)));
        let new = if old.is_none() { after.map(|status| lead(status, 1)) } else { new };
        let change = change("LEAD#1", "LEAD", old, new);
        assert_eq!(kinds(&change), expected, "{before:?} {after:?}");
    }
    let events = events_of(&change("LEAD#1", "LEAD", None, Some(lead("QUALIFIED", 1)))).unwrap();
    assert_eq!((events[0].id.as_str(), events[1].id.as_str()), ("7de3.lead.created", "7de3.lead.qualified"));
    assert_eq!(
        (events[0].get("score"), events[0].get("state"), events[0].depth),
        (Some("80"), Some("NY"), 0)
    );
}

#[test]
fn a_restored_lead_is_not_new() {
    for status in ["PROSPECT", "QUALIFIED", "CONVERTED"] {
        let change = change("LEAD#1", "LEAD", None, Some(lead(status, 3)));
        assert_eq!(kinds(&change), Vec::<&str>::new(), "{status}");
    }
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
    assert_eq!(events.iter().map(of).collect::<Vec<_>>(), [(ca, "0".to_owned(), 2), (ny, "9".to_owned(), 0)]);
}

#[test]
fn every_event_has_the_fields_of_its_kind() {
    let cap =
        |out: u32| json!({ "state": "NY", "cap": 10, "own": true, "out": out, "room": 0, "version": 1 });
    let changes = [
        change("LEAD#1", "LEAD", None, Some(lead("CONVERTED", 1))),
        change("ORDER#1", "ORDER", None, Some(order("OPEN", None))),
        change("STATE#NY", "CAP", Some(cap(9)), Some(cap(10))),
        change("STATS", "STATS", Some(json!({ "unassignedNY": 10 })), Some(json!({ "unassignedNY": 9 }))),
    ];
    for event in changes.iter().flat_map(|change| events_of(change).unwrap()) {
        let mut offered: Vec<_> = event.kind.fields().iter().map(|(name, _)| *name).collect();
        offered.sort_unstable();
        assert_eq!(event.fields.keys().map(String::as_str).collect::<Vec<_>>(), offered, "{}", event.kind);
    }
}

#[test]
fn other_items_have_no_events_and_a_malformed_item_is_an_error() {
    for (pk, sk) in
        [("LEAD#1", "HISTORY#1"), ("STATE#DEFAULT", "CAP"), ("LEAD#1", "COUNTED"), ("STATE#NY", "COUNTED")]
    {
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
