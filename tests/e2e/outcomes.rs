//! Outcomes of writes whose attempt was not answered: done, not done, or unknown, and always the correct one.

use std::time::Duration;

use holdfast::base::identity::Role;
use holdfast::store::RetryPolicy;
use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, address, create, history, new_lead, read};
use crate::support::{Answer, Case, Fault, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: an_unanswered_write_that_happened_is_reported_as_done,
            an_unanswered_write_with_a_key_that_did_not_happen_never_happens_later,
            an_unanswered_write_without_a_key_may_have_an_unknown_outcome,
            an_unanswered_write_that_became_stale_is_a_conflict,
            a_final_error_does_not_hide_an_unanswered_attempt,
            a_final_error_does_not_hide_that_a_write_happened;
        embedded: a_request_can_be_repeated_after_two_unanswered_writes,
            the_outcome_of_a_form_is_always_known,
            a_write_that_was_never_sent_is_reported_as_not_done,
            an_unanswered_fence_leaves_the_outcome_unknown
    ]
}

const WRITE: &str = "TransactWriteItems";

/// One attempt of a write, and the rest of the time to find its outcome.
const ONE_ATTEMPT: RetryPolicy = RetryPolicy {
    attempt: Duration::from_millis(1_500),
    request: Duration::from_secs(10),
    reserve: Duration::from_millis(8_500),
};

/// At least two attempts of a write, and time to find its outcome.
const TWO_ATTEMPTS: RetryPolicy = RetryPolicy {
    attempt: Duration::from_secs(1),
    request: Duration::from_secs(12),
    reserve: Duration::from_secs(8),
};

/// Errors that a retry cannot help, each with the status and the name of its problem.
const FINAL: [(&str, u16, &str); 2] =
    [("StorageFull", 503, "disk-full"), ("AccessDeniedException", 500, "internal")];

/// A lead, an agent, and the same agent at an instance with little time.
struct Fixture {
    agent: Client,
    hasty: Client,
    form: Client,
    lead: Value,
}

async fn fixture(environment: &TestEnvironment) -> Fixture {
    fixture_with(environment, ONE_ATTEMPT).await
}

async fn fixture_with(environment: &TestEnvironment, policy: RetryPolicy) -> Fixture {
    let workspace = Workspace::open(environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let agent = workspace.bearer(&token);
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let hasty_workspace = workspace.another(environment, environment.wire(), policy);
    let form = hasty_workspace.person(Role::Agent, "Bob").await;
    environment.wire().reset();
    Fixture { agent, hasty: hasty_workspace.bearer(&token), form, lead }
}

async fn leads(client: &Client) -> Vec<Value> {
    let page: Value = client.get("/api/leads").send().await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

fn new() -> Value {
    new_lead("New", "new@example.com")
}

async fn post(client: &Client, key: Option<&str>) -> Response {
    let request = client.post("/api/leads");
    let request = match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    };
    request.json(&new()).send().await
}

fn assert_busy(answer: &Response) {
    let problem: Value = answer.json();
    assert_eq!(problem["type"], "urn:holdfast:problem:busy");
    assert!(problem["detail"].as_str().unwrap().contains("Nothing was saved"), "{problem}");
    assert!(!answer.header("retry-after").is_empty());
}

/// Checks the answer to a request with or without a key whose outcome is unknown.
fn assert_unknown(answer: &Response, has_key: bool) {
    let problem: Value = answer.json();
    assert_eq!(problem["type"], "urn:holdfast:problem:outcome-unknown");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("may have been saved") && !detail.contains("Nothing was saved"), "{detail}");
    let advice = if has_key {
        "Send it again with the same Idempotency-Key; it won't be done twice."
    } else {
        "Check the current data before you try again, or it may be done twice."
    };
    assert!(detail.ends_with(advice), "{detail}");
    assert!(!answer.header("retry-after").is_empty());
}

async fn an_unanswered_write_that_happened_is_reported_as_done(environment: TestEnvironment) {
    let Fixture { agent, hasty, lead, .. } = fixture(&environment).await;
    for key in [None, Some("k1")] {
        environment.wire().next(WRITE, Fault::ReplyNeverComes);
        let made: Value = post(&hasty, key).await.expect(201).json();
        assert_eq!(read(&agent, &made).await, made);
        assert_eq!(leads(&agent).await.len(), 2);
        let delete = format!("{}?version=1", address(&made));
        environment.wire().next(WRITE, Fault::ReplyNeverComes);
        hasty.delete(&delete).send().await.expect(204);
        agent.get(&address(&made)).send().await.expect(410);
    }
    for (version, key) in [(1, "a"), (2, "b")] {
        environment.wire().next(WRITE, Fault::ReplyNeverComes);
        let request = hasty.patch(&address(&lead)).header("idempotency-key", key);
        let request = if key == "a" { hasty.patch(&address(&lead)) } else { request };
        let body = json!({ "version": version, "leadScore": version });
        assert_eq!(request.json(&body).send().await.expect(200).json::<Value>()["version"], version + 1);
    }
    assert_eq!(history(&agent, &lead).await.len(), 3);
}

async fn an_unanswered_write_with_a_key_that_did_not_happen_never_happens_later(
    environment: TestEnvironment,
) {
    let Fixture { agent, hasty, lead, .. } = fixture(&environment).await;
    let late = environment.wire().delay(WRITE);
    assert_busy(&post(&hasty, Some("k1")).await.expect(503));
    let late_change = environment.wire().delay(WRITE);
    let body = json!({ "version": 1, "leadScore": 1 });
    let change = || hasty.patch(&address(&lead)).header("idempotency-key", "k2").json(&body).send();
    assert_busy(&change().await.expect(503));
    // Only now both writes reach the store.
    late.open();
    late_change.open();
    wait::until("the late writes are answered", async || {
        let calls = environment.wire().calls_of(WRITE);
        let late = calls.iter().filter(|call| call.request["TransactItems"].as_array().unwrap().len() > 1);
        late.clone().count() == 2 && late.clone().all(|call| call.answer == Answer::Status(400))
    })
    .await;
    assert_eq!(leads(&agent).await, std::slice::from_ref(&lead), "the late writes were refused");
    // The same requests can be repeated with their keys, once.
    let made: Value = post(&hasty, Some("k1")).await.expect(201).json();
    assert_eq!(post(&agent, Some("k1")).await.expect(201).json::<Value>(), made);
    assert_eq!(change().await.expect(200).json::<Value>()["version"], 2);
    assert_eq!(change().await.expect(200).json::<Value>()["version"], 2);
    assert_eq!(leads(&agent).await.len(), 2);
    assert_eq!(history(&agent, &lead).await.len(), 2);
}

async fn an_unanswered_write_without_a_key_may_have_an_unknown_outcome(environment: TestEnvironment) {
    let Fixture { agent, hasty, lead, .. } = fixture(&environment).await;
    let late = environment.wire().delay(WRITE);
    assert_unknown(&post(&hasty, None).await.expect(503), false);
    late.open();
    wait::until("the late write is stored", async || leads(&agent).await.len() == 2).await;
    environment.wire().next(WRITE, Fault::Hang);
    let body = json!({ "version": 1, "leadScore": 1 });
    assert_unknown(&hasty.patch(&address(&lead)).json(&body).send().await.expect(503), false);
    assert_eq!(read(&agent, &lead).await["version"], 1);
}

async fn an_unanswered_write_that_became_stale_is_a_conflict(environment: TestEnvironment) {
    let Fixture { agent, hasty, lead, .. } = fixture(&environment).await;
    read(&hasty, &lead).await;
    let other = json!({ "version": 1, "leadScore": 2 });
    agent.patch(&address(&lead)).json(&other).send().await.expect(200);
    environment.wire().next(WRITE, Fault::Hang);
    let body = json!({ "version": 1, "leadScore": 1 });
    let answer = hasty.patch(&address(&lead)).json(&body).send().await.expect(409);
    assert_eq!(answer.json::<Value>()["fresh"]["leadScore"], 2);
}

async fn a_final_error_does_not_hide_an_unanswered_attempt(environment: TestEnvironment) {
    let Fixture { agent, hasty, lead, .. } = fixture_with(&environment, TWO_ATTEMPTS).await;
    let wire = environment.wire();
    for (error, status, name) in FINAL {
        // A fence proves that nothing happened, so the error is the whole answer.
        wire.next(WRITE, Fault::Hang);
        wire.next(WRITE, Fault::Refused(error));
        let failed: Value = post(&hasty, Some("k1")).await.expect(status).json();
        assert_eq!(failed["type"], format!("urn:holdfast:problem:{name}"));
        // The store takes no fence either.
        wire.next(WRITE, Fault::Hang);
        wire.always(WRITE, Fault::Refused(error));
        assert_unknown(&post(&hasty, Some("k2")).await.expect(503), true);
        wire.reset();
        // Without a key there is nothing to fence.
        let body = json!({ "version": 1, "leadScore": 1 });
        for reads in [None, Some(Fault::Refused(error))] {
            wire.next(WRITE, Fault::Hang);
            wire.always(WRITE, Fault::Refused(error));
            if let Some(fault) = reads {
                wire.always("BatchGetItem", fault);
            }
            assert_unknown(&post(&hasty, None).await.expect(503), false);
            wire.reset();
        }
        wire.next(WRITE, Fault::Hang);
        wire.next(WRITE, Fault::Refused(error));
        assert_unknown(&hasty.patch(&address(&lead)).json(&body).send().await.expect(503), false);
    }
    assert_eq!(leads(&agent).await, std::slice::from_ref(&lead));
    // The same request can be repeated, once.
    for _ in 0..2 {
        post(&hasty, Some("k2")).await.expect(201);
    }
    assert_eq!(leads(&agent).await.len(), 2);
}

async fn a_final_error_does_not_hide_that_a_write_happened(environment: TestEnvironment) {
    let Fixture { agent, hasty, lead, .. } = fixture_with(&environment, TWO_ATTEMPTS).await;
    for (error, ..) in FINAL {
        for key in [None, Some(error)] {
            environment.wire().next(WRITE, Fault::ReplyNeverComes);
            environment.wire().always(WRITE, Fault::Refused(error));
            let made: Value = post(&hasty, key).await.expect(201).json();
            environment.wire().reset();
            assert_eq!(read(&agent, &made).await, made);
            assert_eq!(leads(&agent).await.len(), 2);
            agent.delete(&format!("{}?version=1", address(&made))).send().await.expect(204);
        }
    }
    assert_eq!(leads(&agent).await, [lead]);
}

async fn a_request_can_be_repeated_after_two_unanswered_writes(environment: TestEnvironment) {
    let Fixture { agent, hasty, .. } = fixture(&environment).await;
    for _ in 0..2 {
        environment.wire().next(WRITE, Fault::Hang);
        assert_busy(&post(&hasty, Some("k1")).await.expect(503));
    }
    post(&hasty, Some("k1")).await.expect(201);
    assert_eq!(leads(&agent).await.len(), 2);
}

async fn the_outcome_of_a_form_is_always_known(environment: TestEnvironment) {
    let Fixture { agent, form, lead, .. } = fixture(&environment).await;
    let id = lead["id"].as_str().unwrap();
    let fields = |score: &'static str| {
        let person = [("name", "Lead"), ("email", "lead@example.com"), ("state", ""), ("status", "PROSPECT")];
        let shown = [
            ("base.name", "Lead"),
            ("base.email", "lead@example.com"),
            ("base.state", ""),
            ("base.status", "PROSPECT"),
            ("base.leadScore", "0"),
        ];
        [&person[..], &shown, &[("leadScore", score), ("version", "1")]].concat()
    };
    let save = async |score| {
        let request = form.post(&format!("/leads/{id}")).header("hx-request", "true");
        request.form(&fields(score)).send().await
    };
    environment.wire().next(WRITE, Fault::Hang);
    let answer = save("7").await.expect(503);
    assert!(answer.header("hx-trigger").contains("Nothing was saved"), "{}", answer.header("hx-trigger"));
    environment.wire().next(WRITE, Fault::ReplyNeverComes);
    assert!(save("8").await.expect(200).header("hx-trigger").contains("Saved."));
    // The same form again is the same request.
    assert!(save("8").await.expect(200).header("hx-trigger").contains("already saved"));
    assert_eq!(read(&agent, &lead).await["version"], 2);
    // A form that names a version has a record without a key, which is fenced as well.
    environment.wire().next(WRITE, Fault::Hang);
    let cap = form.post("/orders/caps/CA").header("hx-request", "true");
    let answer = cap.form(&[("cap", "3"), ("version", "1")]).send().await.expect(503);
    assert!(answer.header("hx-trigger").contains("Nothing was saved"));
    form.post("/orders/caps/CA").form(&[("cap", "3"), ("version", "1")]).send().await.expect(303);
}

async fn a_write_that_was_never_sent_is_reported_as_not_done(environment: TestEnvironment) {
    let Fixture { agent, hasty, lead, .. } = fixture(&environment).await;
    environment.wire().always(WRITE, Fault::ConnectionRefused);
    assert_busy(&post(&hasty, None).await.expect(503));
    environment.wire().reset();
    environment.wire().always(WRITE, Fault::TransactionConflict);
    assert_busy(&post(&hasty, None).await.expect(503));
    environment.wire().reset();
    assert_eq!(leads(&agent).await, [lead]);
}

async fn an_unanswered_fence_leaves_the_outcome_unknown(environment: TestEnvironment) {
    let Fixture { hasty, .. } = fixture(&environment).await;
    environment.wire().always(WRITE, Fault::Hang);
    assert_unknown(&post(&hasty, Some("k1")).await.expect(503), true);
    environment.wire().reset();
    post(&hasty, Some("k1")).await.expect(201);
}
