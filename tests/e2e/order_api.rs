//! The JSON API of orders and caps, and the export.

mod bad_input;

use std::sync::{Arc, Mutex};

use holdfast::app::{App, build_router};
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::orders::export::COLUMNS;
use holdfast::orders::period::Period;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::orders::stock;
use crate::support::http::{Client, without_mark};
use crate::support::workspace::{Workspace, all_items, texts};
use crate::support::{Case, Entry, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        host: an_export_continues_part_by_part_and_escapes_formulas;
        api: many_requests_with_one_key_create_one_order,
            setting_a_cap_needs_the_current_version;
        web: an_order_is_created_fulfilled_and_found_in_lists,
            a_confirmed_preview_takes_its_leads_or_shows_the_new_ones,
            an_order_without_available_leads_explains_each_state_and_is_not_created,
            a_lead_is_released_with_a_reason_and_a_version,
            lists_of_orders_continue_by_cursor_and_search_many;
        embedded: the_days_of_an_export_follow_new_york_through_clock_changes
    ];
    cases.extend(bad_input::all());
    cases
}

/// The body of an order by Acme.
pub fn acme(states: &[&str], quantity: u32) -> Value {
    json!({
        "customerName": "Acme Roofing", "customerEmail": "buy@acme.example", "requestedStates": states,
        "quantityPerState": quantity,
    })
}

async fn order(client: &Client, body: &Value) -> Value {
    client.post("/api/orders").json(body).send().await.expect(201).json()
}

fn path(order: &Value) -> String {
    format!("/api/orders/{}", order["id"].as_str().expect("an order has an id"))
}

fn names(leads: &Value) -> Vec<&str> {
    leads.as_array().expect("leads").iter().map(|lead| lead["name"].as_str().expect("a name")).collect()
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    let page: Value = client.get(&format!("/api/orders?{query}")).send().await.expect(200).json();
    let items = page["items"].as_array().expect("items");
    items.iter().map(|order| order["customerName"].as_str().unwrap().to_owned()).collect()
}

async fn an_order_is_created_fulfilled_and_found_in_lists(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 3).await;
    let agent = workspace.agent().await;
    let made = agent.post("/api/orders").json(&acme(&["NY"], 2)).send().await.expect(201);
    let order: Value = made.json();
    assert_eq!((made.header("location"), made.header("etag")), (path(&order).as_str(), "\"1\""));
    assert_eq!(names(&order["leads"]), ["Lead 0", "Lead 1"], "the oldest leads");
    assert_eq!(order["given"][0]["given"], 2);

    let read = agent.get(&path(&order)).send().await.expect(200);
    assert_eq!((read.json::<Value>()["status"].clone(), read.header("etag")), (json!("OPEN"), "\"1\""));
    let leads: Value = agent.get(&format!("{}/leads?limit=1", path(&order))).send().await.expect(200).json();
    assert_eq!(names(&leads["items"]), ["Lead 0"]);
    let next = format!("{}/leads?cursor={}", path(&order), leads["next"].as_str().unwrap());
    assert_eq!(names(&agent.get(&next).send().await.expect(200).json::<Value>()["items"]), ["Lead 1"]);

    let fulfill = format!("{}/fulfill", path(&order));
    agent.patch(&fulfill).send().await.expect(428);
    agent.patch(&fulfill).json(&json!({})).send().await.expect(428);
    let done = agent.patch(&fulfill).header("if-match", "\"1\"").send().await.expect(200);
    assert_eq!(done.json::<Value>()["status"], "FULFILLED");
    let again = agent.patch(&fulfill).json(&json!({ "version": 1 })).send().await.expect(200);
    assert_eq!(again.json::<Value>()["fulfilledAt"], done.json::<Value>()["fulfilledAt"]);
    agent.delete(&path(&order)).send().await.expect(428);
    let kept = agent.delete(&format!("{}?version=2", path(&order))).send().await.expect(422);
    assert_eq!(kept.json::<Value>()["rule"], "fulfilled-stays");

    for (query, found) in [
        ("status=FULFILLED", true),
        ("status=open", false),
        ("state=NY", true),
        ("state=CA", false),
        ("customer=ACME", true),
        ("customer=buy%40", true),
        ("customer=bolt", false),
        ("from=2000-01-01&to=2100-01-01", true),
        ("to=2000-01-01", false),
    ] {
        assert_eq!(!listed(&agent, query).await.is_empty(), found, "{query}");
    }
    let history: Value = agent.get(&format!("{}/history", path(&order))).send().await.expect(200).json();
    let actions: Vec<_> = history["items"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["FULFILLED", "CREATED"]);
}

async fn a_confirmed_preview_takes_its_leads_or_shows_the_new_ones(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 4).await;
    let agent = workspace.agent().await;
    let writes = environment.wire().count("TransactWriteItems");
    let mut body = acme(&["NY"], 2);
    body["preview"] = true.into();
    let preview: Value = agent.post("/api/orders").json(&body).send().await.expect(200).json();
    assert_eq!(names(&preview["leads"]), ["Lead 0", "Lead 1"]);
    assert_eq!(environment.wire().count("TransactWriteItems"), writes, "a preview writes nothing");

    order(&agent, &acme(&["NY"], 1)).await;
    let mut body = acme(&["NY"], 2);
    body["confirm"] = preview["fingerprint"].clone();
    let outdated: Value = agent.post("/api/orders").json(&body).send().await.expect(409).json();
    assert_eq!(outdated["type"], "urn:holdfast:problem:preview-outdated");
    assert_eq!(names(&outdated["preview"]["leads"]), ["Lead 1", "Lead 2"]);
    body["confirm"] = outdated["preview"]["fingerprint"].clone();
    assert_eq!(names(&order(&agent, &body).await["leads"]), ["Lead 1", "Lead 2"]);
}

async fn many_requests_with_one_key_create_one_order(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 4).await;
    let agent = workspace.agent().await;
    let send = async |body: &Value| {
        agent.post("/api/orders").header("idempotency-key", "one").json(body).send().await
    };
    let first = send(&acme(&["NY"], 2)).await.expect(201);
    let again = send(&acme(&["NY"], 2)).await.expect(201);
    assert_eq!(first.text(), again.text());
    assert_eq!(first.header("location"), again.header("location"));
    send(&acme(&["NY"], 1)).await.expect(422);
    assert_eq!(listed(&agent, "").await.len(), 1);
}

async fn setting_a_cap_needs_the_current_version(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let caps: Value = agent.get("/api/leads/caps").send().await.expect(200).json();
    assert_eq!((&caps["default"]["cap"], caps["states"].as_array().unwrap().len()), (&json!(10), 51));
    let set = async |body: Value| agent.put("/api/leads/caps").json(&body).send().await;
    let first = set(json!({ "state": "NY", "cap": 3, "version": 1 })).await.expect(200);
    assert_eq!((first.json::<Value>()["cap"].clone(), first.header("etag")), (json!(3), "\"2\""));
    let stale: Value = set(json!({ "state": "NY", "cap": 4, "version": 1 })).await.expect(409).json();
    assert_eq!((&stale["fresh"]["cap"], &stale["fresh"]["version"]), (&json!(3), &json!(2)));
    assert_eq!(stale["fresh"]["setBy"], "Test agent (test)");
    let back: Value = set(json!({ "state": "NY", "cap": null, "version": 2 })).await.expect(200).json();
    assert_eq!((&back["cap"], &back["own"]), (&json!(10), &json!(false)));
    set(json!({ "default": 7 })).await.expect(428);
    set(json!({ "default": 7, "version": 1 })).await.expect(200);
    let stale: Value = set(json!({ "default": 8, "version": 1 })).await.expect(409).json();
    assert_eq!((&stale["fresh"]["cap"], &stale["fresh"]["setBy"]), (&json!(7), &json!("Test agent (test)")));
    let stats: Value = agent.get("/api/leads/stats").send().await.expect(200).json();
    assert_eq!((&stats["out"][0]["cap"], &stats["out"][0]["out"]), (&json!(7), &json!(0)));
}

async fn an_order_without_available_leads_explains_each_state_and_is_not_created(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 1).await;
    let agent = workspace.agent().await;
    let no_cap = json!({ "state": "NY", "cap": 0, "version": 1 });
    agent.put("/api/leads/caps").json(&no_cap).send().await.expect(200);
    let refused: Value =
        agent.post("/api/orders").json(&acme(&["NY", "CA"], 2)).send().await.expect(422).json();
    assert_eq!(refused["type"], "urn:holdfast:problem:nothing-to-give");
    assert_eq!((&refused["given"][0]["cap"], &refused["given"][0]["given"]), (&json!(0), &json!(0)));
    assert_eq!((&refused["given"][1]["state"], &refused["given"][1]["inStock"]), (&json!("CA"), &json!(0)));
    assert!(listed(&agent, "").await.is_empty());
}

async fn a_lead_is_released_with_a_reason_and_a_version(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 3).await;
    let agent = workspace.agent().await;
    let made = order(&agent, &acme(&["NY"], 1)).await;
    let release = format!("{}/release", path(&made));
    let mut body = json!({ "leadId": made["leads"][0]["id"], "reason": "OTHER" });
    agent.post(&release).json(&body).send().await.expect(428);
    body["version"] = 1.into();
    let refused: Value = agent.post(&release).json(&body).send().await.expect(422).json();
    assert_eq!(refused["errors"][0]["field"], "note");
    body["reason"] = "bad_contact".into();
    let released = agent.post(&release).json(&body).send().await.expect(200);
    let answer: Value = released.json();
    assert_eq!((&answer["replacement"]["name"], released.header("etag")), (&json!("Lead 1"), "\"2\""));
    let stale: Value = agent.post(&release).json(&body).send().await.expect(409).json();
    assert_eq!(names(&stale["fresh"]["leads"]), ["Lead 1"]);
    let snake = json!({ "lead_id": made["leads"][0]["id"], "reason": "DUPLICATE", "version": 2 });
    let gone: Value = agent.post(&release).json(&snake).send().await.expect(422).json();
    assert_eq!(gone["rule"], "not-in-order");
}

async fn lists_of_orders_continue_by_cursor_and_search_many(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 7).await;
    let agent = workspace.agent().await;
    for number in 0..7 {
        let mut body = acme(&["NY"], 1);
        body["customerName"] = format!("Customer {number}").into();
        order(&agent, &body).await;
    }
    for (query, expected) in [("limit=2", 7), ("limit=2&customer=customer", 7), ("limit=3&state=NY", 7)] {
        let orders = all_items(&agent, &format!("/api/orders?{query}")).await;
        let found = texts(&orders, "customerName");
        assert_eq!(found.len(), expected, "{query}");
        assert!(found.is_sorted_by(|newer, older| newer > older), "{query}: {found:?}");
    }
    agent.get("/api/orders?cursor=bmV3ZXN0").send().await.expect(400);
}

/// The workspace with a clock that the case sets.
fn at_times(workspace: &Workspace) -> (Workspace, Arc<Mutex<Timestamp>>) {
    let now = Arc::new(Mutex::new(Timestamp::now()));
    let clock = now.clone();
    let clock = Clock::from_fn(move || *clock.lock().expect("the clock runs"));
    let app = App { clock, ..workspace.app.clone() };
    let (router, routes) = build_router(app.clone());
    (Workspace { app, router, routes, entry: Entry::Router }, now)
}

pub async fn fulfilled(client: &Client, body: &Value) -> Value {
    let order = order(client, body).await;
    let fulfill = format!("{}/fulfill", path(&order));
    client.patch(&fulfill).json(&json!({ "version": order["version"] })).send().await.expect(200);
    order
}

async fn an_export_continues_part_by_part_and_escapes_formulas(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let formula = json!({ "name": "=HYPERLINK(\"x\")", "email": "x@example.com", "state": "NY" });
    agent.post("/api/leads").json(&formula).send().await.expect(201);
    stock(&workspace, "NY", 9).await;
    for name in ["Acme Roofing", "Bolt & Co", "Café, Inc."] {
        let mut body = acme(&["NY"], 3);
        body["customerName"] = name.into();
        fulfilled(&agent, &body).await;
    }
    // An open order is not exported.
    order(&agent, &acme(&["NY"], 1)).await;
    let whole = agent.get("/api/orders/export/csv").send().await.expect(200);
    assert!(whole.header("content-type").starts_with("text/csv"));
    let text = whole.text();
    assert!(without_mark(text).starts_with(&COLUMNS.join(",")), "{text}");
    assert_eq!(text.lines().count(), 10);
    assert!(text.contains("\"'=HYPERLINK(\"\"x\"\")\"") && text.contains("\"Café, Inc.\""), "{text}");

    // The same export in parts of one or two orders.
    let (mut parts, mut cursor) = (String::new(), None);
    let mut count = 0;
    loop {
        let part = workspace
            .app
            .orders()
            .export_part_within(&Period::default(), cursor.as_deref(), 400)
            .await
            .unwrap();
        parts.push_str(&part.csv);
        count += 1;
        match part.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert!(count >= 3, "{count} parts");
    assert_eq!(parts, text);
    let first = workspace.app.orders().export_part_within(&Period::default(), None, 400).await.unwrap();
    let next = format!("/api/orders/export/csv?cursor={}", first.next.unwrap());
    let rest = agent.get(&next).send().await.expect(200);
    assert!(!rest.text().contains("customerName"), "only the first part has the header");
    workspace.program(Role::Participant).await.get("/api/orders/export/csv").send().await.expect(403);
}

async fn the_days_of_an_export_follow_new_york_through_clock_changes(environment: TestEnvironment) {
    let (workspace, now) = at_times(&Workspace::open(&environment).await);
    stock(&workspace, "NY", 8).await;
    let agent = workspace.agent().await;
    for (moment, name) in [
        ("2026-03-08T04:59:59Z", "Saturday"),
        ("2026-03-08T05:00:00Z", "Sunday begins"),
        ("2026-03-09T03:59:59Z", "Sunday ends"),
        ("2026-03-09T04:00:00Z", "Monday"),
        ("2026-11-01T05:30:00Z", "The first half past one"),
        ("2026-11-01T06:30:00Z", "The second half past one"),
        ("2026-11-02T05:00:00Z", "Monday again"),
    ] {
        *now.lock().unwrap() = moment.parse().unwrap();
        let mut body = acme(&["NY"], 1);
        body["customerName"] = name.into();
        fulfilled(&agent, &body).await;
    }
    for (day, expected) in [
        ("2026-03-08", ["Sunday begins", "Sunday ends"]),
        ("2026-11-01", ["The first half past one", "The second half past one"]),
    ] {
        let days = format!("from={day}&to={day}");
        let csv = agent.get(&format!("/api/orders/export/csv?{days}")).send().await.expect(200);
        let names: Vec<_> = csv.text().lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
        assert_eq!(names, expected, "{day}");
        let mut found = listed(&agent, &days).await;
        found.reverse();
        assert_eq!(found, expected, "{day}");
    }
    let csv = agent.get("/api/orders/export/csv?from=2026-11-01&to=2026-11-01").send().await.expect(200);
    for time in ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"] {
        assert!(csv.text().contains(time), "{time} in {}", csv.text());
    }
}
