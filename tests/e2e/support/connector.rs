//! The wire to a store: it records every call and breaks those it is told to.
//!
//! To DynamoDB Local it lies below the real SDK, as its HTTP client, so that everything above is the product's own: the
//! SDK's signing and parsing, retries and deadlines. To the embedded engine it lies on the line, where calls have no
//! bytes; what is recorded of them is what the SDK would have sent.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use holdfast::store::Embedded;
use holdfast::store::line::{CallError, Calling, Operation, Reply, Target};
use serde_json::Value;
use tokio::sync::watch;

use super::fault::{self, Fault, Refusal};
use super::{request, wait};

/// One call of DynamoDB as it went over the wire; a retry is another call.
#[derive(Clone, Debug)]
pub struct Call {
    /// `TransactWriteItems`, from the header `x-amz-target`.
    pub operation: String,
    /// The request's body.
    pub request: Value,
    /// The header `x-amzn-trace-id`, if it has one.
    pub trace: Option<String>,
    /// Whether the engine has seen it.
    pub reached_store: bool,
    /// What the SDK was told.
    pub answer: Answer,
    number: u64,
}

impl Call {
    /// Whether it reads who sends a request, which a process does once in ten seconds.
    pub fn authenticates(&self) -> bool {
        let key = |name: &str| self.request["Key"][name]["S"].as_str().unwrap_or_default();
        self.operation == "GetItem" && matches!(key("sk"), "TOKEN" | "ACCOUNT")
    }

    /// The items that a `TransactWriteItems` touches, each as the JSON of its `key` attributes.
    pub fn items(&self, key: &[&str]) -> BTreeSet<String> {
        let actions = self.request["TransactItems"].as_array().map_or(&[][..], Vec::as_slice);
        let actions = actions.iter().filter_map(|action| action.as_object()?.values().next());
        let keys = actions.map(|action| {
            // A Put carries its key within the item, all others by itself.
            let item = action.get("Key").unwrap_or(&action["Item"]);
            let attributes: Vec<_> = key.iter().map(|&name| &item[name]).collect();
            serde_json::to_string(&attributes).expect("JSON can be written")
        });
        keys.collect()
    }
}

/// What the SDK was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet, or nothing ever.
    None,
    /// An HTTP status.
    Status(u16),
    /// That the connection failed.
    Broken,
}

#[derive(Debug)]
struct Rule {
    operation: String,
    fault: Fault,
    /// For how many more calls; `None` is for ever.
    left: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    sent: u64,
    scans: usize,
    /// Items that were put without the number of their form.
    unnumbered: usize,
}

/// The handle to a wire; clones share the record and the faults.
#[derive(Clone, Debug)]
pub struct Wire {
    inner: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// A wire in good order, with connections of its own.
    pub fn new() -> Self {
        Self { inner: aws_smithy_http_client::Builder::new().build_http(), state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every call since the last [`reset`](Self::reset), in the order they were sent.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The calls of one operation.
    pub fn calls_of(&self, operation: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.operation == operation);
        calls
    }

    /// How many calls of one operation were sent.
    pub fn count(&self, operation: &str) -> usize {
        self.calls_of(operation).len()
    }

    /// How many calls were sent.
    pub fn total(&self) -> usize {
        self.state().calls.len()
    }

    /// How many calls were sent besides those that read who sends a request.
    pub fn total_authenticated(&self) -> usize {
        self.state().calls.iter().filter(|call| !call.authenticates()).count()
    }

    /// Forgets the record and heals every fault. That a Scan was sent is never forgotten.
    pub fn reset(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.rules.clear();
    }

    /// How many Scans were ever sent.
    pub fn scans(&self) -> usize {
        self.state().scans
    }

    /// How many items were ever put without the number of their form.
    pub fn unnumbered(&self) -> usize {
        self.state().unnumbered
    }

    /// The next call of `operation` meets `fault`.
    pub fn next(&self, operation: &str, fault: Fault) {
        self.times(1, operation, fault);
    }

    /// The next `count` calls of `operation` meet `fault`, after those that earlier faults take.
    pub fn times(&self, count: usize, operation: &str, fault: Fault) {
        self.add(operation, fault, Some(count));
    }

    /// Every call of `operation` meets `fault` until [`reset`](Self::reset).
    pub fn always(&self, operation: &str, fault: Fault) {
        self.add(operation, fault, None);
    }

    /// The next `count` calls of `operation` wait until the gate opens; the store has not seen them.
    pub fn hold(&self, count: usize, operation: &str) -> Gate {
        let gate = Gate::new();
        self.times(count, operation, Fault::Held(gate.clone()));
        gate
    }

    /// The next call of `operation` reaches the store when the gate opens, and is never answered.
    pub fn delay(&self, operation: &str) -> Gate {
        let gate = Gate::new();
        self.next(operation, Fault::Late(gate.clone()));
        gate
    }

    fn add(&self, operation: &str, fault: Fault, left: Option<usize>) {
        let operation = operation.to_owned();
        self.state().rules.push(Rule { operation, fault, left });
    }

    /// The engine behind this wire.
    pub fn before(&self, engine: Embedded) -> Watched {
        Watched { wire: self.clone(), engine }
    }

    /// Carries a request to the store, to which `forward` brings it, unless it meets a fault on its way.
    pub fn carry<F>(
        &self,
        request: HttpRequest,
        forward: impl FnOnce(HttpRequest) -> F + Send + 'static,
    ) -> impl Future<Output = Outcome> + Send + 'static
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let trace = request.headers().get("x-amzn-trace-id").map(str::to_owned);
        self.bring(operation, body, trace, move || forward(request))
    }

    /// Lets a call meet what it is to meet, and records what came of it.
    fn bring<O: Answered + 'static, F>(
        &self,
        operation: String,
        body: Value,
        trace: Option<String>,
        forward: impl FnOnce() -> F + Send + 'static,
    ) -> impl Future<Output = O> + Send + 'static
    where
        F: Future<Output = O> + Send + 'static,
    {
        // The call counts as sent from now on, not only when its answer is waited for.
        let (sending, fault) = self.send(operation, body.clone(), trace);
        async move {
            if let Some(Fault::Late(gate)) = fault {
                tokio::spawn(async move {
                    gate.pass().await;
                    sending.note(|call| call.reached_store = true);
                    let outcome = forward().await;
                    sending.note(|call| call.answer = outcome.answer());
                });
                return std::future::pending().await;
            }
            let forward = async || {
                sending.note(|call| call.reached_store = true);
                forward().await
            };
            let outcome = match fault {
                None => forward().await,
                Some(fault) => meet(fault, &body, forward).await,
            };
            sending.note(|call| call.answer = outcome.answer());
            outcome
        }
    }

    /// Records a call as it is sent and decides what it meets.
    fn send(&self, operation: String, request: Value, trace: Option<String>) -> (Sending, Option<Fault>) {
        let mut state = self.state();
        state.scans += usize::from(operation == "Scan");
        state.unnumbered += unnumbered(&request);
        state.sent += 1;
        let number = state.sent;
        let fault = state.take_fault(&operation);
        let (reached_store, answer) = (false, Answer::None);
        state.calls.push(Call { operation, request, trace, reached_store, answer, number });
        drop(state);
        (Sending { wire: self.clone(), number }, fault)
    }
}

/// How many items a transaction puts that do not say in which form they are.
fn unnumbered(request: &Value) -> usize {
    let actions = request["TransactItems"].as_array().map_or(&[][..], Vec::as_slice);
    let puts = actions.iter().filter_map(|action| action.get("Put"));
    // What has another key than ours is none of the product's.
    let ours = puts.filter(|put| put["Item"]["sk"].is_object());
    ours.filter(|put| put["Item"]["schema"]["N"] != "2").count()
}

impl State {
    fn take_fault(&mut self, operation: &str) -> Option<Fault> {
        let matching = |rule: &Rule| rule.operation == operation && rule.left != Some(0);
        let rule = self.rules.iter_mut().find(|rule| matching(rule))?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        Some(rule.fault.clone())
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connection {
            wire: self.clone(),
            inner: self.inner.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Connection {
    wire: Wire,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (wire, inner) = (self.wire.clone(), self.inner.clone());
        HttpConnectorFuture::new(wire.carry(request, move |request| inner.call(request)))
    }
}

/// The embedded engine with a wire on the line before it.
#[derive(Debug)]
pub struct Watched {
    wire: Wire,
    engine: Embedded,
}

impl Target for Watched {
    fn conflicts(&self) -> bool {
        self.engine.conflicts()
    }

    fn call(&self, operation: Operation) -> Calling {
        let (name, body) = (operation.name().to_owned(), request::json(&operation));
        let engine = self.engine.clone();
        Box::pin(self.wire.bring(name, body, None, move || engine.call(operation)))
    }
}

/// What came of a request.
pub type Outcome = Result<HttpResponse, ConnectorError>;

/// What comes of a call, over HTTP or on the line.
trait Answered: Send {
    /// The connection broke after the request had left.
    fn broken() -> Self;
    /// Nobody listens.
    fn unreachable() -> Self;
    fn refused(refusal: Refusal) -> Self;
    /// The store's answer is replaced by this one.
    fn instead(body: &Value) -> Self;
    /// As it is recorded.
    fn answer(&self) -> Answer;
    fn is_broken(&self) -> bool {
        self.answer() == Answer::Broken
    }
}

const CLOSED: &str = "connection closed before message completed";
const NOBODY: &str = "connection refused";

impl Answered for Outcome {
    fn broken() -> Self {
        Err(ConnectorError::io(std::io::Error::other(CLOSED).into()))
    }

    fn unreachable() -> Self {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, NOBODY);
        Err(ConnectorError::io(refused.into()).never_connected())
    }

    fn refused(refusal: Refusal) -> Self {
        Ok(refusal.into())
    }

    fn instead(body: &Value) -> Self {
        Ok(fault::instead(body))
    }

    fn answer(&self) -> Answer {
        match self {
            Ok(response) => Answer::Status(response.status().as_u16()),
            Err(_) => Answer::Broken,
        }
    }
}

impl Answered for Result<Reply, CallError> {
    fn broken() -> Self {
        Err(CallError::NoAnswer(CLOSED.to_owned()))
    }

    fn unreachable() -> Self {
        Err(CallError::NotSent { cause: NOBODY.to_owned(), may_pass: true })
    }

    fn refused(refusal: Refusal) -> Self {
        Err(refusal.into())
    }

    fn instead(_: &Value) -> Self {
        panic!("on the line no bytes can stand for an answer: tell this case on DynamoDB Local")
    }

    fn answer(&self) -> Answer {
        match self {
            Ok(_) => Answer::Status(200),
            Err(CallError::Service { is_server_fault: false, .. }) => Answer::Status(400),
            Err(CallError::Service { .. }) => Answer::Status(500),
            Err(CallError::NoAnswer(_) | CallError::NotSent { .. }) => Answer::Broken,
        }
    }
}

/// Lets the call meet `fault`; `forward` brings it to the store.
async fn meet<O: Answered>(fault: Fault, body: &Value, forward: impl AsyncFnOnce() -> O) -> O {
    match fault {
        Fault::ReplyLost => after(forward().await, O::broken),
        Fault::ReplyNeverComes => {
            let reply = forward().await;
            if reply.is_broken() { reply } else { std::future::pending().await }
        }
        Fault::StatusAfterCommit(status) => {
            after(forward().await, || O::refused(Refusal::server_error(status)))
        }
        Fault::ConnectionRefused => O::unreachable(),
        Fault::Status(status) => O::refused(Refusal::server_error(status)),
        Fault::Throttled => O::refused(Refusal::throttled()),
        Fault::ThroughputExceeded => O::refused(Refusal::throughput_exceeded()),
        Fault::TransactionConflict => O::refused(Refusal::transaction_conflict(body)),
        Fault::TransactionInProgress => O::refused(Refusal::transaction_in_progress()),
        Fault::Mixed(reasons) => O::refused(Refusal::transaction_canceled(body, &reasons)),
        Fault::Refused(name) => O::refused(Refusal::named(name)),
        Fault::Instead(body) => O::instead(&body),
        Fault::Hang | Fault::Late(_) => std::future::pending().await,
        Fault::Held(gate) => {
            gate.pass().await;
            forward().await
        }
    }
}

/// What takes the place of a reply; one that could not be had stays as it is.
fn after<O: Answered>(reply: O, instead: impl FnOnce() -> O) -> O {
    if reply.is_broken() { reply } else { instead() }
}

/// A call on its way, by which its place in the record is found.
struct Sending {
    wire: Wire,
    number: u64,
}

impl Sending {
    fn note(&self, change: impl FnOnce(&mut Call)) {
        let mut state = self.wire.state();
        // The record may have been reset while the call was on its way.
        if let Some(call) = state.calls.iter_mut().find(|call| call.number == self.number) {
            change(call);
        }
    }
}

/// A gate that calls wait at, so that a race happens the same way every time.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    arrived: usize,
    open: bool,
}

impl Gate {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Waiting::default())))
    }

    /// Waits until `count` calls have come to the gate; panics if they do not.
    pub async fn arrived(&self, count: usize) {
        let mut waiting = self.0.subscribe();
        let come = waiting.wait_for(|waiting| waiting.arrived >= count);
        let come = tokio::time::timeout(wait::PATIENCE, come).await.is_ok();
        let arrived = self.0.borrow().arrived;
        assert!(come, "{arrived} of {count} calls came to the gate");
    }

    /// Lets everything through, now and later.
    pub fn open(&self) {
        self.0.send_modify(|waiting| waiting.open = true);
    }

    async fn pass(&self) {
        let mut waiting = self.0.subscribe();
        self.0.send_modify(|waiting| waiting.arrived += 1);
        // The sender is held by this very gate, so waiting cannot fail.
        let _ = waiting.wait_for(|waiting| waiting.open).await;
    }
}
