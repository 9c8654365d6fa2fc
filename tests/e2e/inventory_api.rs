//! The JSON API of the inventory: the result of each message, refused requests, and reports.

use futures_util::future::join_all;
use holdfast::base::identity::Role;
use holdfast::inventory::health::Progress;
use http::Method;
use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::{UNDER_LOAD, Workspace};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: a_repeated_request_changes_nothing,
            a_hundred_concurrent_sales_sell_the_stock_and_the_rest_become_dead_letters;
        web: each_message_of_a_request_has_its_own_result,
            an_invalid_message_is_reported_and_not_kept,
            bad_requests_are_refused_with_a_reason_and_write_nothing,
            bad_decisions_about_a_dead_letter_are_refused_and_write_nothing,
            bodies_that_are_no_json_and_bad_keys_are_refused,
            lists_and_records_that_do_not_exist_are_refused,
            consumers_and_checks_are_reported,
            unknown_fields_of_a_message_are_ignored
    ]
}

pub const WRITE: &str = "TransactWriteItems";
const UNKNOWN_ID: &str = "019f0000-0000-7000-8000-000000000000";

/// The JSON of a message.
pub fn event(id: &str, sku: &str, kind: &str, quantity: u64) -> Value {
    json!({
        "schema": 1, "messageId": id, "sku": sku, "kind": kind, "quantity": quantity,
        "occurredAt": "2026-11-22T12:00:00Z",
    })
}

/// Sends messages and returns their results.
pub async fn send(client: &Client, messages: &Value) -> Vec<Value> {
    let answer = client.post("/api/inventory/events").json(messages).send().await.expect(200);
    answer.json::<Value>()["results"].as_array().expect("results").clone()
}

/// The outcome of each result.
pub fn outcomes(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["outcome"].as_str().expect("an outcome")).collect()
}

/// Reads a product.
pub async fn product(client: &Client, sku: &str) -> Value {
    client.get(&format!("/api/products/{sku}")).send().await.expect(200).json()
}

/// The dead letters with this status.
pub async fn dead_letters(client: &Client, status: &str) -> Vec<Value> {
    let page =
        client.get(&format!("/api/inventory/parked?limit=100&status={status}")).send().await.expect(200);
    page.json::<Value>()["items"].as_array().expect("items").clone()
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

#[track_caller]
pub fn assert_problem(answer: &Response, name: &str) -> Value {
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem: Value = answer.json();
    assert_eq!(problem["type"], format!("urn:holdfast:problem:{name}"), "{problem}");
    problem
}

async fn each_message_of_a_request_has_its_own_result(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut broken = event("m3", "A1", "SALE", 1);
    broken["kind"] = json!("GIFT");
    let sent = json!([
        event("m1", "a1", "RECEIPT", 5),
        event("m2", "A1", "SALE", 2),
        broken,
        event("m4", "A1", "SALE", 9),
        event("m2", "A1", "SALE", 2),
        event("m2", "A1", "SALE", 1),
        event("m5", "B1", "SALE", 1),
        event("m6", "A1", "SALE", 3),
    ]);
    let results = send(&agent, &sent).await;
    assert_eq!(
        outcomes(&results),
        ["APPLIED", "APPLIED", "INVALID", "PARKED", "DUPLICATE", "PARKED", "PARKED", "APPLIED"]
    );
    let ids: Vec<_> = results.iter().map(|result| text(result, "messageId")).collect();
    assert_eq!(ids, ["m1", "m2", "m3", "m4", "m2", "m2", "m5", "m6"], "in the order sent");
    let movement = &results[1]["movement"];
    assert_eq!(
        (&movement["before"], &movement["after"], &movement["by"]),
        (&json!(5), &json!(3), &json!("Test agent (test)"))
    );
    assert!(text(&results[2]["errors"][0], "message").contains("kind"), "{}", results[2]);
    let reasons = [3, 5, 6].map(|place: usize| text(&results[place]["parked"]["reason"], "name").to_owned());
    assert_eq!(reasons, ["insufficient-stock", "conflicting-duplicate", "unknown-sku"]);
    assert_eq!(product(&agent, "a1").await["stock"], 0);
    let open = dead_letters(&agent, "OPEN").await;
    assert_eq!(open.len(), 3);
    assert!(open.iter().any(|one| one["id"] == results[3]["parked"]["id"]));
    // A body may be one message instead of a list.
    assert_eq!(outcomes(&send(&agent, &event("m7", "A1", "RETURN", 1)).await), ["APPLIED"]);
}

async fn a_repeated_request_changes_nothing(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let sent: Vec<Value> = (0..100)
        .map(|number| event(&format!("m{number}"), &format!("P{}", number % 7), "RECEIPT", 1))
        .collect();
    let sent = json!(sent);
    let post = || agent.post("/api/inventory/events").header("idempotency-key", "k1").json(&sent).send();
    let first: Value = post().await.expect(200).json();
    assert_eq!(outcomes(first["results"].as_array().unwrap()), ["APPLIED"; 100]);
    let again: Value = post().await.expect(200).json();
    assert_eq!(outcomes(again["results"].as_array().unwrap()), ["DUPLICATE"; 100]);
    // The message id decides, not the key: new messages in another list with the same key are applied.
    let other = json!([event("m1", "P1", "RECEIPT", 1), event("new", "P1", "RECEIPT", 1)]);
    let other = agent.post("/api/inventory/events").header("idempotency-key", "k1").json(&other).send().await;
    let other: Value = other.expect(200).json();
    assert_eq!(outcomes(other["results"].as_array().unwrap()), ["DUPLICATE", "APPLIED"]);
    assert_eq!(product(&agent, "P1").await["stock"], 16);
}

async fn a_hundred_concurrent_sales_sell_the_stock_and_the_rest_become_dead_letters(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Agent, "Seller").await;
    let agent = workspace.bearer(&token);
    send(&agent, &event("count", "HOT", "COUNT", 40)).await;
    let selling = (0..100).map(|number| {
        let client = workspace.another(&environment, &environment.another_wire(), UNDER_LOAD).bearer(&token);
        tokio::spawn(
            async move { send(&client, &event(&format!("s{number}"), "HOT", "SALE", 1)).await.remove(0) },
        )
    });
    let results: Vec<Value> = join_all(selling).await.into_iter().map(Result::unwrap).collect();
    let applied = results.iter().filter(|result| result["outcome"] == "APPLIED").count();
    let refused =
        results.iter().filter(|result| result["parked"]["reason"]["name"] == "insufficient-stock").count();
    assert_eq!((applied, refused), (40, 60));
    let now = product(&agent, "HOT").await;
    assert_eq!((&now["stock"], &now["version"]), (&json!(0), &json!(41)));
    assert_eq!(dead_letters(&agent, "OPEN").await.len(), 60);
}

async fn an_invalid_message_is_reported_and_not_kept(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    send(&agent, &event("open", "A1", "COUNT", 5)).await;
    let before = environment.wire().count(WRITE);
    for (field, value) in [
        ("schema", json!(2)),
        ("messageId", json!(null)),
        ("messageId", json!("a b")),
        ("messageId", json!("x".repeat(201))),
        ("sku", json!("a/b")),
        ("sku", json!("..")),
        ("sku", json!("")),
        ("kind", json!("sale")),
        ("kind", json!("GIFT")),
        ("quantity", json!(0)),
        ("quantity", json!(-1)),
        ("quantity", json!(1.5)),
        ("quantity", json!("6")),
        ("quantity", json!(1_000_000_001)),
        ("quantity", json!(1e300)),
        ("occurredAt", json!("yesterday")),
        ("reference", json!("")),
        ("version", json!(1)),
    ] {
        let mut message = event("m1", "A1", "SALE", 1);
        message[field] = value.clone();
        let result = send(&agent, &message).await.remove(0);
        assert_eq!(result["outcome"], "INVALID", "{field} = {value}: {result}");
        let words = text(&result["errors"][0], "message");
        assert!(words.contains(field) && words.contains(' '), "{field} = {value}: {words}");
    }
    for message in [json!(1), json!("SALE"), json!([]), json!(null), json!({})] {
        assert_eq!(outcomes(&send(&agent, &json!([message])).await), ["INVALID"], "{message}");
    }
    assert_eq!(environment.wire().count(WRITE), before);
    assert_eq!(dead_letters(&agent, "OPEN").await, Vec::<Value>::new());
}

const EVENTS: &str = "/api/inventory/events";
const ADJUST: &str = "/api/products/A1/adjust";

/// An agent, and the address of an open dead letter.
async fn with_a_dead_letter(environment: &TestEnvironment) -> (Client, String) {
    let agent = Workspace::open(environment).await.agent().await;
    send(&agent, &json!([event("open", "A1", "COUNT", 5), event("big", "A1", "SALE", 9)])).await;
    let waiting = dead_letters(&agent, "OPEN").await.remove(0);
    let address = format!("/api/inventory/parked/{}", text(&waiting, "id"));
    (agent, address)
}

/// Asserts that each request is refused with its status and a problem document.
async fn assert_refused(agent: &Client, cases: Vec<(Method, &str, Value, u16)>) {
    for (method, path, body, status) in cases {
        let answer = agent.request(method.clone(), path).json(&body).send().await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path} {body}");
    }
}

async fn bad_requests_are_refused_with_a_reason_and_write_nothing(environment: TestEnvironment) {
    let (agent, _) = with_a_dead_letter(&environment).await;
    let before = environment.wire().count(WRITE);
    let too_many = json!(vec![event("m", "A1", "SALE", 1); 101]);
    let product = "/api/products/A1";
    let cases = vec![
        (Method::POST, EVENTS, json!([]), 422),
        (Method::POST, EVENTS, too_many, 422),
        (Method::POST, EVENTS, json!("SALE"), 400),
        (Method::POST, EVENTS, json!(7), 400),
        (Method::PATCH, product, json!({}), 400),
        (Method::PATCH, product, json!({ "name": "X" }), 428),
        (Method::PATCH, product, json!({ "name": "", "detailsVersion": 1 }), 422),
        (Method::PATCH, product, json!({ "name": null, "detailsVersion": 1 }), 422),
        (Method::PATCH, product, json!({ "name": "x".repeat(121), "detailsVersion": 1 }), 422),
        (Method::PATCH, product, json!({ "lowMark": -1, "detailsVersion": 1 }), 422),
        (Method::PATCH, product, json!({ "lowMark": "5", "detailsVersion": 1 }), 422),
        (Method::PATCH, product, json!({ "lowMark": 5, "detailsVersion": 0 }), 422),
        (Method::PATCH, product, json!({ "stock": 5, "detailsVersion": 1 }), 422),
        (Method::PATCH, product, json!({ "lowMark": 5, "detailsVersion": 9 }), 409),
        (Method::PATCH, "/api/products/NOWHERE", json!({ "lowMark": 5, "detailsVersion": 1 }), 404),
        (Method::POST, ADJUST, json!({ "version": 1 }), 422),
        (Method::POST, ADJUST, json!({ "stock": 3 }), 428),
        (Method::POST, ADJUST, json!({ "stock": -1, "version": 1 }), 422),
        (Method::POST, ADJUST, json!({ "stock": 1.5, "version": 1 }), 422),
        (Method::POST, ADJUST, json!({ "stock": "6", "version": 1 }), 422),
        (Method::POST, ADJUST, json!({ "stock": 1_000_000_001, "version": 1 }), 422),
        (Method::POST, ADJUST, json!({ "stock": 3, "version": "1" }), 422),
        (Method::POST, ADJUST, json!({ "stock": 3, "version": 1, "reason": "" }), 422),
        (Method::POST, ADJUST, json!({ "stock": 3, "version": 1, "kind": "COUNT" }), 422),
        (Method::POST, ADJUST, json!([3, 1]), 400),
        (Method::POST, "/api/products/NOWHERE/adjust", json!({ "stock": 3, "version": 1 }), 404),
        (Method::POST, "/api/products/a%2Fb/adjust", json!({ "stock": 3, "version": 1 }), 404),
    ];
    assert_refused(&agent, cases).await;
    agent.post(EVENTS).body("application/json", vec![b' '; 1_100_000]).send().await.expect(413);
    assert_eq!(environment.wire().count(WRITE), before);
}

async fn bad_decisions_about_a_dead_letter_are_refused_and_write_nothing(environment: TestEnvironment) {
    let (agent, one) = with_a_dead_letter(&environment).await;
    let before = environment.wire().count(WRITE);
    let retry = format!("{one}/retry");
    let cases = vec![
        (Method::POST, retry.as_str(), json!({}), 428),
        (Method::POST, retry.as_str(), json!({ "version": 0 }), 422),
        (Method::POST, retry.as_str(), json!({ "version": 1, "stock": 1 }), 422),
        (Method::POST, "/api/inventory/parked/7/retry", json!({ "version": 1 }), 404),
    ];
    assert_refused(&agent, cases).await;
    for (query, status) in
        [("version=x", 422), ("version=1&note=%00", 422), ("version=1&why=x", 400), ("", 428)]
    {
        let answer = agent.delete(&format!("{one}?{query}")).send().await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.text());
    }
    assert_eq!(environment.wire().count(WRITE), before);
}

async fn bodies_that_are_no_json_and_bad_keys_are_refused(environment: TestEnvironment) {
    let (agent, one) = with_a_dead_letter(&environment).await;
    let before = environment.wire().count(WRITE);
    for path in [EVENTS, ADJUST, &format!("{one}/retry")] {
        for (kind, body, status) in [
            ("application/json", "{", 400),
            ("application/json", "", 400),
            ("application/json", "nonsense", 400),
            ("text/plain", "{}", 415),
        ] {
            let answer = agent.post(path).body(kind, body.to_owned()).send().await;
            assert_eq!(answer.status.as_u16(), status, "{path} {kind} {body:?}: {}", answer.text());
        }
        let keyed =
            agent.post(path).header("idempotency-key", "a b").json(&json!({ "version": 1 })).send().await;
        assert_eq!(keyed.status.as_u16(), 400, "{path}: {}", keyed.text());
    }
    assert_eq!(environment.wire().count(WRITE), before);
}

async fn lists_and_records_that_do_not_exist_are_refused(environment: TestEnvironment) {
    let (agent, _) = with_a_dead_letter(&environment).await;
    for (path, status) in [
        ("/api/products?limit=0", 422),
        ("/api/products?limit=101", 422),
        ("/api/products?cursor=nonsense", 400),
        ("/api/products?q=white&cursor=nonsense", 400),
        ("/api/products?sort=sku", 400),
        ("/api/products/NOWHERE", 404),
        ("/api/products/..%2F..", 404),
        ("/api/products/NOWHERE/movements", 404),
        ("/api/products/A1/movements?cursor=nonsense", 400),
        ("/api/inventory/parked?status=LOST", 422),
        ("/api/inventory/parked?cursor=nonsense", 400),
        ("/api/inventory/parked/7", 404),
        (&format!("/api/inventory/parked/{UNKNOWN_ID}"), 404),
    ] {
        let answer = agent.get(path).send().await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text());
    }
}

async fn consumers_and_checks_are_reported(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (agent, admin) = (workspace.agent().await, workspace.program(Role::Administrator).await);
    let none: Value = agent.get("/api/inventory/consumers").send().await.expect(200).json();
    assert_eq!(none, json!({ "items": [], "next": null }));
    let progress = Progress {
        group: "holdfast".to_owned(),
        topic: "inventory-events".to_owned(),
        partition: 3,
        offset: 41,
        lag: Some(7),
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
    };
    workspace.app.inventory().report_progress(&[progress]).await.unwrap();
    let list: Value = agent.get("/api/inventory/consumers").send().await.expect(200).json();
    assert_eq!((&list["items"][0]["offset"], &list["items"][0]["lag"]), (&json!(41), &json!(7)));

    let all: Vec<Value> = (0..60)
        .map(|number| event(&format!("m{number}"), &format!("P{:02}", number % 30), "RECEIPT", 2))
        .collect();
    send(&agent, &json!(all)).await;
    agent.get("/api/inventory/check").send().await.expect(403);
    let (mut products, mut movements, mut cursor) = (0, 0, String::new());
    loop {
        let step: Value =
            admin.get(&format!("/api/inventory/check?cursor={cursor}")).send().await.expect(200).json();
        assert_eq!(step["differences"], json!([]));
        products += step["products"].as_u64().unwrap();
        movements += step["movements"].as_u64().unwrap();
        match step["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((products, movements), (30, 60));
    admin.get("/api/inventory/check?cursor=nonsense").send().await.expect(400);
}

async fn unknown_fields_of_a_message_are_ignored(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut message = event("m1", "K3", "RECEIPT", 6);
    message["traceId"] = json!("abc");
    message["quantity"] = json!(6.0);
    message["schema"] = json!(1.0);
    assert_eq!(outcomes(&send(&agent, &message).await), ["APPLIED"]);
    // Unknown fields are not part of the message.
    assert_eq!(outcomes(&send(&agent, &event("m1", "K3", "RECEIPT", 6)).await), ["DUPLICATE"]);
    let wrong = json!({ "schema": 1, "kind": "GIFT", "occurredAt": "2026-11-22 12:00:00Z", "traceId": 1 });
    let result = send(&agent, &wrong).await.remove(0);
    let errors = result["errors"].as_array().unwrap();
    let fields: Vec<_> = errors.iter().map(|error| text(error, "field")).collect();
    assert_eq!(fields, ["sku", "kind", "quantity", "occurredAt"]);
}
