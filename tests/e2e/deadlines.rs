//! One request, one deadline: every kind of write is answered in time, even if the store does not answer, and the
//! outcome of a form is known. The time is virtual, so that the cases can use the real budget of 20 s.

mod api;
mod page_accounts;
mod pages;
mod records;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast::accounts::cookies::CookiePolicy;
use holdfast::accounts::data_keys::{DataKey, DataKeys};
use holdfast::accounts::keys::{CookieKeys, KeyRing, SecretKey as _, cookie_key};
use holdfast::accounts::sign_up::SignUp;
use holdfast::app::{App, Platform, build_router};
use holdfast::base::blocking::BlockingPool;
use holdfast::base::clock::Clock;
use holdfast::base::rng::Rng;
use holdfast::base::telemetry::Telemetry;
use holdfast::engine::Engine;
use holdfast::store::line::{CallError, Calling, Line, Operation, Target};
use holdfast::store::{Embedded, RetryPolicy};
use serde_json::Value;

pub use self::api::{TestRequest, requests};
use self::pages::{Form, WITHOUT_A_FORM, WITHOUT_A_WRITE};
pub use self::records::{Records, prepare};
use crate::support::fault::Refusal;
use crate::support::http::Response;
use crate::support::virtual_time::VirtualTime;
use crate::support::workspace::{COOKIE_SECRET, DATA_SECRET, Workspace};
use crate::support::{Case, Entry, TestEnvironment, cases, request};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: every_write_is_answered_within_its_budget_on_any_store_failure,
            the_outcome_of_every_form_is_known_as_long_as_the_store_takes_fences
    ]
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
    /// It never answers a write, except a fence.
    TakesOnlyFences,
    /// It refuses a write without a record, which could not be fenced.
    RequiresRecords,
}

/// The items that a transaction puts.
fn items_put(operation: &Operation) -> Vec<Value> {
    let request = request::json(operation);
    let actions = request["TransactItems"].as_array().map_or(&[][..], Vec::as_slice);
    actions.iter().map(|action| action["Put"]["Item"].clone()).collect()
}

fn is_fence(operation: &Operation) -> bool {
    items_put(operation).iter().any(|item| item["abandoned"].is_object())
}

fn has_record(operation: &Operation) -> bool {
    let is_record = |item: &Value| item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("LEDGER#"));
    items_put(operation).iter().any(is_record)
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
                StoreBehavior::TakesOnlyFences if is_write && !is_fence(&operation) => {
                    std::future::pending().await
                }
                StoreBehavior::RequiresRecords if is_write && !has_record(&operation) => {
                    Err(CallError::from(Refusal::named("ValidationException")))
                }
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
    let data_keys = DataKeys::fixed(KeyRing::of(DataKey::from_secret(DATA_SECRET).unwrap(), None));
    let app = App::on(platform, "holdfast", cookies, SignUp::Open);
    let app = App { data_keys: Some(data_keys), ..app };
    let (router, routes) = build_router(app.clone());
    Workspace { app, router, routes, entry: Entry::Router }
}

/// A workspace whose store changes its behavior for single requests.
struct Scene {
    time: VirtualTime,
    behavior: Arc<Mutex<StoreBehavior>>,
    workspace: Workspace,
    records: Records,
    forms: Vec<Form>,
}

impl Scene {
    fn open(leads: usize) -> Self {
        let (time, behavior) = (VirtualTime::default(), Arc::new(Mutex::new(StoreBehavior::Fine)));
        let workspace = workspace_over(&time, &behavior);
        let records = time.run(prepare(&workspace, leads));
        let forms = time.run(pages::forms(&workspace, &records));
        Self { time, behavior, workspace, records, forms }
    }

    /// Sends a request while the store behaves like this. Returns the answer and the time that it took.
    fn send(&self, behavior: StoreBehavior, request: impl Future<Output = Response>) -> (Response, Duration) {
        *self.behavior.lock().unwrap() = behavior;
        let start = self.time.now();
        let answer = self.time.run(request);
        *self.behavior.lock().unwrap() = StoreBehavior::Fine;
        (answer, self.time.now() - start)
    }

    /// Fails if a route that writes has no request.
    fn assert_complete(&self, requests: &[TestRequest]) {
        for route in self.workspace.routes.iter().filter(|route| !route.method.is_safe()) {
            let by_api =
                requests.iter().any(|(method, _, path, _)| *method == route.method && *path == route.path);
            let by_form =
                self.forms.iter().any(|form| form.method() == route.method && form.route == route.path);
            let is_exception = WITHOUT_A_FORM.iter().any(|(path, _)| *path == route.path);
            assert!(by_api || by_form || is_exception, "{} {}", route.method, route.path);
        }
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
        let scene = Scene::open(60);
        let requests = requests(&scene.records);
        scene.assert_complete(&requests);
        let mut busy = 0;
        for test_request in &requests {
            let (answer, took) = scene.send(behavior, api::send(&scene.records, test_request));
            let what = format!("{} {}", test_request.0, test_request.2);
            // A change that breaks a rule is refused after a read and writes nothing.
            let reads_alone = [404, 409, 422].contains(&answer.status.as_u16())
                || test_request.2 == "/api/inventory/parked/retry";
            busy += usize::from(assert_in_time(&what, behavior, &answer, took, reads_alone));
        }
        for form in &scene.forms {
            let (answer, took) = scene.send(behavior, form.send());
            let what = format!("{} {}", form.method(), form.route);
            let reads_alone = WITHOUT_A_WRITE.iter().any(|(path, _)| *path == form.route);
            busy += usize::from(assert_in_time(&what, behavior, &answer, took, reads_alone));
        }
        let all = requests.len() + scene.forms.len();
        let least = match behavior {
            StoreBehavior::Slow(_) => 0,
            // The theme is in a cookie.
            StoreBehavior::Silent | StoreBehavior::Throttled => all - 1,
            _ => all - 12,
        };
        assert!(busy >= least, "{behavior:?}: only {busy} of {all} were answered 503");
    }
}

/// Fails if an answer is late, or wrong for a store that does not work. Returns whether it is 503.
fn assert_in_time(
    what: &str,
    behavior: StoreBehavior,
    answer: &Response,
    took: Duration,
    reads_alone: bool,
) -> bool {
    let status = answer.status.as_u16();
    let what = format!("{what} with the store {behavior:?}: {status} after {took:?}");
    assert!(took <= BUDGET, "{what}");
    // A slow store still answers.
    let is_right = status == 503 || matches!(behavior, StoreBehavior::Slow(_)) || reads_alone;
    assert!(is_right, "{what}: {}", shown(answer));
    status == 503
}

async fn the_outcome_of_every_form_is_known_as_long_as_the_store_takes_fences(_: TestEnvironment) {
    tokio::task::spawn_blocking(fence_all).await.unwrap();
}

fn fence_all() {
    let scene = Scene::open(5);
    scene.assert_complete(&requests(&scene.records));
    let mut wrong = Vec::new();
    for form in &scene.forms {
        let what = format!("{} {}", form.method(), form.route);
        let (answer, _) = scene.send(StoreBehavior::TakesOnlyFences, form.send());
        let text = answer.text();
        let is_known = text.contains("Nothing was saved") || text.contains("No order was created");
        let writes = !WITHOUT_A_WRITE.iter().any(|(path, _)| *path == form.route);
        if writes && !(answer.status == 503 && is_known) {
            wrong.push(format!("{what} without an answer of the store: {}", shown(&answer)));
        }
        // Nothing was saved, so the same form succeeds now. Its later writes can be fenced too.
        let (answer, _) = scene.send(StoreBehavior::RequiresRecords, form.send());
        if !answer.status.is_success() && !answer.status.is_redirection() {
            wrong.push(format!("{what} with records: {}", shown(&answer)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The status of an answer, and the text of its page without the markup.
fn shown(answer: &Response) -> String {
    let (_, content) = answer.text().split_once("<main").unwrap_or(("", answer.text()));
    let texts = content.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim());
    let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).take(30).collect();
    format!("{}: {}", answer.status, texts.join(" "))
}
