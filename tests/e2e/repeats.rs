//! Changes with an idempotency key: each happens once, and a repeated request gets the same answer.

use std::sync::{Arc, Mutex};

use http::header::{ETAG, LOCATION};
use serde_json::{Value, json};

use super::deadlines::{Records, StoreBehavior, TestRequest, prepare, requests, workspace_over};
use crate::support::http::Response;
use crate::support::virtual_time::VirtualTime;
use crate::support::workspace::{Workspace, address, change, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: every_change_with_a_key_happens_once_and_repeats_its_answer;
        store: a_key_belongs_to_one_request_with_its_precondition_and_query,
            a_long_answer_is_not_stored_and_a_repetition_shows_the_current_order
    ]
}

async fn send(records: &Records, (method, path, _, body): &TestRequest) -> Response {
    let client = if path.contains("/tokens") { &records.person } else { &records.admin };
    let request = client.request(method.clone(), path).header("idempotency-key", "key");
    match body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

async fn every_change_with_a_key_happens_once_and_repeats_its_answer(_: TestEnvironment) {
    tokio::task::spawn_blocking(repeat_all).await.unwrap();
}

fn repeat_all() {
    let (time, behavior) = (VirtualTime::default(), Arc::new(Mutex::new(StoreBehavior::Fine)));
    let count = time.run(async { requests(&prepare(&workspace_over(&time, &behavior), 5).await).len() });
    let mut refused = Vec::new();
    for number in 0..count {
        // Each request has a separate table, so that requests do not affect each other.
        let workspace = workspace_over(&time, &behavior);
        let records = time.run(prepare(&workspace, 5));
        let test_request = &requests(&records)[number];
        let what = format!("{} {}", test_request.0, test_request.2);
        let first = time.run(send(&records, test_request));
        if !first.status.is_success() {
            refused.push(what);
            continue;
        }
        // A message has its own id, and the second answer says that it is a duplicate. A group is decided only
        // once.
        let groups = ["/api/inventory/parked/retry", "/api/inventory/parked/dismiss"];
        if test_request.2 == "/api/inventory/events" || groups.contains(&test_request.2) {
            continue;
        }
        let again = time.run(send(&records, test_request));
        assert_eq!(again.status, first.status, "{what}: {}", again.text());
        // Secrets are shown once.
        let has_secret =
            ["/api/tokens", "/api/accounts", "/api/accounts/{id}/link", "/api/accounts/{id}/tokens"]
                .contains(&test_request.2);
        if !has_secret || test_request.0 != http::Method::POST {
            assert_eq!(again.text(), first.text(), "{what}");
        }
        for header in [ETAG, LOCATION] {
            assert_eq!(again.header(header.as_str()), first.header(header.as_str()), "{what}");
        }
        // The same key with another request is refused.
        let mut other = test_request.clone();
        match &mut other.3 {
            Some(body) if body["version"].is_u64() => body["version"] = json!(77),
            Some(_) => continue,
            None if other.1.contains("version=1") => other.1 = other.1.replace("version=1", "version=77"),
            None => continue,
        }
        let reused = time.run(send(&records, &other)).expect(422).json::<Value>();
        assert_eq!(reused["type"], "urn:holdfast:problem:idempotency-key-reused", "{what}");
    }
    // Nothing is converted, withheld, sold or failed in these tables.
    let mut expected = [
        "POST /api/leads/{id}/reopen",
        "POST /api/leads/{id}/restock",
        "DELETE /api/raffles/{id}/tickets/{number}",
        "POST /api/raffles/{id}/draw",
        "POST /api/automation/runs/{id}/retry",
        "POST /api/automation/dead-letters/{id}/retry",
        "DELETE /api/automation/dead-letters/{id}",
        "POST /api/inventory/parked/{id}/retry",
    ];
    expected.sort_unstable();
    refused.sort_unstable();
    assert_eq!(refused, expected);
}

async fn a_key_belongs_to_one_request_with_its_precondition_and_query(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let patch = async |version: &str, score: u64| {
        let request = agent.patch(&address(&lead)).header("idempotency-key", "k").header("if-match", version);
        request.json(&json!({ "leadScore": score })).send().await
    };
    let first = patch("\"1\"", 60).await.expect(200);
    change(&agent, &lead, 2, json!({ "leadScore": 61 })).await.expect(200);
    let again = patch("\"1\"", 60).await.expect(200);
    assert_eq!((again.text(), again.header("etag")), (first.text(), first.header("etag")));
    for (version, score) in [("\"3\"", 60), ("\"1\"", 62)] {
        let reused: Value = patch(version, score).await.expect(422).json();
        assert_eq!(reused["type"], "urn:holdfast:problem:idempotency-key-reused");
    }
    // Even if the other request would break a rule.
    let convert = json!({ "status": "CONVERTED" });
    let convert = agent
        .patch(&address(&lead))
        .header("idempotency-key", "k")
        .header("if-match", "\"3\"")
        .json(&convert);
    let reused: Value = convert.send().await.expect(422).json();
    assert_eq!(reused["type"], "urn:holdfast:problem:idempotency-key-reused");
    // A refused request leaves no record, so the key is free.
    let convert = async |score: u64| {
        let body = json!({ "version": 3, "status": "CONVERTED", "leadScore": score });
        agent.patch(&address(&lead)).header("idempotency-key", "free").json(&body).send().await
    };
    assert_eq!(convert(20).await.expect(422).json::<Value>()["type"], "urn:holdfast:problem:rule-violation");
    convert(90).await.expect(200);
    let delete = |version: u64| {
        agent.delete(&format!("{}?version={version}", address(&lead))).header("idempotency-key", "d")
    };
    delete(4).send().await.expect(204);
    delete(4).send().await.expect(204);
    delete(5).send().await.expect(422);
    assert_eq!(history(&agent, &lead).await.len(), 5);
}

async fn a_long_answer_is_not_stored_and_a_repetition_shows_the_current_order(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    super::orders::set_cap(&workspace, "NY", 40).await;
    super::orders::stock(&workspace, "NY", 40).await;
    let body = json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    let post = async || agent.post("/api/orders").header("idempotency-key", "k").json(&body).send().await;
    let first = post().await.expect(201);
    let order: Value = first.json();
    assert_eq!(order["leads"].as_array().unwrap().len(), 40);
    let again = post().await.expect(201);
    assert_eq!((again.text(), again.header("location")), (first.text(), first.header("location")));
    let kept: usize = environment
        .wire()
        .calls_of("TransactWriteItems")
        .iter()
        .flat_map(|call| call.request["TransactItems"].as_array().unwrap().clone())
        .filter(|action| {
            action["Put"]["Item"]["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("LEDGER#"))
        })
        .map(|action| action.to_string().len())
        .max()
        .unwrap();
    assert!(kept < 6_000, "the record has {kept} bytes");
    // The order is fulfilled since. The repeated answer shows that, with the first answer's status.
    let id = order["id"].as_str().unwrap();
    agent.patch(&format!("/api/orders/{id}/fulfill")).json(&json!({ "version": 1 })).send().await.expect(200);
    let now: Value = post().await.expect(201).json();
    assert_eq!((&now["id"], &now["status"]), (&order["id"], &json!("FULFILLED")));
    let lead = json!({ "id": order["leads"][0]["id"] });
    assert_eq!(read(&agent, &lead).await["stock"], "FULFILLED");
}
