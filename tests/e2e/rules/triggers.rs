//! Events and schedules that rules answer: once each, with retries that end and chains that stop.

use futures_util::future::{join, join_all};
use holdfast::orders::list;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{administrator, order_for_lead, orders, rule, runs};
use crate::orders::{create as create_order, set_cap, stock};
use crate::stats::{new_records, process_stream};
use crate::support::clock::TestClock;
use crate::support::workspace::{TEST_RETRIES, Workspace, change, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_rule_creates_one_order_although_two_readers_see_its_event_five_times,
            a_scheduled_rule_runs_once_per_slot_with_two_sweepers;
        app: a_rule_that_runs_once_never_runs_again,
            rules_that_trigger_each_other_stop_at_a_depth_of_five,
            a_failing_run_is_tried_three_times_then_kept_and_can_be_run_again
    ]
}

async fn a_rule_creates_one_order_although_two_readers_see_its_event_five_times(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let other = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
    let admin = administrator(&workspace).await;
    let rule = rule(&admin, order_for_lead("lead.created")).await;
    create(&admin, &new_lead("Ann Lee", "ann@example.com")).await;
    let changes = new_records(&environment, &workspace).await;
    for _ in 0..5 {
        let (one, another) =
            join(workspace.app.projections().consume(&changes), other.app.projections().consume(&changes))
                .await;
        one.and(another).unwrap();
    }
    assert_eq!(orders(&workspace).await, 1);
    let runs = runs(&admin, "").await;
    let [run] = &runs[..] else { panic!("{runs:#?}") };
    assert_eq!((&run["state"], &run["attempts"], &run["rule"]), (&json!("DONE"), &json!(1), &rule["id"]));
    assert_eq!(run["event"]["kind"], "lead.created");
    assert!(
        run["command"].as_str().unwrap().starts_with("create_order customer_name=\"For Ann Lee\""),
        "{run}"
    );
    assert!(run["result"].as_str().unwrap().contains("leads=1"), "{run}");
    let order: Value = serde_json::to_value(
        &workspace
            .app
            .orders()
            .list(&list::ListRequest { limit: 1, ..Default::default() })
            .await
            .unwrap()
            .items[0],
    )
    .unwrap();
    assert_eq!(order["createdBy"], "Rule Welcome");
    assert_eq!(order["cause"], json!({ "rule": rule["id"], "depth": 1 }));
}

async fn a_rule_that_runs_once_never_runs_again(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    let mut once = order_for_lead("lead.created");
    once["repeat"] = json!("once");
    rule(&admin, once).await;
    for number in 0..3 {
        create(&admin, &new_lead("Lead", &format!("lead{number}@example.com"))).await;
        process_stream(&environment, &workspace).await;
    }
    assert_eq!(orders(&workspace).await, 1);
    assert_eq!(runs(&admin, "").await.len(), 1);
}

async fn rules_that_trigger_each_other_stop_at_a_depth_of_five(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = administrator(&workspace).await;
    stock(&workspace, "NY", 12).await;
    set_cap(&workspace, "NY", 20).await;
    let body = json!({
        "name": "Again", "on": "order.created",
        "command": "create_order customer_name={customerName} customer_email={customerEmail} requested_states={states} quantity_per_state=1",
    });
    rule(&admin, body).await;
    create_order(&workspace, &["NY"], Some(1)).await.unwrap();
    process_stream(&environment, &workspace).await;
    assert_eq!(orders(&workspace).await, 6, "the first order and the five that it triggered");
    assert_eq!(runs(&admin, "state=DONE").await.len(), 5);
    let stopped = runs(&admin, "state=STOPPED").await;
    let [run] = &stopped[..] else { panic!("{stopped:#?}") };
    assert!(run["result"].as_str().unwrap().starts_with("Depth 5 reached"), "{run}");
    let id = run["id"].as_str().unwrap();
    let retry = admin.post(&format!("/api/automation/runs/{id}/retry")).json(&json!({ "version": 1 }));
    assert_eq!(retry.send().await.expect(422).json::<Value>()["type"], "urn:holdfast:problem:not-to-repeat");
}

async fn a_failing_run_is_tried_three_times_then_kept_and_can_be_run_again(environment: TestEnvironment) {
    let test_clock = TestClock::at("2026-11-20T12:00:00Z".parse().unwrap());
    let workspace = Workspace::open(&environment).await.with_clock(test_clock.clock());
    let admin = administrator(&workspace).await;
    let body = json!({
        "name": "Serve California", "on": "lead.qualified",
        "command": "create_order customer_name=\"Acme Roofing\" customer_email=buy@acme.example requested_states=CA",
    });
    let rule = rule(&admin, body).await;
    let lead = create(&admin, &new_lead("Lead", "lead@example.com")).await;
    change(&admin, &lead, 1, json!({ "status": "QUALIFIED" })).await.expect(200);
    process_stream(&environment, &workspace).await;
    let state = async || {
        let runs = runs(&admin, &format!("rule={}", rule["id"].as_str().unwrap())).await;
        let [run] = &runs[..] else { panic!("{runs:#?}") };
        run.clone()
    };
    let first = state().await;
    assert_eq!((&first["state"], &first["attempts"]), (&json!("FAILED"), &json!(1)));
    assert!(first["result"].as_str().unwrap().starts_with("No leads available in these states"), "{first}");
    workspace.app.projections().sweep().await.unwrap();
    assert_eq!(state().await, first, "the retry is not due yet");
    for (wait, attempts, expected) in
        [(60, 2, "FAILED"), (299, 2, "FAILED"), (1, 3, "PARKED"), (3600, 3, "PARKED")]
    {
        test_clock.advance(SignedDuration::from_secs(wait));
        workspace.app.projections().sweep().await.unwrap();
        let run = state().await;
        assert_eq!((&run["state"], &run["attempts"]), (&json!(expected), &json!(attempts)), "after {wait} s");
    }
    let dead_letters = runs(&admin, "state=PARKED").await;
    assert_eq!(dead_letters.len(), 1, "failed runs have their own list");

    let path = format!("/api/automation/runs/{}/retry", dead_letters[0]["id"].as_str().unwrap());
    admin.post(&path).json(&json!({})).send().await.expect(428);
    let stale: Value = admin.post(&path).json(&json!({ "version": 1 })).send().await.expect(409).json();
    assert_eq!(stale["fresh"], dead_letters[0]);
    stock(&workspace, "CA", 2).await;
    let again = || {
        admin
            .post(&path)
            .header("idempotency-key", "again")
            .json(&json!({ "version": dead_letters[0]["version"] }))
    };
    let done = again().send().await.expect(200);
    assert_eq!(done.json::<Value>()["state"], "DONE");
    assert_eq!(
        again().send().await.expect(200).text(),
        done.text(),
        "a repeated request gets the same answer"
    );
    assert_eq!(orders(&workspace).await, 1);
    let version = done.json::<Value>()["version"].clone();
    admin.post(&path).json(&json!({ "version": version })).send().await.expect(422);
    assert_eq!(orders(&workspace).await, 1);
}

async fn a_scheduled_rule_runs_once_per_slot_with_two_sweepers(environment: TestEnvironment) {
    let test_clock = TestClock::at("2026-11-20T12:07:00Z".parse().unwrap());
    let workspace = Workspace::open(&environment).await.with_clock(test_clock.clock());
    let other = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
    let other = other.with_clock(test_clock.clock());
    let admin = administrator(&workspace).await;
    stock(&workspace, "NY", 9).await;
    let body = json!({
        "name": "Standing order", "on": "every 15m",
        "command": "create_order customer_name=Acme customer_email=buy@acme.example requested_states=NY quantity_per_state=1",
    });
    rule(&admin, body).await;
    // 12:07, 12:14, 12:15, 12:29, 12:30 and, after a night without sweeps, 8:00.
    for (wait, expected) in [(0, 0), (420, 0), (60, 1), (840, 1), (60, 2), (70_200, 3)] {
        test_clock.advance(SignedDuration::from_secs(wait));
        let several = [&workspace, &other].map(|workspace| workspace.app.projections());
        let sweeps = (0..3).flat_map(|_| several.iter().map(|projections| projections.sweep()));
        join_all(sweeps).await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(orders(&workspace).await, expected, "{wait} s later");
        assert_eq!(runs(&admin, "").await.len(), expected);
    }
}
