//! Bad input to the JSON API of orders and caps: refused with the name of the field, and nothing is written.

use serde_json::{Value, json};

use super::acme;
use crate::support::http::Response;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: bad_orders_are_refused_by_field_and_write_nothing,
            bad_caps_are_refused_by_field_and_write_nothing,
            bad_parameters_of_lists_and_exports_are_refused_by_name
    ]
}

#[track_caller]
fn assert_refused(answer: &Response, field: &str, sent: &str) {
    let status = answer.status.as_u16();
    assert!((400..500).contains(&status), "{sent} was answered {status}");
    let problem: Value = answer.json();
    assert!(problem.to_string().contains(field), "{sent}: {field} is not named: {problem}");
}

async fn bad_orders_are_refused_by_field_and_write_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let before = environment.wire().count("TransactWriteItems");
    let all: Vec<_> = holdfast::base::values::UsState::all().map(|state| state.as_str()).collect();
    for (field, value) in [
        ("requestedStates", json!([])),
        ("requestedStates", json!(["CA", "XX"])),
        ("requestedStates", json!("CA,NY")),
        ("requestedStates", json!(all)),
        ("requestedStates", json!(null)),
        ("requestedStates", json!([7])),
        ("quantityPerState", json!(0)),
        ("quantityPerState", json!(-1)),
        ("quantityPerState", json!(1_000_000_000)),
        ("quantityPerState", json!(1.5)),
        ("quantityPerState", json!("5")),
        ("customerEmail", json!("no email")),
        ("customerEmail", json!("")),
        ("customerName", json!("")),
        ("customerName", json!("a\nb")),
        ("customerName", json!("=HYPERLINK(\"x\")")),
        ("customerName", json!(" @SUM(A1)")),
        ("customerEmail", json!("=1+1")),
        ("customerName", json!(7)),
        ("confirm", json!("yes")),
        ("preview", json!("yes")),
        ("surprise", json!(1)),
    ] {
        let mut body = acme(&["NY"], 1);
        body[field] = value.clone();
        assert_refused(
            &agent.post("/api/orders").json(&body).send().await,
            field,
            &format!("{field}: {value}"),
        );
    }
    let at: Value = agent.post("/api/orders").json(&acme(&["CA", "XX"], 1)).send().await.expect(422).json();
    assert_eq!(at["errors"][0]["field"], "requestedStates[1]");
    assert_eq!(environment.wire().count("TransactWriteItems"), before, "something was written");
}

async fn bad_caps_are_refused_by_field_and_write_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let before = environment.wire().count("TransactWriteItems");
    for (field, body) in [
        ("cap", json!({ "state": "NY", "cap": 1.5, "version": 1 })),
        ("cap", json!({ "state": "NY", "cap": "ten", "version": 1 })),
        ("cap", json!({ "state": "NY", "cap": -1, "version": 1 })),
        ("cap", json!({ "state": "NY", "cap": 1_000_000_000, "version": 1 })),
        ("cap", json!({ "state": "NY", "version": 1 })),
        ("state", json!({ "state": "ZZ", "cap": 1, "version": 1 })),
        ("default", json!({ "default": null, "cap": 1, "state": "NY", "version": 1, "default2": 1 })),
        ("version", json!({ "state": "NY", "cap": 1, "version": 0 })),
    ] {
        assert_refused(&agent.put("/api/leads/caps").json(&body).send().await, field, &body.to_string());
    }
    assert_eq!(environment.wire().count("TransactWriteItems"), before, "something was written");
}

async fn bad_parameters_of_lists_and_exports_are_refused_by_name(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for (path, field) in [
        ("/api/orders?status=DELETED", "status"),
        ("/api/orders?state=ZZ", "state"),
        ("/api/orders?from=2026-02-30", "from"),
        ("/api/orders?to=soon", "to"),
        ("/api/orders?from=2026-03-09&to=2026-03-08", "to"),
        ("/api/orders?limit=0", "limit"),
        ("/api/orders?surprise=1", "surprise"),
        ("/api/orders/export/csv?from=2026-13-01", "from"),
        ("/api/orders/export/csv?cursor=x", "cursor"),
    ] {
        assert_refused(&agent.get(path).send().await, field, path);
    }
}
