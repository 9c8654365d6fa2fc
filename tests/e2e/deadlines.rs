//! One request, one deadline: whatever the store does, every kind of write is answered in time. The time is virtual, so the
//! real budget of 20 s is tried.

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
    cases![host: every_write_is_answered_within_its_budget_whatever_the_store_does]
}

const BUDGET: Duration = Duration::from_secs(20);

/// What the store does to each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Fine,
    /// It answers late, and right.
    Slow(Duration),
    /// It never answers.
    Silent,
    /// It never answers a write.
    SilentToWrites,
    /// Another transaction is always faster.
    Contended,
    /// It is too busy.
    Throttled,
}

#[derive(Debug, Clone)]
struct Moody {
    engine: Embedded,
    time: VirtualTime,
    mood: Arc<Mutex<Mood>>,
}

impl Target for Moody {
    fn call(&self, operation: Operation) -> Calling {
        let (this, mood) = (self.clone(), *self.mood.lock().unwrap());
        let is_write = operation.name() == "TransactWriteItems";
        Box::pin(async move {
            match mood {
                Mood::Silent => std::future::pending().await,
                Mood::SilentToWrites if is_write => std::future::pending().await,
                Mood::Contended if is_write => {
                    Err(CallError::from(Refusal::transaction_conflict(&request::json(&operation))))
                }
                Mood::Throttled => Err(CallError::from(Refusal::throttled())),
                Mood::Slow(delay) => {
                    this.time.wait(delay).await;
                    this.engine.call(operation).await
                }
                _ => this.engine.call(operation).await,
            }
        })
    }
}

/// The application with its real budget over an engine in memory, by virtual time.
pub fn place(time: &VirtualTime, mood: &Arc<Mutex<Mood>>) -> Workspace {
    let wall = Clock::of_system();
    let ticks = time.clone();
    let clock = Clock::of_system().with_ticks(move || ticks.now());
    let engine = Embedded::new(Engine::in_memory(move || wall.now()), BlockingPool::here());
    let line = Line::to(Moody { engine, time: time.clone(), mood: mood.clone() });
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

/// What stands in the table, by the names of the ids in the paths of routes.
pub struct Things {
    pub admin: Client,
    pub person: Client,
    ids: BTreeMap<&'static str, String>,
}

async fn made(client: &Client, path: &str, body: Value) -> Value {
    client.post(path).json(&body).send().await.expect(201).json()
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

/// A table with some of everything, and `leads` leads.
pub async fn things(workspace: &Workspace, leads: usize) -> Things {
    schema::create_table(&workspace.app.dynamo).await.unwrap();
    let admin = workspace.program(Role::Administrator).await;
    let person = workspace.session(Role::Administrator, "Ann").await.always("sec-fetch-site", "same-origin");
    let (count, mut leads) = (leads, Vec::new());
    for number in 0..count {
        let (name, email) = (format!("Lead {number}"), format!("lead{number}@example.com"));
        leads.push(made(&admin, "/api/leads", json!({ "name": name, "email": email, "state": "NY" })).await);
    }
    let cap = json!({ "state": "NY", "cap": 100, "version": 1 });
    admin.put("/api/leads/caps").json(&cap).send().await.expect(200);
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    let mut small = order.clone();
    small["quantityPerState"] = 2.into();
    let order_id = id(&made(&admin, "/api/orders", small).await);
    let raffle = json!({ "title": "Car", "prize": "A car", "tickets": 20, "limitPerPerson": 3 });
    let raffle = admin.post("/api/raffles").json(&raffle).send().await.expect(201).json();
    let rule = json!({ "name": "Welcome", "on": "lead.created", "command": "get_leads limit=1", "repeat": "always" });
    let rule = made(&admin, "/api/automation/rules", rule).await;
    let event = |message: &str, kind: &str, quantity: u32| {
        json!({ "schema": 1, "messageId": message, "sku": "A1", "kind": kind, "quantity": quantity,
            "occurredAt": "2026-11-22T00:00:00Z" })
    };
    let events = json!([event("m1", "RECEIPT", 5), event("m2", "SALE", 50)]);
    admin.post("/api/inventory/events").json(&events).send().await.expect(200);
    let parked = admin.get("/api/inventory/parked").send().await.expect(200).json::<Value>();
    let token = person.post("/api/tokens").json(&json!({ "name": "t" })).send().await.expect(201).json();
    let ids = BTreeMap::from([
        ("lead", id(&leads[count - 1])),
        ("order", order_id),
        ("raffle", id(&raffle)),
        ("rule", id(&rule)),
        ("parked", id(&parked["items"][0])),
        ("token", id(&token)),
        ("taken", id(&leads[0])),
    ]);
    Things { admin, person, ids }
}

/// A request: its method, path, the route, and the body.
pub type Asked = (Method, String, &'static str, Option<Value>);

/// A request to each route that writes, which would be done if the store were fine. Those that are missing here and are
/// not excused fail the case.
pub fn requests(things: &Things) -> Vec<Asked> {
    use http::Method as M;
    let id = |name: &str| things.ids[name].clone();
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    let mut few = order.clone();
    few["quantityPerState"] = 3.into();
    let lead = json!({ "name": "New", "email": "new@example.com" });
    let whole = json!({ "version": 1, "name": "A", "email": "put@example.com", "state": "NY", "leadScore": 1,
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
        api(M::PUT, format!("/api/leads/{}", id("lead")), "/api/leads/{id}", whole),
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
        api(M::POST, "/api/tokens".into(), "/api/tokens", json!({ "name": "u" })),
        (M::DELETE, format!("/api/tokens/{}", id("token")), "/api/tokens/{id}", None),
    ]
}

async fn send(things: &Things, (method, path, _, body): &(Method, String, &str, Option<Value>)) -> Response {
    // Tokens are made by people.
    let client = if path.starts_with("/api/tokens") { &things.person } else { &things.admin };
    let request = client.request(method.clone(), path);
    match body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

async fn every_write_is_answered_within_its_budget_whatever_the_store_does(_: TestEnvironment) {
    tokio::task::spawn_blocking(try_all).await.unwrap();
}

fn try_all() {
    for mood in [
        Mood::Slow(Duration::from_millis(2_900)),
        Mood::Slow(Duration::from_millis(700)),
        Mood::Silent,
        Mood::SilentToWrites,
        Mood::Contended,
        Mood::Throttled,
    ] {
        let (time, now) = (VirtualTime::default(), Arc::new(Mutex::new(Mood::Fine)));
        let workspace = place(&time, &now);
        let things = time.run(things(&workspace, 60));
        let requests = requests(&things);
        let missing = |method: &Method, path: &str| {
            !requests.iter().any(|(asked, _, route, _)| asked == method && *route == path)
        };
        for route in &workspace.routes {
            let is_write = route.method != Method::GET && route.path.starts_with("/api/");
            assert!(!is_write || !missing(&route.method, route.path), "{} {}", route.method, route.path);
        }
        let mut busy = 0;
        for asked in &requests {
            *now.lock().unwrap() = mood;
            let start = time.now();
            let answer = time.run(send(&things, asked));
            let (took, status) = (time.now() - start, answer.status.as_u16());
            *now.lock().unwrap() = Mood::Fine;
            let what = format!("{} {} in the mood {mood:?}: {status} after {took:?}", asked.0, asked.2);
            assert!(took <= BUDGET, "{what}");
            // A slow store still answers; what breaks a rule is refused after a read, and writes nothing.
            let reads_alone = [404, 409, 422].contains(&status) || asked.2 == "/api/inventory/parked/retry";
            let is_right = status == 503 || matches!(mood, Mood::Slow(_)) || reads_alone;
            assert!(is_right, "{what}: {}", answer.text());
            busy += usize::from(status == 503);
        }
        let least = match mood {
            Mood::Slow(_) => 0,
            Mood::Silent | Mood::Throttled => requests.len(),
            _ => requests.len() - 10,
        };
        assert!(busy >= least, "{mood:?}: only {busy} of {} were answered 503", requests.len());
    }
}
