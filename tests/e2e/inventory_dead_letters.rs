//! The JSON API of dead letters: their messages, retries and dismissals, alone and in groups.

use futures_util::future::join_all;
use holdfast::inventory::domain::{Delivery, Source};
use serde_json::{Value, json};

use crate::inventory_api::{assert_problem, dead_letters, event, product, send, text};
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_dead_letter_is_retried_or_dismissed_once_and_only_at_its_version,
            a_dead_letter_shows_its_whole_message_as_text_or_base64,
            dead_letters_are_retried_and_dismissed_in_groups
    ]
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
    let open = dead_letters(&agent, "OPEN").await;
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
    assert_eq!(dead_letters(&agent, "OPEN").await, Vec::<Value>::new());
    assert_eq!(
        (dead_letters(&agent, "APPLIED").await.len(), dead_letters(&agent, "dismissed").await.len()),
        (1, 1)
    );
}

async fn a_dead_letter_shows_its_whole_message_as_text_or_base64(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    for (offset, bytes, field, shown) in
        [(1, &b"{\"sku\": <b>"[..], "text", "{\"sku\": <b>"), (2, &[0xff, 0xfe, 0x00][..], "base64", "//4A")]
    {
        let source = Source::kafka("inventory-events", 0, offset);
        let error = Delivery::of_bytes(&source, bytes.to_vec()).unwrap_err();
        let letter = workspace.app.inventory().add_dead_letter(&source, bytes, &error).await.unwrap();
        let read = agent.get(&format!("/api/inventory/parked/{}", letter.id)).send().await.expect(200);
        let whole: Value = read.json();
        assert_eq!((whole[field].as_str(), read.header("etag")), (Some(shown), "\"1\""), "{whole}");
        assert_eq!(
            (&whole["source"]["offset"], &whole["reason"]["name"]),
            (&json!(offset), &json!("bad-json"))
        );
        let retry = agent.post(&format!("/api/inventory/parked/{}/retry", letter.id));
        let refused = retry.json(&json!({ "version": 1 })).send().await.expect(422);
        assert_eq!(assert_problem(&refused, "still-refused")["reason"]["name"], "bad-json");
    }
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
    let dismissed = dead_letters(&agent, "DISMISSED").await;
    assert!(dismissed.len() == 10 && dismissed.iter().all(|one| one["note"] == "Wrong shop"));
    let lines =
        agent.post("/api/automation/execute").body("text/plain", "retry_dead_letters sku=C1").send().await;
    assert!(lines.expect(200).text().starts_with("1 ok retry_dead_letters applied=0 refused=1 more=no\n"));
    assert_eq!(dead_letters(&agent, "OPEN").await.len(), 1);
    for (what, body) in [("retry", json!({ "note": "x" })), ("dismiss", json!({ "reason": "x" }))] {
        let answer =
            agent.post(&format!("/api/inventory/parked/{what}")).json(&body).send().await.expect(422);
        assert_problem(&answer, "invalid");
    }
    let foreign = json!({ "cursor": "nonsense" });
    agent.post("/api/inventory/parked/retry").json(&foreign).send().await.expect(400);
}
