//! One request, one deadline: every kind of write is answered in time, whatever the store does. The time is
//! virtual, so that the case can use the real budget of 20 s.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::keys::{CookieKeys, KeyRing, cookie_key};
use holdfast::accounts::sign_up::SignUp;
use holdfast::app::{App, Platform, build_router};
use holdfast::base::blocking::BlockingPool;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::base::rng::Rng;
use holdfast::base::telemetry::Telemetry;
use holdfast::engine::Engine;
use holdfast::store::line::{CallError, Calling, Line, Operation, Target};
use holdfast::store::{Embedded, RetryPolicy, schema};
use http::Method;
use serde_json::{Value, json};

use crate::support::fault::Refusal;
use crate::support::http::{Client, Response};
use crate::support::virtual_time::VirtualTime;
use crate::support::workspace::{COOKIE_SECRET, Workspace};
use crate::support::{Case, Entry, TestEnvironment, cases, request};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![host: every_write_is_answered_within_its_budget_on_any_store_failure]
}

const BUDGET: Duration = Duration::from_secs(20);

/// How the store treats each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreBehavior {
    Fine,
    /// It answers late and correctly.
    Slow(Duration),
    /// It never answers.
    Silent,
    /// It never answers a write.
    SilentToWrites,
    /// Every write conflicts with another transaction.
    Contended,
    /// It throttles every call.
    Throttled,
}

#[derive(Debug, Clone)]
struct MisbehavingStore {
    engine: Embedded,
    time: VirtualTime,
    behavior: Arc<Mutex<StoreBehavior>>,
}

impl Target for MisbehavingStore {
    fn call(&self, operation: Operation) -> Calling {
        let (this, behavior) = (self.clone(), *self.behavior.lock().unwrap());
        let is_write = operation.name() == "TransactWriteItems";
        Box::pin(async move {
            match behavior {
                StoreBehavior::Silent => std::future::pending().await,
                StoreBehavior::SilentToWrites if is_write => std::future::pending().await,
                StoreBehavior::Contended if is_write => {
                    Err(CallError::from(Refusal::transaction_conflict(&request::json(&operation))))
                }
                StoreBehavior::Throttled => Err(CallError::from(Refusal::throttled())),
                StoreBehavior::Slow(delay) => {
                    this.time.wait(delay).await;
                    this.engine.call(operation).await
                }
                _ => this.engine.call(operation).await,
            }
        })
    }
}

/// The application with its real budget over an engine in memory, with virtual time.
pub fn workspace_over(time: &VirtualTime, behavior: &Arc<Mutex<StoreBehavior>>) -> Workspace {
    let wall = Clock::of_system();
    let ticks = time.clone();
    let clock = Clock::of_system().with_ticks(move || ticks.now());
    let engine = Embedded::new(Engine::in_memory(move || wall.now()), BlockingPool::here());
    let line = Line::to(MisbehavingStore { engine, time: time.clone(), behavior: behavior.clone() });
    assert_eq!(RetryPolicy::default().request, BUDGET);
    let keys = KeyRing::of(cookie_key(COOKIE_SECRET).unwrap(), None);
    let platform = Platform {
        line,
        sleep: time.sleep(),
        clock,
        rng: Rng::of_system(),
        blocking: BlockingPool::here(),
        snapshots: 0,
        telemetry: Telemetry::silent(),
    };
    let cookies = CookiePolicy { keys: CookieKeys::fixed(keys), secure: false, port: None };
    let app = App::on(platform, "holdfast", cookies, SignUp::Open);
    let (router, routes) = build_router(app.clone());
    Workspace { app, router, routes, entry: Entry::Router }
}

/// The records of a prepared table: their ids by the names of the parameters in routes.
pub struct Records {
    pub admin: Client,
    pub person: Client,
    ids: BTreeMap<&'static str, String>,
}

async fn create(client: &Client, path: &str, body: Value) -> Value {
    client.post(path).json(&body).send().await.expect(201).json()
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

/// Prepares a table with records of every kind and `leads` leads.
pub async fn prepare(workspace: &Workspace, leads: usize) -> Records {
    schema::create_table(&workspace.app.dynamo).await.unwrap();
    let admin = workspace.program(Role::Administrator).await;
    let person = workspace.session(Role::Administrator, "Ann").await.always("sec-fetch-site", "same-origin");
    let (count, mut leads) = (leads, Vec::new());
    for number in 0..count {
        let (name, email) = (format!("Lead {number}"), format!("lead{number}@example.com"));
        leads
            .push(create(&admin, "/api/leads", json!({ "name": name, "email": email, "state": "NY" })).await);
    }
    let cap = json!({ "state": "NY", "cap": 100, "version": 1 });
    admin.put("/api/leads/caps").json(&cap).send().await.expect(200);
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    let mut small = order.clone();
    small["quantityPerState"] = 2.into();
    let order_id = id(&create(&admin, "/api/orders", small).await);
    let raffle = json!({ "title": "Car", "prize": "A car", "tickets": 20, "limitPerPerson": 3 });
    let raffle = admin.post("/api/raffles").json(&raffle).send().await.expect(201).json();
    let rule = json!({ "name": "Welcome", "on": "lead.created", "command": "get_leads limit=1", "repeat": "always" });
    let rule = create(&admin, "/api/automation/rules", rule).await;
    let event = |message: &str, kind: &str, quantity: u32| {
        json!({ "schema": 1, "messageId": message, "sku": "A1", "kind": kind, "quantity": quantity,
            "occurredAt": "2026-11-22T00:00:00Z" })
    };
    let events = json!([event("m1", "RECEIPT", 5), event("m2", "SALE", 50)]);
    admin.post("/api/inventory/events").json(&events).send().await.expect(200);
    let parked = admin.get("/api/inventory/parked").send().await.expect(200).json::<Value>();
    let token = person.post("/api/tokens").json(&json!({ "name": "t" })).send().await.expect(201).json();
    let deleted = create(&admin, "/api/leads", json!({ "name": "Gone", "email": "gone@example.com" })).await;
    admin.delete(&format!("/api/leads/{}?version=1", id(&deleted))).send().await.expect(204);
    let changed = create(&admin, "/api/leads", json!({ "name": "Was", "email": "was@example.com" })).await;
    let edit = json!({ "version": 1, "name": "Is" });
    admin.patch(&format!("/api/leads/{}", id(&changed))).json(&edit).send().await.expect(200);
    let notes = format!("/api/leads/{}/notes", id(&leads[count - 1]));
    let note = create(&admin, &notes, json!({ "text": "Called." })).await;
    let account = json!({ "name": "Bob", "email": "bob@example.com", "role": "agent" });
    let account = create(&admin, "/api/accounts", account).await;
    let service = json!({ "name": "Robot", "role": "agent", "kind": "service" });
    let service = create(&admin, "/api/accounts", service).await;
    let tokens = format!("/api/accounts/{}/tokens", id(&service));
    let service_token = create(&person, &tokens, json!({ "name": "t" })).await;
    let ids = BTreeMap::from([
        ("account", id(&account)),
        ("service", id(&service)),
        ("service token", id(&service_token)),
        ("deleted", id(&deleted)),
        ("changed", id(&changed)),
        ("note", id(&note)),
        ("lead", id(&leads[count - 1])),
        ("order", order_id),
        ("raffle", id(&raffle)),
        ("rule", id(&rule)),
        ("parked", id(&parked["items"][0])),
        ("token", id(&token)),
        ("taken", id(&leads[0])),
    ]);
    Records { admin, person, ids }
}

/// A request: its method, path, route and body.
pub type TestRequest = (Method, String, &'static str, Option<Value>);

/// One request for each route that writes, which would succeed on a working store. The case fails if a route has no
/// request.
pub fn requests(records: &Records) -> Vec<TestRequest> {
    use http::Method as M;
    let id = |name: &str| records.ids[name].clone();
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    let mut few = order.clone();
    few["quantityPerState"] = 3.into();
    let lead = json!({ "name": "New", "email": "new@example.com" });
    let complete = json!({ "version": 1, "name": "A", "email": "put@example.com", "state": "NY", "leadScore": 1,
        "status": "PROSPECT" });
    let v1 = json!({ "version": 1 });
    let api = |method: M, path: String, route: &'static str, body: Value| (method, path, route, Some(body));
    vec![
        api(M::POST, "/api/leads".into(), "/api/leads", lead),
        api(
            M::PATCH,
            format!("/api/leads/{}", id("lead")),
            "/api/leads/{id}",
            json!({ "version": 1, "leadScore": 3 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}", id("lead")),
            "/api/leads/{id}",
            json!({ "version": 1, "leadScore": 3 }),
        ),
        api(M::PUT, format!("/api/leads/{}", id("lead")), "/api/leads/{id}", complete),
        (M::DELETE, format!("/api/leads/{}?version=1", id("lead")), "/api/leads/{id}", None),
        api(
            M::PATCH,
            format!("/api/leads/{}/status", id("lead")),
            "/api/leads/{id}/status",
            json!({ "version": 1, "status": "QUALIFIED" }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/reopen", id("lead")),
            "/api/leads/{id}/reopen",
            json!({ "version": 1, "reason": "x" }),
        ),
        api(M::POST, format!("/api/leads/{}/restock", id("lead")), "/api/leads/{id}/restock", v1.clone()),
        api(
            M::POST,
            format!("/api/leads/{}/restore", id("deleted")),
            "/api/leads/{id}/restore",
            json!({ "version": 2 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/revert", id("changed")),
            "/api/leads/{id}/revert",
            json!({ "version": 2, "to": 1 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/merge", id("lead")),
            "/api/leads/{id}/merge",
            json!({ "version": 1, "merged": id("changed"), "mergedVersion": 2 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/notes", id("lead")),
            "/api/leads/{id}/notes",
            json!({ "text": "x" }),
        ),
        api(
            M::PATCH,
            format!("/api/leads/{}/notes/{}", id("lead"), id("note")),
            "/api/leads/{id}/notes/{note}",
            json!({ "version": 1, "text": "y" }),
        ),
        (
            M::DELETE,
            format!("/api/leads/{}/notes/{}?version=1", id("lead"), id("note")),
            "/api/leads/{id}/notes/{note}",
            None,
        ),
        api(
            M::PUT,
            "/api/leads/caps".into(),
            "/api/leads/caps",
            json!({ "state": "CA", "cap": 3, "version": 1 }),
        ),
        api(M::POST, "/api/orders".into(), "/api/orders", few),
        api(M::POST, "/api/orders".into(), "/api/orders", order),
        api(M::PATCH, format!("/api/orders/{}/fulfill", id("order")), "/api/orders/{id}/fulfill", v1.clone()),
        (M::DELETE, format!("/api/orders/{}?version=1", id("order")), "/api/orders/{id}", None),
        api(
            M::POST,
            format!("/api/orders/{}/release", id("order")),
            "/api/orders/{id}/release",
            json!({ "version": 1, "leadId": id("taken"), "reason": "BAD_CONTACT" }),
        ),
        api(
            M::POST,
            "/api/raffles".into(),
            "/api/raffles",
            json!({ "title": "Car", "prize": "A car", "tickets": 20 }),
        ),
        api(
            M::POST,
            format!("/api/raffles/{}/tickets", id("raffle")),
            "/api/raffles/{id}/tickets",
            json!({ "quantity": 1 }),
        ),
        (
            M::DELETE,
            format!("/api/raffles/{}/tickets/1", id("raffle")),
            "/api/raffles/{id}/tickets/{number}",
            None,
        ),
        api(M::POST, format!("/api/raffles/{}/draw", id("raffle")), "/api/raffles/{id}/draw", json!({})),
        api(
            M::POST,
            "/api/automation/execute".into(),
            "/api/automation/execute",
            json!({ "command": "create_order", "params": { "customer_name": "A", "customer_email": "a@example.com", "requested_states": ["NY"] } }),
        ),
        api(
            M::POST,
            "/api/automation/rules".into(),
            "/api/automation/rules",
            json!({ "name": "R", "on": "lead.created", "command": "get_leads limit=1", "repeat": "always" }),
        ),
        api(
            M::PATCH,
            format!("/api/automation/rules/{}", id("rule")),
            "/api/automation/rules/{id}",
            json!({ "version": 1, "enabled": false }),
        ),
        (
            M::DELETE,
            format!("/api/automation/rules/{}?version=1", id("rule")),
            "/api/automation/rules/{id}",
            None,
        ),
        api(
            M::POST,
            "/api/automation/runs/019f0000-0000-7000-8000-000000000000/retry".into(),
            "/api/automation/runs/{id}/retry",
            v1.clone(),
        ),
        api(
            M::POST,
            "/api/automation/dead-letters/019f0000-0000-7000-8000-000000000000/retry".into(),
            "/api/automation/dead-letters/{id}/retry",
            v1.clone(),
        ),
        (
            M::DELETE,
            "/api/automation/dead-letters/019f0000-0000-7000-8000-000000000000?version=1".into(),
            "/api/automation/dead-letters/{id}",
            None,
        ),
        api(
            M::POST,
            "/api/inventory/parked/retry".into(),
            "/api/inventory/parked/retry",
            json!({ "sku": "A1" }),
        ),
        api(
            M::POST,
            "/api/inventory/parked/dismiss".into(),
            "/api/inventory/parked/dismiss",
            json!({ "sku": "A1" }),
        ),
        api(
            M::POST,
            "/api/inventory/events".into(),
            "/api/inventory/events",
            json!({ "schema": 1, "messageId": "m9", "sku": "B1", "kind": "RECEIPT", "quantity": 1, "occurredAt": "2026-11-22T00:00:00Z" }),
        ),
        api(
            M::POST,
            format!("/api/inventory/parked/{}/retry", id("parked")),
            "/api/inventory/parked/{id}/retry",
            v1,
        ),
        (
            M::DELETE,
            format!("/api/inventory/parked/{}?version=1", id("parked")),
            "/api/inventory/parked/{id}",
            None,
        ),
        api(
            M::PATCH,
            "/api/products/A1".into(),
            "/api/products/{sku}",
            json!({ "detailsVersion": 1, "name": "N" }),
        ),
        api(
            M::POST,
            "/api/products/A1/adjust".into(),
            "/api/products/{sku}/adjust",
            json!({ "version": 1, "stock": 3 }),
        ),
        api(
            M::POST,
            "/api/accounts".into(),
            "/api/accounts",
            json!({ "name": "Cy", "email": "cy@example.com", "role": "viewer" }),
        ),
        api(
            M::PATCH,
            format!("/api/accounts/{}", id("account")),
            "/api/accounts/{id}",
            json!({ "version": 1, "role": "viewer" }),
        ),
        (
            M::DELETE,
            format!("/api/accounts/{}?version=1&leads=clear", id("account")),
            "/api/accounts/{id}",
            None,
        ),
        api(
            M::POST,
            format!("/api/accounts/{}/link", id("account")),
            "/api/accounts/{id}/link",
            json!({ "version": 1 }),
        ),
        (
            M::DELETE,
            format!("/api/accounts/{}/link?version=1", id("account")),
            "/api/accounts/{id}/link",
            None,
        ),
        api(
            M::POST,
            format!("/api/accounts/{}/sessions/end", id("account")),
            "/api/accounts/{id}/sessions/end",
            json!({ "version": 1 }),
        ),
        api(
            M::POST,
            format!("/api/accounts/{}/tokens", id("service")),
            "/api/accounts/{id}/tokens",
            json!({ "name": "u" }),
        ),
        (
            M::DELETE,
            format!("/api/accounts/{}/tokens/{}", id("service"), id("service token")),
            "/api/accounts/{id}/tokens/{token}",
            None,
        ),
        api(M::POST, "/api/tokens".into(), "/api/tokens", json!({ "name": "u" })),
        (M::DELETE, format!("/api/tokens/{}", id("token")), "/api/tokens/{id}", None),
    ]
}

async fn send(
    records: &Records,
    (method, path, _, body): &(Method, String, &str, Option<Value>),
) -> Response {
    // Only people create tokens.
    let client = if path.contains("/tokens") { &records.person } else { &records.admin };
    let request = client.request(method.clone(), path);
    match body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

async fn every_write_is_answered_within_its_budget_on_any_store_failure(_: TestEnvironment) {
    tokio::task::spawn_blocking(try_all).await.unwrap();
}

fn try_all() {
    for behavior in [
        StoreBehavior::Slow(Duration::from_millis(2_900)),
        StoreBehavior::Slow(Duration::from_millis(700)),
        StoreBehavior::Silent,
        StoreBehavior::SilentToWrites,
        StoreBehavior::Contended,
        StoreBehavior::Throttled,
    ] {
        let (time, now) = (VirtualTime::default(), Arc::new(Mutex::new(StoreBehavior::Fine)));
        let workspace = workspace_over(&time, &now);
        let records = time.run(prepare(&workspace, 60));
        let requests = requests(&records);
        let missing = |method: &Method, path: &str| {
            !requests.iter().any(|(test_request, _, route, _)| test_request == method && *route == path)
        };
        for route in &workspace.routes {
            let is_write = route.method != Method::GET && route.path.starts_with("/api/");
            assert!(!is_write || !missing(&route.method, route.path), "{} {}", route.method, route.path);
        }
        let mut busy = 0;
        for test_request in &requests {
            *now.lock().unwrap() = behavior;
            let start = time.now();
            let answer = time.run(send(&records, test_request));
            let (took, status) = (time.now() - start, answer.status.as_u16());
            *now.lock().unwrap() = StoreBehavior::Fine;
            let what = format!(
                "{} {} with the store {behavior:?}: {status} after {took:?}",
                test_request.0, test_request.2
            );
            assert!(took <= BUDGET, "{what}");
            // A slow store still answers. A change that breaks a rule is refused after a read and writes nothing.
            let reads_alone =
                [404, 409, 422].contains(&status) || test_request.2 == "/api/inventory/parked/retry";
            let is_right = status == 503 || matches!(behavior, StoreBehavior::Slow(_)) || reads_alone;
            assert!(is_right, "{what}: {}", answer.text());
            busy += usize::from(status == 503);
        }
        let least = match behavior {
            StoreBehavior::Slow(_) => 0,
            StoreBehavior::Silent | StoreBehavior::Throttled => requests.len(),
            _ => requests.len() - 10,
        };
        assert!(busy >= least, "{behavior:?}: only {busy} of {} were answered 503", requests.len());
    }
}
