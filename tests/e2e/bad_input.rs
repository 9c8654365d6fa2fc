//! Bad input: the answer is always a problem document with a status of 400 to 499, and nothing is written.

use holdfast::base::identity::Role;
use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, address, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: bad_bodies_are_refused_and_write_nothing,
            bad_addresses_cursors_and_parameters_are_refused,
            html_in_a_field_is_returned_unchanged;
        web: bad_fields_are_refused_by_name_and_write_nothing,
            all_invalid_fields_are_named_at_once_without_parser_messages,
            bad_queries_and_broken_json_are_explained_without_parser_messages,
            snake_case_is_accepted_and_answered_in_camel_case,
            a_status_that_is_a_stock_finds_the_leads_of_this_stock,
            a_malformed_id_is_answered_with_an_example
    ]
}

#[track_caller]
fn assert_problem(answer: &Response, sent: &str) -> Value {
    let status = answer.status.as_u16();
    assert!((400..500).contains(&status), "{sent} was answered {status}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{sent}");
    let problem: Value = answer.json();
    assert_eq!(problem["status"], status);
    for member in ["type", "title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{sent}: {problem}");
    }
    problem
}

async fn writes(environment: &TestEnvironment) -> usize {
    environment.wire().count("TransactWriteItems")
}

/// Values that each field of a lead refuses.
fn bad_values() -> Vec<(&'static str, Vec<Value>)> {
    let long = "x".repeat(10_000);
    vec![
        (
            "name",
            vec![
                json!(""),
                json!(" "),
                json!(long),
                json!("a\u{0}b"),
                json!("a\nb"),
                json!(7),
                json!(null),
                json!(["a"]),
                json!({}),
            ],
        ),
        (
            "email",
            vec![
                json!(""),
                json!("ann"),
                json!("a@b"),
                json!(format!("{long}@example.com")),
                json!("a b@example.com"),
                json!("<b>@example.com"),
                json!("a\u{7}@example.com"),
                json!(1),
                json!(null),
            ],
        ),
        (
            "state",
            vec![json!("XX"), json!("New York City"), json!(""), json!(long), json!(3), json!("<script>")],
        ),
        (
            "leadScore",
            vec![
                json!(-1),
                json!(101),
                json!(1e300),
                json!(50.5),
                json!("50"),
                json!(u64::MAX),
                json!(null),
                json!(true),
            ],
        ),
        ("status", vec![json!("CLOSED"), json!(""), json!(1), json!(null), json!(long)]),
        ("surprise", vec![json!(1)]),
        ("id", vec![json!("x")]),
        ("stock", vec![json!("FULFILLED")]),
    ]
}

async fn bad_fields_are_refused_by_name_and_write_nothing(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let before = writes(&environment).await;
    for (field, values) in bad_values() {
        for value in values {
            let mut body = new_lead("New", "new@example.com");
            body[field] = value.clone();
            let answer = agent.post("/api/leads").json(&body).send().await;
            let sent = format!("{field} = {}", value.to_string().chars().take(60).collect::<String>());
            let problem = assert_problem(&answer, &sent);
            assert!(problem.to_string().contains(field), "{sent}: the field is not named: {problem}");
            // In a change, null means "no change" for none of these fields.
            let mut change = json!({ "version": 1 });
            change[field] = value.clone();
            let answer = agent.patch(&address(&lead)).json(&change).send().await;
            assert_problem(&answer, &format!("change of {sent}"));
        }
    }
    for version in [json!(0), json!(-1), json!("1"), json!(1.5), json!(1e20), json!({})] {
        let change = json!({ "version": version, "leadScore": 1 });
        let answer = agent.patch(&address(&lead)).json(&change).send().await;
        assert_problem(&answer, &change.to_string());
    }
    let answer = agent.patch(&address(&lead)).json(&json!({ "leadScore": 1 })).send().await.expect(428);
    assert_problem(&answer, "no version");
    let answer = agent.patch(&address(&lead)).json(&json!({ "version": 1 })).send().await.expect(400);
    assert_problem(&answer, "no change");
    assert_eq!(writes(&environment).await, before, "something was written");
}

async fn bad_bodies_are_refused_and_write_nothing(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let before = writes(&environment).await;
    let send =
        async |kind: &str, body: &[u8]| agent.post("/api/leads").body(kind, body.to_vec()).send().await;
    let good = new_lead("New", "new@example.com").to_string();
    for (kind, body, status) in [
        ("application/json", &b""[..], 400),
        ("application/json", b"{", 400),
        ("application/json", b"{\"name\": \"\xff\"}", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"null", 400),
        ("application/json", b"\"text\"", 400),
        ("application/json", b"{\"name\":\"A\",\"name\":\"B\"}", 422),
        ("application/json", format!("{good} trailing").as_bytes(), 400),
        ("application/json", "[".repeat(50_000).as_bytes(), 400),
        ("application/json", format!("{{\"name\":\"{}\"}}", "x".repeat(100_000)).as_bytes(), 413),
        ("text/plain", good.as_bytes(), 415),
        ("application/x-www-form-urlencoded", b"name=Ann", 415),
        ("", good.as_bytes(), 415),
    ] {
        let answer = send(kind, body).await;
        let sent = format!("{kind} {}", String::from_utf8_lossy(&body[..body.len().min(60)]));
        assert_eq!(answer.status.as_u16(), status, "{sent}");
        assert_problem(&answer, &sent);
    }
    assert_eq!(writes(&environment).await, before, "something was written");
    send("application/json; charset=utf-8", good.as_bytes()).await.expect(201);
}

async fn bad_addresses_cursors_and_parameters_are_refused(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.program(Role::Administrator).await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    for (path, status) in [
        ("/api/leads/nonsense", 404),
        ("/api/leads/%00", 404),
        ("/api/leads/%ff", 404),
        ("/api/leads/019f0000-0000-7000-8000-000000000000", 404),
        ("/api/nothing", 404),
        ("/api/leads?cursor=%22", 400),
        ("/api/leads?cursor=eyJhIjoxfQ", 400),
        ("/api/leads?limit=0", 422),
        ("/api/leads?limit=101", 422),
        ("/api/leads?limit=ten", 422),
        ("/api/leads?limit=-1", 422),
        ("/api/leads?status=OPEN", 422),
        ("/api/leads?state=ZZ", 422),
        ("/api/leads?sort=name", 422),
        ("/api/leads?surprise=1", 400),
        ("/api/leads?limit=1&limit=2", 400),
        ("/api/leads?q=%07", 422),
    ] {
        let answer = agent.get(path).send().await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_problem(&answer, path);
    }
    let cursor = |parts: Value| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(parts.to_string())
    };
    for parts in [
        json!(["newest"]),
        json!(["newest", "", ""]),
        json!(["newest", "a", "b"]),
        json!(["newest", 1, 2]),
        json!(["newest", "other", lead["id"]]),
        json!(["newest", "x".repeat(1500), lead["id"]]),
        json!(["score", "050", lead["id"]]),
    ] {
        let path = format!("/api/leads?cursor={}", cursor(parts));
        let answer = agent.get(&path).send().await.expect(400);
        assert_problem(&answer, &path);
    }
    for parts in [json!(["search", "zzz"]), json!(["search", ""]), json!(["newest", "a"])] {
        let path = format!("/api/leads?q=lead&cursor={}", cursor(parts));
        assert_problem(&agent.get(&path).send().await.expect(400), &path);
    }
    let answer = agent.put("/api/leads").json(&json!({})).send().await.expect(405);
    assert_problem(&answer, "PUT /api/leads");
    assert!(answer.header("allow").contains("GET"), "{}", answer.header("allow"));
}

async fn html_in_a_field_is_returned_unchanged(environment: TestEnvironment) {
    let agent: Client = Workspace::open(&environment).await.agent().await;
    let name = "<b onmouseover=alert(1)>Ann</b> & \"Co\" '; DROP";
    let lead = create(&agent, &new_lead(name, "ann@example.com")).await;
    assert_eq!(lead["name"], name);
}

/// The fields that a problem document names, in its order.
fn named(problem: &Value) -> Vec<&str> {
    let errors =
        problem["errors"].as_array().unwrap_or_else(|| panic!("the problem names no fields: {problem}"));
    errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
}

/// Requests with more than one invalid field: method, path, body, and the names of these fields.
fn invalid_bodies(lead: &str) -> Vec<(&'static str, &str, Value, Vec<&'static str>)> {
    let order = "/api/orders/019f0000-0000-7000-8000-000000000000/release";
    vec![
        ("POST", "/api/leads", json!({}), vec!["name", "email"]),
        (
            "POST",
            "/api/leads",
            json!({ "lead_score": 101, "email": "ann", "state": 7, "x": 1 }),
            vec!["name", "email", "state", "lead_score", "x"],
        ),
        (
            "PATCH",
            lead,
            json!({ "version": 0, "leadScore": "5", "name": null }),
            vec!["name", "leadScore", "version"],
        ),
        ("PUT", lead, json!({ "version": 1 }), vec!["name", "email", "leadScore", "status"]),
        (
            "POST",
            "/api/orders",
            json!({ "requestedStates": "CA" }),
            vec!["customerName", "customerEmail", "requestedStates"],
        ),
        ("POST", order, json!({ "version": 1, "lead_id": "1" }), vec!["lead_id", "reason"]),
        ("PUT", "/api/leads/caps", json!({ "state": "ZZ", "cap": -1 }), vec!["state", "cap"]),
        (
            "POST",
            "/api/raffles",
            json!({ "tickets": 0, "closes_at": "soon" }),
            vec!["title", "prize", "tickets", "closes_at"],
        ),
        (
            "POST",
            "/api/automation/rules",
            json!({ "on": "x", "conditions": { "scoreAtLeast": 101, "y": 1 }, "enabled": 1 }),
            vec!["name", "on", "conditions.scoreAtLeast", "conditions.y", "command", "enabled"],
        ),
        ("PATCH", "/api/products/A1", json!({ "low_mark": -1, "name": 1 }), vec!["name", "low_mark"]),
        ("POST", "/api/products/A1/adjust", json!({ "version": 1.5 }), vec!["stock", "version"]),
        ("POST", "/api/inventory/parked/retry", json!({ "reason": "x", "sku": "" }), vec!["reason", "sku"]),
    ]
}

async fn all_invalid_fields_are_named_at_once_without_parser_messages(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (agent, admin) = (workspace.agent().await, workspace.program(Role::Administrator).await);
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let leads = address(&lead);
    let before = writes(&environment).await;
    for (method, path, body, fields) in invalid_bodies(&leads) {
        let request = admin.request(method.parse().unwrap(), path).json(&body);
        let answer = request.send().await.expect(422);
        let problem = assert_problem(&answer, path);
        assert_eq!(named(&problem), fields, "{method} {path}: {problem}");
        for word in
            ["expected", "u64", "u32", "invalid type", "missing field", "unknown field", "`", "struct"]
        {
            assert!(!problem.to_string().contains(word), "{word:?} in {problem}");
        }
    }
    assert_eq!(writes(&environment).await, before, "something was written");
}

async fn bad_queries_and_broken_json_are_explained_without_parser_messages(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for path in ["/api/leads?surprise=1", "/api/leads?limit=1&limit=2"] {
        let problem = assert_problem(&agent.get(path).send().await.expect(400), path);
        assert!(!problem.to_string().contains('`') && !problem.to_string().contains("field"), "{problem}");
    }
    let broken = agent.post("/api/leads").body("application/json", b"{\"name\" 1}".to_vec()).send().await;
    let problem = assert_problem(&broken.expect(400), "broken JSON");
    assert_eq!(problem["detail"], "The body isn't JSON: it goes wrong at line 1, column 9.");
}

async fn snake_case_is_accepted_and_answered_in_camel_case(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let body = json!({ "name": "Ann", "email": "ann@example.com", "lead_score": 79.0 });
    let made: Value = agent.post("/api/leads").json(&body).send().await.expect(201).json();
    assert_eq!(made["leadScore"], 79);
}

async fn a_status_that_is_a_stock_finds_the_leads_of_this_stock(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    create(&agent, &new_lead("Lead", "lead@example.com")).await;
    // The list that the first version of these commands expected.
    let list = agent.get("/api/leads?status=unassigned&state=NY").send().await.expect(200).json::<Value>();
    let by_stock = agent.get("/api/leads?stock=UNASSIGNED&state=NY").send().await.expect(200).json::<Value>();
    assert_eq!(list, by_stock);
    assert!(!list["items"].as_array().unwrap().is_empty());
    agent.get("/api/leads?status=unassigned&stock=ASSIGNED").send().await.expect(422);
}

async fn a_malformed_id_is_answered_with_an_example(environment: TestEnvironment) {
    let admin = Workspace::open(&environment).await.program(Role::Administrator).await;
    for (path, what) in [
        ("/api/orders/1", "The ID of an order is a UUID, for example 019f0000-"),
        ("/api/orders/1/history", "The ID of an order is a UUID"),
        ("/api/leads/1", "The ID of a lead is a UUID"),
        ("/api/raffles/1", "The ID of a raffle is a UUID"),
        ("/api/automation/rules/1", "The ID of a rule is a UUID"),
        ("/api/automation/runs/1", "The ID of a run is a UUID"),
        ("/api/inventory/parked/1", "The ID of a dead letter is a UUID"),
        ("/api/tokens/1", "The ID of a token is a UUID"),
        ("/api/products/%20", "A SKU must have 1 to 40 letters"),
    ] {
        let problem = assert_problem(&admin.get(path).send().await.expect(404), path);
        assert!(problem["detail"].as_str().unwrap().starts_with(what), "{path}: {problem}");
    }
    let ticket = "/api/raffles/019f0000-0000-7000-8000-000000000000/tickets/x";
    let problem = assert_problem(&admin.delete(ticket).send().await.expect(404), ticket);
    assert!(
        problem["detail"].as_str().unwrap().starts_with("A ticket number must be a whole number"),
        "{problem}"
    );
}
