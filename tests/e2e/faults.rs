//! Failures between the application and DynamoDB, injected under the real SDK.

use std::sync::{Arc, Mutex};

use holdfast::base::clock::Clock;
use holdfast::base::telemetry::SweepFailures;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::http::Client;
use crate::support::workspace::{SHORT_RETRIES, Workspace, address, change, create, history, new_lead, read};
use crate::support::{Case, Fault, Reason, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_change_whose_reply_is_lost_succeeds_and_happens_once,
            a_creation_whose_reply_is_lost_succeeds_and_happens_once,
            temporary_contention_ends_in_success,
            permanent_contention_is_answered_503_with_retry_after_and_nothing_is_written,
            the_worst_reason_of_a_canceled_transaction_decides,
            a_temporary_500_or_hang_ends_in_success,
            reads_from_a_store_that_never_answers_are_answered_503;
        embedded: a_retried_call_has_the_same_bytes,
            an_unknown_failure_is_answered_without_details,
            health_reports_the_process_and_readiness_the_table
    ]
}

const WRITE: &str = "TransactWriteItems";

/// A lead, an agent, and the same agent at an instance that gives up soon.
async fn workspace_with_lead(environment: &TestEnvironment) -> (Client, Client, Value) {
    let workspace = Workspace::open(environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let agent = workspace.bearer(&token);
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let hasty = workspace.another(environment, environment.wire(), SHORT_RETRIES).bearer(&token);
    read(&hasty, &lead).await;
    environment.wire().reset();
    (agent, hasty, lead)
}

async fn a_change_whose_reply_is_lost_succeeds_and_happens_once(environment: TestEnvironment) {
    let (agent, hasty, lead) = workspace_with_lead(&environment).await;
    let faults = [Fault::ReplyLost, Fault::StatusAfterCommit(500), Fault::ReplyNeverComes];
    for (version, fault) in (1..).zip(faults) {
        environment.wire().next(WRITE, fault);
        let answer = change(&hasty, &lead, version, json!({ "leadScore": version })).await.expect(200);
        assert_eq!(answer.json::<Value>()["version"], version + 1);
    }
    assert_eq!(environment.wire().count(WRITE), 6, "each was sent twice");
    assert_eq!(read(&agent, &lead).await["version"], 4);
    assert_eq!(history(&agent, &lead).await.len(), 4);
}

async fn a_creation_whose_reply_is_lost_succeeds_and_happens_once(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    environment.wire().next(WRITE, Fault::ReplyLost);
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    assert_eq!(read(&agent, &lead).await, lead);
    assert_eq!(history(&agent, &lead).await.len(), 1);
    let page: Value = agent.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"], json!([lead]));
}

async fn temporary_contention_ends_in_success(environment: TestEnvironment) {
    let (agent, _, lead) = workspace_with_lead(&environment).await;
    let faults = [
        Fault::TransactionConflict,
        Fault::Throttled,
        Fault::ThroughputExceeded,
        Fault::TransactionInProgress,
        Fault::ConnectionRefused,
        Fault::Mixed(vec![Reason::ThrottlingError, Reason::TransactionConflict]),
    ];
    for (version, fault) in (1..).zip(faults) {
        environment.wire().reset();
        environment.wire().times(3, WRITE, fault);
        change(&agent, &lead, version, json!({ "leadScore": version })).await.expect(200);
        assert_eq!(environment.wire().count(WRITE), 4);
    }
    assert_eq!(history(&agent, &lead).await.len(), 7);
}

async fn permanent_contention_is_answered_503_with_retry_after_and_nothing_is_written(
    environment: TestEnvironment,
) {
    let (agent, hasty, lead) = workspace_with_lead(&environment).await;
    for fault in [
        Fault::TransactionConflict,
        Fault::Throttled,
        Fault::ConnectionRefused,
        Fault::Status(500),
        Fault::Hang,
    ] {
        environment.wire().always(WRITE, fault.clone());
        let answer = change(&hasty, &lead, 1, json!({ "leadScore": 1 })).await.expect(503);
        assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{fault:?}");
        // An unanswered write may still happen.
        let name = if matches!(fault, Fault::Status(_) | Fault::Hang) { "outcome-unknown" } else { "busy" };
        assert_eq!(answer.json::<Value>()["type"], format!("urn:holdfast:problem:{name}"), "{fault:?}");
        hasty.post("/api/leads").json(&new_lead("New", "new@example.com")).send().await.expect(503);
        assert!(environment.wire().count(WRITE) > 3, "{fault:?} was not retried");
        environment.wire().reset();
    }
    assert_eq!(read(&agent, &lead).await, lead);
    assert_eq!(history(&agent, &lead).await.len(), 1);
    create(&agent, &new_lead("New", "new@example.com")).await;
}

async fn the_worst_reason_of_a_canceled_transaction_decides(environment: TestEnvironment) {
    use Reason::{ConditionalCheckFailed, None, ThrottlingError, TransactionConflict, ValidationError};
    let (agent, hasty, lead) = workspace_with_lead(&environment).await;
    change(&agent, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);
    // Retries do not help a failed condition, even if other items are busy.
    for reasons in
        [vec![ConditionalCheckFailed, TransactionConflict], vec![ConditionalCheckFailed, ThrottlingError]]
    {
        environment.wire().reset();
        environment.wire().next(WRITE, Fault::Mixed(reasons));
        let answer = change(&hasty, &lead, 1, json!({ "leadScore": 1 })).await.expect(409);
        assert_eq!(answer.json::<Value>()["fresh"]["version"], 2);
        assert_eq!(environment.wire().count(WRITE), 1);
    }
    environment.wire().next(WRITE, Fault::Mixed(vec![ConditionalCheckFailed, ValidationError]));
    change(&hasty, &lead, 1, json!({ "leadScore": 1 })).await.expect(500);
    environment.wire().next(WRITE, Fault::Mixed(vec![None, TransactionConflict]));
    change(&agent, &lead, 2, json!({ "leadScore": 61 })).await.expect(200);
}

async fn a_temporary_500_or_hang_ends_in_success(environment: TestEnvironment) {
    let (_, hasty, lead) = workspace_with_lead(&environment).await;
    for (version, fault) in (1..).zip([Fault::Status(500), Fault::Status(503), Fault::Hang]) {
        environment.wire().next(WRITE, fault.clone());
        change(&hasty, &lead, version, json!({ "leadScore": version })).await.expect(200);
        environment.wire().next("BatchGetItem", fault);
        read(&hasty, &lead).await;
    }
    assert_eq!(history(&hasty, &lead).await.len(), 4);
}

async fn reads_from_a_store_that_never_answers_are_answered_503(environment: TestEnvironment) {
    let (_, hasty, lead) = workspace_with_lead(&environment).await;
    environment.wire().always("Query", Fault::Hang);
    hasty.get("/api/leads").send().await.expect(503);
    hasty.get("/api/leads?q=lead").send().await.expect(503);
    environment.wire().reset();
    environment.wire().always("BatchGetItem", Fault::Throttled);
    let answer = hasty.get(&address(&lead)).send().await.expect(503);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

async fn a_retried_call_has_the_same_bytes(environment: TestEnvironment) {
    let (agent, _, lead) = workspace_with_lead(&environment).await;
    environment.wire().times(5, WRITE, Fault::TransactionConflict);
    change(&agent, &lead, 1, json!({ "name": "Ann Lee", "state": "CA", "status": "QUALIFIED" }))
        .await
        .expect(200);
    let calls = environment.wire().calls_of(WRITE);
    assert_eq!(calls.len(), 6);
    assert!(calls.iter().all(|call| call.request == calls[0].request));
    let token = &calls[0].request["ClientRequestToken"];
    change(&agent, &lead, 2, json!({ "leadScore": 1 })).await.expect(200);
    assert_ne!(
        &environment.wire().calls_of(WRITE)[6].request["ClientRequestToken"],
        token,
        "each write has its own token"
    );
}

async fn an_unknown_failure_is_answered_without_details(environment: TestEnvironment) {
    let (agent, _, lead) = workspace_with_lead(&environment).await;
    environment.wire().next(WRITE, Fault::Mixed(vec![Reason::ValidationError]));
    let answer = change(&agent, &lead, 1, json!({ "leadScore": 1 })).await.expect(500);
    let body = answer.text().to_lowercase();
    for word in ["validation", "transact", "dynamo", "leadscore", environment.table()] {
        assert!(!body.contains(word), "{word}: {body}");
    }
}

async fn health_reports_the_process_and_readiness_the_table(environment: TestEnvironment) {
    let now = Arc::new(Mutex::new(Timestamp::now()));
    let clock = now.clone();
    let clock = Clock::from_fn(move || *clock.lock().unwrap());
    let workspace = Workspace::open(&environment).await;
    let workspace = workspace.another(&environment, environment.wire(), SHORT_RETRIES).with_clock(clock);
    let visitor = workspace.visitor();
    let ready = async |status| visitor.get("/health/ready").send().await.expect(status).json::<Value>();
    let later = |seconds| {
        *now.lock().unwrap() += SignedDuration::from_secs(seconds);
    };
    environment.wire().reset();
    for _ in 0..3 {
        let answer = ready(200).await;
        assert_eq!(
            (&answer["status"], &answer["checks"]["stream"]["status"]),
            (&json!("ready"), &json!("absent"))
        );
    }
    assert_eq!(environment.wire().total(), 1, "a recent result is reused");

    environment.wire().always("GetItem", Fault::ConnectionRefused);
    assert_eq!(visitor.get("/health").send().await.expect(200).json::<Value>()["status"], "ok");
    ready(200).await;
    later(3);
    let answer = ready(503).await;
    assert_eq!(answer["problems"], json!(["The table does not answer."]));
    assert!(!answer.to_string().contains(environment.table()), "{answer}");

    // The function does not know the state of the workers.
    environment.wire().reset();
    workspace.app.heartbeats.started(workspace.app.clock.now());
    later(200);
    let answer = ready(503).await;
    assert_eq!(answer["problems"], json!(["The last sweep ended 200 s ago."]));
    assert_eq!(answer["checks"]["stream"]["ageSeconds"], 200);
    let failures = SweepFailures { orders: 1, ..SweepFailures::default() };
    workspace.app.heartbeats.swept(workspace.app.clock.now(), failures);
    workspace.app.heartbeats.handled(workspace.app.clock.now());
    later(3);
    let answer = ready(200).await;
    assert_eq!(answer["problems"], json!(["1 large order can't be completed."]));
    assert_eq!((&answer["status"], &answer["checks"]["sweeper"]["status"]), (&json!("ready"), &json!("ok")));
    workspace.app.heartbeats.swept(workspace.app.clock.now(), SweepFailures::default());
    later(3);
    assert_eq!(ready(200).await["problems"], json!([]));
}
