//! The JSON API of products: adjustments, details, movements, search, and what a page costs.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::inventory_api::{WRITE, assert_problem, dead_letters, event, outcomes, product, send, text};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: an_adjustment_needs_the_current_version,
            products_are_found_by_words_and_by_their_new_names,
            a_product_created_by_a_long_batch_is_found_by_its_words,
            details_have_their_own_version,
            movements_are_read_page_by_page;
        app: a_page_of_products_costs_two_calls_and_so_does_a_message
    ]
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
    assert_eq!(
        dead_letters(&agent, "OPEN").await.len(),
        0,
        "the person gets the error and no dead letter is kept"
    );
    // Of several adjustments at once with the same version, one is accepted.
    let racing = (10..18).map(|stock| adjust().json(&json!({ "stock": stock, "version": 4 })).send());
    let statuses: Vec<u16> = join_all(racing).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
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
    assert_eq!(outcomes(&send(&agent, &json!(messages)).await), ["APPLIED"; 60]);
    assert_eq!(environment.wire().count(WRITE), 3, "25 with the product, then 30, then the rest");
    assert_eq!(product(&agent, "A-B-C").await["stock"], 60);
    for q in ["a-b", "d0 a0"] {
        let found: Value =
            agent.get(&format!("/api/products?q={}", q.replace(' ', "+"))).send().await.expect(200).json();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{q}");
    }
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
        // The sender is known for ten seconds.
        agent.get("/api/me").send().await.expect(200);
        environment.wire().reset();
        match what {
            "message" => drop(send(&agent, &event("one", "P07", "RECEIPT", 1)).await),
            path => drop(agent.get(path).send().await.expect(200)),
        }
        assert_eq!(environment.wire().scans(), 0, "{what}");
        environment.wire().total()
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
