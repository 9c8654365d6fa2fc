//! The JSON API of the inventory: the result of each message, products, dead letters, and refusals.

use std::time::Duration;

use futures_util::future::join_all;
use holdfast::base::identity::Role;
use holdfast::inventory::domain::{Message, Source};
use holdfast::inventory::health::Progress;
use holdfast::store::RetryPolicy;
use http::Method;
use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: a_repeated_request_changes_nothing,
            a_hundred_concurrent_sales_sell_the_stock_and_the_rest_become_dead_letters;
        web: each_message_of_a_request_has_its_own_result,
            an_adjustment_needs_the_current_version,
            a_dead_letter_is_retried_or_dismissed_once_and_only_at_its_version,
            products_are_found_by_words_and_by_their_new_names,
            a_product_created_by_a_long_batch_is_found_by_its_words,
            an_invalid_message_is_reported_and_not_kept,
            bad_requests_are_refused_with_a_reason_and_write_nothing,
            details_have_their_own_version,
            movements_are_read_page_by_page,
            a_page_of_products_costs_two_calls_and_so_does_a_message,
            a_dead_letter_shows_its_whole_message_as_text_or_base64,
            consumers_and_checks_are_reported,
            dead_letters_are_retried_and_dismissed_in_groups,
            unknown_fields_of_a_message_are_ignored
    ]
}

const WRITE: &str = "TransactWriteItems";
/// For many requests at once on a machine with two cores: these cases check what is applied, not how fast.
const UNDER_LOAD: RetryPolicy = RetryPolicy {
    attempt: Duration::from_secs(60),
    request: Duration::from_secs(180),
    reserve: Duration::from_secs(10),
};
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
fn outcomes(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["outcome"].as_str().expect("an outcome")).collect()
}

/// Reads a product.
pub async fn product(client: &Client, sku: &str) -> Value {
    client.get(&format!("/api/products/{sku}")).send().await.expect(200).json()
}

/// The dead letters with this status.
pub async fn parked(client: &Client, status: &str) -> Vec<Value> {
    let page =
        client.get(&format!("/api/inventory/parked?limit=100&status={status}")).send().await.expect(200);
    page.json::<Value>()["items"].as_array().expect("items").clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

#[track_caller]
fn assert_problem(answer: &Response, name: &str) -> Value {
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
    let open = parked(&agent, "OPEN").await;
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
    assert!(first["results"].as_array().unwrap().iter().all(|result| result["outcome"] == "APPLIED"));
    let again: Value = post().await.expect(200).json();
    assert!(again["results"].as_array().unwrap().iter().all(|result| result["outcome"] == "DUPLICATE"));
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
    assert_eq!(parked(&agent, "OPEN").await.len(), 60);
}

async fn an_adjustment_needs_the_current_version(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    send(&agent, &event("m1", "A1", "COUNT", 5)).await;
    let adjust = || agent.post("/api/products/a1/adjust");
    let by_header = adjust().header("if-match", "\"1\"").header("idempotency-key", "k1");
    let body = json!({ "stock": 8, "reason": "Counted the shelf" });
    let done = by_header.json(&body).send().await.expect(200);
    assert_eq!((done.header("etag"), &done.json::<Value>()["stock"]), ("\"2\"", &json!(8)));
    let stale = adjust().json(&json!({ "stock": 9, "version": 1 })).send().await.expect(409);
    let fresh = assert_problem(&stale, "conflict")["fresh"].clone();
    assert_eq!((&fresh["stock"], &fresh["version"]), (&json!(8), &json!(2)));
    let again = adjust().header("if-match", "\"1\"").header("idempotency-key", "k1").json(&body).send().await;
    assert_eq!(
        again.expect(200).json::<Value>()["version"],
        2,
        "the same request again is the same adjustment"
    );
    let other = adjust().header("if-match", "\"2\"").header("idempotency-key", "k1");
    let other = other.json(&json!({ "stock": 7 })).send().await.expect(422);
    assert_problem(&other, "idempotency-key-reused");
    // The longest key that is allowed, and no key.
    let long =
        adjust().header("idempotency-key", &"k".repeat(200)).json(&json!({ "stock": 0, "version": 2 }));
    assert_eq!(long.send().await.expect(200).json::<Value>()["stock"], 0);
    adjust().json(&json!({ "stock": 4, "version": 3 })).send().await.expect(200);
    let movements: Value = agent.get("/api/products/A1/movements").send().await.expect(200).json();
    let list: Vec<_> = movements["items"].as_array().unwrap().iter().map(|one| &one["after"]).collect();
    assert_eq!(list, [4, 0, 8, 5]);
    assert_eq!(movements["items"][2]["reason"], "Counted the shelf");
    assert_eq!(parked(&agent, "OPEN").await.len(), 0, "the person gets the error and no dead letter is kept");
    // Of several adjustments at once with the same version, one is accepted.
    let racing = (10..18).map(|stock| adjust().json(&json!({ "stock": stock, "version": 4 })).send());
    let statuses: Vec<u16> = join_all(racing).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
}

async fn a_dead_letter_is_retried_or_dismissed_once_and_only_at_its_version(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    send(
        &agent,
        &json!([
            event("open", "A1", "COUNT", 2),
            event("big", "A1", "SALE", 5),
            event("bad", "B1", "SALE", 1)
        ]),
    )
    .await;
    let open = parked(&agent, "OPEN").await;
    let id = |name: &str| text(open.iter().find(|one| one["messageId"] == name).unwrap(), "id").to_owned();
    let retry = |key: &str| {
        let post = agent.post(&format!("/api/inventory/parked/{}/retry", id("big")));
        post.header("if-match", "\"1\"").header("idempotency-key", key).send()
    };
    let refused = retry("k").await.expect(422);
    let problem = assert_problem(&refused, "still-refused");
    assert_eq!(problem["reason"]["name"], "insufficient-stock");
    assert!(text(&problem, "detail").contains("asks for 5, but the stock is 2"), "{problem}");
    send(&agent, &event("more", "A1", "RECEIPT", 10)).await;
    let answers =
        join_all((0..6).map(|number| async move { (number, retry(&format!("k{number}")).await) })).await;
    let (done, late): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, answer)| answer.status == 200);
    assert_eq!((done.len(), product(&agent, "A1").await["stock"].as_u64()), (1, Some(7)));
    for (_, answer) in late {
        assert_eq!(answer.status, 409);
        assert_eq!(assert_problem(answer, "conflict")["fresh"]["status"], "APPLIED");
    }
    let (key, first) = done[0];
    assert_eq!((first.header("etag"), &first.json::<Value>()["status"]), ("\"2\"", &json!("APPLIED")));
    assert_eq!(retry(&format!("k{key}")).await.expect(200).text(), first.text(), "the same answer again");

    let address = format!("/api/inventory/parked/{}", id("bad"));
    agent.delete(&address).send().await.expect(428);
    let stale = agent.delete(&format!("{address}?version=7")).send().await.expect(409);
    assert_eq!(assert_problem(&stale, "conflict")["fresh"]["version"], 1);
    agent.delete(&format!("{address}?version=1&note=Wrong%20shop")).send().await.expect(204);
    agent.delete(&format!("{address}?version=2")).send().await.expect(409);
    let late =
        agent.post(&format!("{address}/retry")).json(&json!({ "version": 2 })).send().await.expect(409);
    assert_eq!(assert_problem(&late, "conflict")["fresh"]["note"], "Wrong shop");
    assert_eq!(parked(&agent, "OPEN").await, Vec::<Value>::new());
    assert_eq!((parked(&agent, "APPLIED").await.len(), parked(&agent, "dismissed").await.len()), (1, 1));
}

async fn products_are_found_by_words_and_by_their_new_names(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let named = |id: &str, sku: &str, name: &str| {
        let mut message = event(id, sku, "RECEIPT", 3);
        message["name"] = json!(name);
        message
    };
    let all = json!([
        named("m1", "85123A", "WHITE HANGING HEART T-LIGHT HOLDER"),
        named("m2", "71053", "WHITE METAL LANTERN"),
        named("m3", "84406B", "CREAM CUPID HEARTS COAT HANGER"),
        event("m4", "15056BL", "COUNT", 4),
    ]);
    send(&agent, &all).await;
    let find = async |q: &str| {
        let query = serde_urlencoded::to_string([("q", q), ("limit", "2")]).unwrap();
        let page: Value = agent.get(&format!("/api/products?{query}")).send().await.expect(200).json();
        let skus = page["items"].as_array().unwrap().iter().map(|product| text(product, "sku").to_owned());
        let mut skus: Vec<String> = skus.collect();
        skus.sort();
        skus
    };
    for (q, found) in [
        ("white", &["71053", "85123A"][..]),
        ("WHITE met", &["71053"]),
        ("heart", &["84406B", "85123A"]),
        ("t-l", &["85123A"]),
        ("light", &["85123A"]),
        ("15056bl", &["15056BL"]),
        ("8440", &["84406B"]),
        ("lantern white x", &[]),
        ("eart", &[]),
    ] {
        assert_eq!(find(q).await, found, "{q}");
    }
    let rename = json!({ "name": "Écru metal lantern", "detailsVersion": 1 });
    agent.patch("/api/products/71053").json(&rename).send().await.expect(200);
    assert_eq!(
        (find("white").await, find("ecru").await),
        (vec!["85123A".to_owned()], vec!["71053".to_owned()])
    );
    agent.get(&format!("/api/products?q={}", "x".repeat(201))).send().await.expect(422);
}

async fn a_product_created_by_a_long_batch_is_found_by_its_words(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    // A name with the largest number of words, and more messages than fit into one transaction beside them.
    let words: Vec<String> =
        (0..40).map(|number| format!("{}{}", char::from(b'a' + number % 26), number / 26)).collect();
    let mut messages: Vec<Value> =
        (0..60).map(|number| event(&format!("m{number}"), "A-B-C", "RECEIPT", 1)).collect();
    messages[0]["name"] = json!(words.join(" ").chars().take(120).collect::<String>().trim());
    environment.wire().reset();
    assert!(outcomes(&send(&agent, &json!(messages)).await).iter().all(|outcome| *outcome == "APPLIED"));
    assert_eq!(environment.wire().count(WRITE), 3, "25 with the product, then 30, then the rest");
    assert_eq!(product(&agent, "A-B-C").await["stock"], 60);
    for q in ["a-b", "d0 a0"] {
        let found: Value =
            agent.get(&format!("/api/products?q={}", q.replace(' ', "+"))).send().await.expect(200).json();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{q}");
    }
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
    assert_eq!(parked(&agent, "OPEN").await, Vec::<Value>::new());
}

async fn bad_requests_are_refused_with_a_reason_and_write_nothing(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    send(&agent, &json!([event("open", "A1", "COUNT", 5), event("big", "A1", "SALE", 9)])).await;
    let waiting = parked(&agent, "OPEN").await.remove(0);
    let one = format!("/api/inventory/parked/{}", text(&waiting, "id"));
    let (retry, too_many) = (format!("{one}/retry"), json!(vec![event("m", "A1", "SALE", 1); 101]));
    let before = environment.wire().count(WRITE);
    let events = "/api/inventory/events";
    let (product, adjust) = ("/api/products/A1", "/api/products/A1/adjust");
    let cases: Vec<(Method, &str, Value, u16)> = vec![
        (Method::POST, events, json!([]), 422),
        (Method::POST, events, too_many, 422),
        (Method::POST, events, json!("SALE"), 400),
        (Method::POST, events, json!(7), 400),
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
        (Method::POST, adjust, json!({ "version": 1 }), 422),
        (Method::POST, adjust, json!({ "stock": 3 }), 428),
        (Method::POST, adjust, json!({ "stock": -1, "version": 1 }), 422),
        (Method::POST, adjust, json!({ "stock": 1.5, "version": 1 }), 422),
        (Method::POST, adjust, json!({ "stock": "6", "version": 1 }), 422),
        (Method::POST, adjust, json!({ "stock": 1_000_000_001, "version": 1 }), 422),
        (Method::POST, adjust, json!({ "stock": 3, "version": "1" }), 422),
        (Method::POST, adjust, json!({ "stock": 3, "version": 1, "reason": "" }), 422),
        (Method::POST, adjust, json!({ "stock": 3, "version": 1, "kind": "COUNT" }), 422),
        (Method::POST, adjust, json!([3, 1]), 400),
        (Method::POST, "/api/products/NOWHERE/adjust", json!({ "stock": 3, "version": 1 }), 404),
        (Method::POST, "/api/products/a%2Fb/adjust", json!({ "stock": 3, "version": 1 }), 404),
        (Method::POST, &retry, json!({}), 428),
        (Method::POST, &retry, json!({ "version": 0 }), 422),
        (Method::POST, &retry, json!({ "version": 1, "stock": 1 }), 422),
        (Method::POST, "/api/inventory/parked/7/retry", json!({ "version": 1 }), 404),
    ];
    for (method, path, body, status) in cases {
        let answer = agent.request(method.clone(), path).json(&body).send().await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path} {body}");
    }
    for path in [events, adjust, &retry] {
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
    agent.post(events).body("application/json", vec![b' '; 1_100_000]).send().await.expect(413);
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
    for (query, status) in
        [("version=x", 422), ("version=1&note=%00", 422), ("version=1&why=x", 400), ("", 428)]
    {
        let answer = agent.delete(&format!("{one}?{query}")).send().await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.text());
    }
    assert_eq!(environment.wire().count(WRITE), before);
}

async fn details_have_their_own_version(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    send(&agent, &event("open", "A1", "COUNT", 5)).await;
    let seen = product(&agent, "A1").await;
    send(&agent, &event("more", "A1", "RECEIPT", 1)).await;
    let change = json!({ "lowMark": 10, "detailsVersion": seen["detailsVersion"] });
    let changed = agent.patch("/api/products/A1").json(&change).send().await.expect(200);
    let now: Value = changed.json();
    assert_eq!((&now["lowMark"], &now["detailsVersion"], &now["stock"]), (&json!(10), &json!(2), &json!(6)));
    assert_eq!(
        changed.header("etag"),
        "\"2\"",
        "the ETag is the version of the stock, which the message changed and this request did not"
    );
    let stale =
        agent.patch("/api/products/A1").json(&json!({ "name": "Late", "details_version": 1 })).send().await;
    assert_eq!(assert_problem(&stale.expect(409), "conflict")["fresh"]["lowMark"], 10);
    let list: Value = agent.get("/api/products").send().await.expect(200).json();
    assert_eq!((&list["items"][0], &list["next"]), (&now, &json!(null)));
}

async fn movements_are_read_page_by_page(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let all: Vec<Value> =
        (1..=12).map(|number| event(&format!("m{number}"), "A1", "RECEIPT", number)).collect();
    send(&agent, &json!(all)).await;
    let (mut versions, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/products/A1/movements?limit=5&cursor={cursor}");
        let page: Value = agent.get(&path).send().await.expect(200).json();
        versions.extend(page["items"].as_array().unwrap().iter().map(|one| one["version"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(versions, (1..=12).rev().collect::<Vec<_>>());
    let crossed = agent.get(&format!("/api/products?cursor={cursor}")).send().await;
    assert_eq!(crossed.status.as_u16(), 400, "a cursor belongs to one list");
}

async fn a_page_of_products_costs_two_calls_and_so_does_a_message(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let all: Vec<Value> = (0..30)
        .map(|number| event(&format!("m{number}"), &format!("P{number:02}"), "COUNT", number))
        .collect();
    send(&agent, &json!(all)).await;
    let cost = async |what: &str| {
        environment.wire().reset();
        match what {
            "message" => drop(send(&agent, &event("one", "P07", "RECEIPT", 1)).await),
            path => drop(agent.get(path).send().await.expect(200)),
        }
        assert_eq!(environment.wire().scans(), 0, "{what}");
        // One more call authenticates the request.
        environment.wire().total() - 1
    };
    for (what, most) in [
        ("/api/products?limit=10", 2),
        ("/api/products?q=p1&limit=10", 2),
        ("/api/products/P07", 1),
        ("/api/products/P07/movements", 2),
        ("/api/inventory/parked", 1),
        ("/api/inventory/consumers", 1),
        ("message", 2),
    ] {
        let calls = cost(what).await;
        assert!(calls <= most, "{what} takes {calls} calls");
    }
}

async fn a_dead_letter_shows_its_whole_message_as_text_or_base64(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    for (offset, bytes, field, shown) in
        [(1, &b"{\"sku\": <b>"[..], "text", "{\"sku\": <b>"), (2, &[0xff, 0xfe, 0x00][..], "base64", "//4A")]
    {
        let source = Source::kafka("inventory-events", 0, offset);
        let flaw = Message::parse(bytes, None).unwrap_err();
        let parked = workspace.app.inventory().add_dead_letter(&source, bytes, &flaw).await.unwrap();
        let read = agent.get(&format!("/api/inventory/parked/{}", parked.id)).send().await.expect(200);
        let whole: Value = read.json();
        assert_eq!((whole[field].as_str(), read.header("etag")), (Some(shown), "\"1\""), "{whole}");
        assert_eq!(
            (&whole["source"]["offset"], &whole["reason"]["name"]),
            (&json!(offset), &json!("bad-json"))
        );
        let retry = agent.post(&format!("/api/inventory/parked/{}/retry", parked.id));
        let refused = retry.json(&json!({ "version": 1 })).send().await.expect(422);
        assert_eq!(assert_problem(&refused, "still-refused")["reason"]["name"], "bad-json");
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

async fn dead_letters_are_retried_and_dismissed_in_groups(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    // Thirty sales of an unknown product, ten of another one, and one sale of more than the stock.
    let sales = |sku: &str, count: u64| -> Vec<Value> {
        (0..count).map(|number| event(&format!("{sku}-{number}"), sku, "SALE", 1)).collect()
    };
    send(&agent, &json!([sales("A1", 30), sales("B1", 10)].concat())).await;
    send(&agent, &json!([event("open", "C1", "COUNT", 1), event("big", "C1", "SALE", 5)])).await;
    let decide = async |what: &str, body: Value| -> Value {
        let answer = agent.post(&format!("/api/inventory/parked/{what}")).json(&body).send().await;
        answer.expect(200).json()
    };
    let still = decide("retry", json!({ "sku": "c1" })).await;
    assert_eq!(
        (&still["applied"], text(&still["refused"][0]["reason"], "name")),
        (&json!(0), "insufficient-stock")
    );

    // Each request is bounded and returns the cursor for the next one.
    send(&agent, &event("in", "A1", "RECEIPT", 31)).await;
    let first = decide("retry", json!({ "reason": "unknown-sku", "sku": "A1" })).await;
    assert_eq!((&first["applied"], &first["refused"]), (&json!(25), &json!([])));
    let cursor = text(&first, "next");
    let rest = decide("retry", json!({ "reason": "unknown-sku", "sku": "A1", "cursor": cursor })).await;
    assert_eq!(rest, json!({ "applied": 5, "refused": [], "next": null }));
    // A repeated request changes nothing.
    let again = decide("retry", json!({ "reason": "unknown-sku", "sku": "A1" })).await;
    assert_eq!(again, json!({ "applied": 0, "refused": [], "next": null }));
    assert_eq!(product(&agent, "A1").await["stock"], 1);

    let command =
        json!({ "command": "dismiss_dead_letters", "params": { "sku": "B1", "note": "Wrong shop" } });
    let done: Value = agent.post("/api/automation/execute").json(&command).send().await.expect(200).json();
    assert_eq!(done["result"], json!({ "done": 10, "refused": [], "next": null }));
    let dismissed = parked(&agent, "DISMISSED").await;
    assert!(dismissed.len() == 10 && dismissed.iter().all(|one| one["note"] == "Wrong shop"));
    let lines =
        agent.post("/api/automation/execute").body("text/plain", "retry_dead_letters sku=C1").send().await;
    assert!(lines.expect(200).text().starts_with("1 ok retry_dead_letters applied=0 refused=1 more=no\n"));
    assert_eq!(parked(&agent, "OPEN").await.len(), 1);
    for (what, body) in [("retry", json!({ "note": "x" })), ("dismiss", json!({ "reason": "x" }))] {
        let answer =
            agent.post(&format!("/api/inventory/parked/{what}")).json(&body).send().await.expect(422);
        assert_problem(&answer, "invalid");
    }
    let foreign = json!({ "cursor": "nonsense" });
    agent.post("/api/inventory/parked/retry").json(&foreign).send().await.expect(400);
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
