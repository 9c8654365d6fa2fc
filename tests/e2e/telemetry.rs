//! Telemetry: the outcome and cost of each request and batch, without the person or the content.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::base::telemetry::{Report, Telemetry};
use serde_json::{Value, json};

use super::deployment::{at, bootstrap, event, sign_in, worker};
use super::pages::typed;
use crate::support::workspace::{Workspace, address, change, create, new_lead, read};
use crate::support::{Case, Fault, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: every_request_is_reported_once_with_route_role_outcome_and_cost,
            retries_are_reported;
        // DynamoDB Local counts the units of indexes twice in transactions.
        embedded: a_creation_takes_at_most_thirty_write_units_on_average,
            a_change_of_status_takes_at_most_sixteen_write_units,
            the_id_in_the_answer_finds_a_failure_in_the_log,
            a_panic_in_a_handler_is_a_failure_and_the_next_request_succeeds;
        dynamodb: only_the_trace_of_a_request_is_passed_on_to_the_table,
            the_function_prints_a_line_of_metrics_for_each_invocation,
            the_inventory_function_counts_each_dead_letter_once
    ]
}

/// A workspace and all its reports.
async fn reporting_workspace(environment: &TestEnvironment) -> (Workspace, Arc<Mutex<Vec<Report>>>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&reports);
    // With a stopped clock each person is authenticated once: by two calls for a token.
    let now = jiff::Timestamp::now();
    let workspace = Workspace::open(environment).await.with_clock(Clock::from_fn(move || now));
    let workspace =
        workspace.with_telemetry(Telemetry::to(move |report| listener.lock().unwrap().push(report.clone())));
    (workspace, reports)
}

fn last(reports: &Mutex<Vec<Report>>) -> Report {
    reports.lock().unwrap().last().expect("a request was reported").clone()
}

async fn every_request_is_reported_once_with_route_role_outcome_and_cost(environment: TestEnvironment) {
    let (workspace, reports) = reporting_workspace(&environment).await;
    let agent = workspace.agent().await;
    let visitor = workspace.visitor();
    let is = |route: &str, status: u16, role: Option<Role>, outcome: &str, calls: u32| {
        let report = last(&reports);
        let actual = (report.route.as_str(), report.status, report.role, report.outcome, report.calls);
        assert_eq!(actual, (route, Some(status), role, outcome, calls), "{report:?}");
        assert_eq!(report.retries, 0);
        report
    };
    let (no_one, an_agent) = (None, Some(Role::Agent));

    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let made = is("POST /api/leads", 201, an_agent, "ok", 3);
    // By DynamoDB's rule: the lead with ten indexes, its email address, its history, its place in the queue, its words.
    assert!(made.read_units > 0.0 && made.write_units > 0.0 && made.write_units <= 30.0, "{made:?}");
    let answer = agent.get(&address(&lead)).send().await.expect(200);
    let looked = is("GET /api/leads/{id}", 200, an_agent, "ok", 1);
    assert_eq!(answer.header("x-request-id"), looked.request_id);
    assert!(looked.read_units > 0.0 && looked.write_units == 0.0, "{looked:?}");
    change(&agent, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);
    change(&agent, &lead, 1, json!({ "leadScore": 70 })).await.expect(409);
    is("PATCH /api/leads/{id}", 409, an_agent, "conflict", 2);
    change(&agent, &lead, 2, json!({ "status": "CONVERTED" })).await.expect(422);
    is("PATCH /api/leads/{id}", 422, an_agent, "rule-violation", 1);
    change(&agent, &lead, 2, json!({ "leadScore": 101 })).await.expect(422);
    is("PATCH /api/leads/{id}", 422, an_agent, "invalid", 0);

    visitor.get("/api/leads").send().await.expect(401);
    is("GET /api/leads", 401, no_one, "sign-in", 0);
    visitor.get("/nowhere/Ann").send().await.expect(404);
    is("none", 404, no_one, "not-found", 0);
    visitor.get("/health").send().await.expect(200);
    is("GET /health", 200, no_one, "ok", 0);
    visitor.get("/health/ready").send().await.expect(200);
    is("GET /health/ready", 200, no_one, "ok", 1);

    // The same rule on a page: the form is shown again, without a problem document.
    let person = workspace.session(Role::Agent, "Ann").await;
    let seen = read(&agent, &lead).await;
    let form = typed(&seen, &[("status", "CONVERTED")]);
    let path = format!("/leads/{}", lead["id"].as_str().unwrap());
    let before = reports.lock().unwrap().len();
    person.post(&path).header("origin", "http://holdfast.test").form(&form).send().await.expect(422);
    // A form has an idempotency key, which is looked up as well.
    assert_eq!(is("POST /leads/{id}", 422, an_agent, "rule-violation", 6).message_dead_letters, 0);
    assert_eq!(reports.lock().unwrap().len(), before + 1, "a request is reported once");
}

/// 500 made-up people. `leads::search` names the source.
const PEOPLE: &[u8] = include_bytes!("../fixtures/leads/us-500.csv");

/// Returns every `step`th lead of the fixture: with the columns that a lead has fields for, or with all others as custom
/// fields.
fn people(step: usize, has_fields: bool) -> Vec<Value> {
    let mut rows = csv::Reader::from_reader(PEOPLE);
    let headers = rows.headers().unwrap().clone();
    let own = ["first_name", "last_name", "company_name", "state", "phone1", "email"];
    let lead = |row: csv::StringRecord| {
        let cells: Vec<(&str, &str)> = headers.iter().zip(&row).collect();
        let cell = |name: &str| cells.iter().find(|(header, _)| *header == name).unwrap().1;
        let others = cells.iter().filter(|(name, text)| !own.contains(name) && !text.is_empty());
        let fields: Value = others
            .map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({
            "name": format!("{} {}", cell("first_name"), cell("last_name")), "email": cell("email"),
            "company": cell("company_name"), "state": cell("state"), "phone": cell("phone1"),
            "fields": if has_fields { fields } else { json!({}) },
        })
    };
    rows.records().step_by(step).map(|row| lead(row.unwrap())).collect()
}

async fn a_creation_takes_at_most_thirty_write_units_on_average(environment: TestEnvironment) {
    let (workspace, reports) = reporting_workspace(&environment).await;
    let agent = workspace.agent().await;
    let units = async |people: Vec<Value>| {
        let mut units = Vec::new();
        for new in &people {
            create(&agent, new).await;
            units.push(last(&reports).write_units);
        }
        let (sum, most) = units.iter().fold((0.0, 0.0_f64), |(sum, most), one| (sum + one, most.max(*one)));
        (sum / units.len() as f64, most)
    };
    let (average, most) = units(people(1, false)).await;
    assert!(average <= 30.0 && most <= 34.0, "{average} {most}");
    let again = people(10, true).into_iter().map(|mut new| {
        new["email"] = json!(new["email"].as_str().unwrap().replace('@', ".2@"));
        new
    });
    // The same people once more, with their other columns in an item of their own.
    let (average, most) = units(again.collect()).await;
    assert!(average <= 35.0 && most <= 40.0, "{average} {most}");
}

async fn a_change_of_status_takes_at_most_sixteen_write_units(environment: TestEnvironment) {
    let (workspace, reports) = reporting_workspace(&environment).await;
    let agent = workspace.agent().await;
    for new in people(100, false) {
        let lead = create(&agent, &new).await;
        change(&agent, &lead, 1, json!({ "status": "QUALIFIED" })).await.expect(200);
        let moved = last(&reports).write_units;
        assert!(moved <= 16.0, "{new}: {moved}");
    }
}

async fn retries_are_reported(environment: TestEnvironment) {
    let (workspace, reports) = reporting_workspace(&environment).await;
    let agent = workspace.agent().await;
    environment.wire().times(2, "TransactWriteItems", Fault::TransactionConflict);
    create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let report = last(&reports);
    assert_eq!((report.calls, report.retries), (3, 2), "{report:?}");
}

async fn the_id_in_the_answer_finds_a_failure_in_the_log(environment: TestEnvironment) {
    let (workspace, reports) = reporting_workspace(&environment).await;
    let person = workspace.session(Role::Agent, "Ann").await;
    environment.wire().always("Query", Fault::Refused("ValidationException"));
    let answer = person.get("/api/leads").send().await.expect(500);
    let report = last(&reports);
    assert_eq!(answer.json::<Value>()["requestId"], report.request_id);
    assert_eq!(report.outcome, "internal");
    let page = person.get("/leads").header("accept", "text/html").send().await.expect(500);
    let id = last(&reports).request_id;
    assert!(page.text().contains(&id) && page.header("x-request-id") == id, "{}", page.text());
    let part = person.get("/leads").header("hx-request", "true").send().await.expect(500);
    let id = last(&reports).request_id;
    assert!(format!("{:?}", part.headers).contains(&format!("Reference: {id}")), "{:?}", part.headers);
    // A client error explains itself and needs no id.
    let missing = person.get("/api/nowhere").send().await.expect(404);
    assert!(missing.json::<Value>().get("requestId").is_none());
}

async fn a_panic_in_a_handler_is_a_failure_and_the_next_request_succeeds(environment: TestEnvironment) {
    let (workspace, reports) = reporting_workspace(&environment).await;
    let (now, panics) = (jiff::Timestamp::now(), Arc::new(AtomicBool::new(false)));
    let once = Arc::clone(&panics);
    let workspace = workspace.with_clock(Clock::from_fn(move || {
        assert!(!once.swap(false, Ordering::Relaxed), "the clock of the test panics");
        now
    }));
    let person = workspace.session(Role::Agent, "Ann").await;
    panics.store(true, Ordering::Relaxed);
    let answer = person.get("/api/leads").send().await.expect(500);
    assert!(!panics.load(Ordering::Relaxed), "it has panicked");
    let (problem, report) = (answer.json::<Value>(), last(&reports));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        (&problem["type"], &problem["requestId"]),
        (&json!("urn:holdfast:problem:internal"), &json!(report.request_id))
    );
    assert_eq!((report.status, report.outcome), (Some(500), "internal"));
    assert!(!answer.text().contains("the clock of the test"), "{}", answer.text());
    panics.store(true, Ordering::Relaxed);
    let page = person.get("/leads").header("accept", "text/html").send().await.expect(500);
    assert!(page.text().contains(&last(&reports).request_id), "{}", page.text());
    person.get("/api/leads").send().await.expect(200);
}

async fn only_the_trace_of_a_request_is_passed_on_to_the_table(environment: TestEnvironment) {
    const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
    let (workspace, reports) = reporting_workspace(&environment).await;
    let agent = workspace.agent().await;
    for (sent, passed) in [(TRACE, Some(TRACE)), ("not a trace", None)] {
        environment.wire().reset();
        agent.get("/api/leads").header("x-amzn-trace-id", sent).send().await.expect(200);
        let calls = environment.wire().calls();
        assert!(!calls.is_empty());
        for call in calls {
            assert_eq!(call.trace.as_deref(), passed, "{}", call.operation);
        }
        let root = passed.map(|_| "1-5bef4de7-ad49b0e87f6ef6c87fc2e700");
        assert_eq!(last(&reports).trace_id.as_deref(), root);
    }
    environment.wire().reset();
    agent.get("/api/leads").send().await.expect(200);
    assert!(
        environment.wire().calls().iter().all(|call| call.trace.is_none()),
        "a trace is used for one request only"
    );
}

/// The metrics that a bootstrap has printed, once there are this many lines.
async fn metrics(lambda: &crate::support::lambda::LambdaRuntime, count: usize) -> Vec<Value> {
    let lines = || -> Vec<Value> {
        let output = lambda.output();
        let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("DynamoDBCalls").is_some()).collect()
    };
    wait::until("the metrics are printed", async || lines().len() >= count).await;
    lines()
}

async fn the_function_prints_a_line_of_metrics_for_each_invocation(environment: TestEnvironment) {
    let (workspace, lambda) = bootstrap(&environment).await;
    let cookies = sign_in(&workspace, &lambda, Role::Agent).await;
    let mut request = at(event("get-page"), "/api/leads");
    request["cookies"] = cookies;
    request["headers"]["x-amzn-trace-id"] = "Root=1-not-lambdas".into();
    let answer = lambda.invoke(request).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let lines = metrics(&lambda, 2).await;
    let line = &lines[1];
    // The id and the trace are those of Lambda's own log lines and segments.
    assert_eq!(line["requestId"], "8476a536-e9f4-11e8-9739-000000000002");
    assert_eq!(answer["headers"]["x-request-id"], line["requestId"]);
    assert_eq!(line["traceId"], "1-5bef4de7-ad49b0e87f6ef6c87fc2e700");
    for (name, value) in [
        ("FunctionName", json!("holdfast-web")),
        ("Route", json!("GET /api/leads")),
        ("role", json!("agent")),
        ("outcome", json!("ok")),
        ("status", json!(200)),
        ("Requests", json!(1)),
        ("Conflicts", json!(0)),
    ] {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    // The log has all values, but a successful request creates no metric, because metrics are charged by the hour.
    assert!(line["Latency"].as_f64().unwrap() > 0.0 && line.get("_aws").is_none(), "{line}");
    assert!(!lambda.output().contains("Ann Lee"), "no name is printed");
}

async fn the_inventory_function_counts_each_dead_letter_once(environment: TestEnvironment) {
    let (_desk, lambda) = worker(&environment, env!("CARGO_BIN_EXE_lambda_inventory")).await;
    lambda.invoke(event("kafka-msk")).await;
    lambda.invoke(event("kafka-msk")).await;
    let lines = metrics(&lambda, 2).await;
    let reports: Vec<_> =
        lines.iter().map(|line| (line["Route"].as_str().unwrap(), &line["MessageDeadLetters"])).collect();
    assert_eq!(reports, [("inventory", &json!(3)), ("inventory", &json!(0))]);
    assert_eq!(
        lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"],
        json!([{ "Name": "MessageDeadLetters", "Unit": "Count" }])
    );
    assert!(lines[0]["_aws"]["Timestamp"].is_u64() && lines[1].get("_aws").is_none(), "{lines:?}");
    assert!(lines[0]["DynamoDBCalls"].as_u64() > Some(3) && lines[0]["writeUnits"].as_f64() > Some(1.0));
}
