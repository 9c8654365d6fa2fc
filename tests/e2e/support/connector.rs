//! The wire to a store: it records every call and injects faults.
//!
//! For DynamoDB Local it is the HTTP client below the real SDK, so signing, parsing, retries and deadlines are the
//! SDK's own. For the embedded engine it is a target of the line, where calls have no bytes; it records what the
//! SDK would send.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use holdfast::store::Embedded;
use holdfast::store::line::{Calling, Operation, Target};
use serde_json::Value;

use super::fault::Fault;
use super::gate::Gate;
use super::outcome::{Answer, CallResult, Outcome, apply_fault};
use super::request;

/// One call of DynamoDB as it went over the wire. A retry is another call.
#[derive(Clone, Debug)]
pub struct Call {
    /// `TransactWriteItems`, from the header `x-amz-target`.
    pub operation: String,
    /// The request's body.
    pub request: Value,
    /// The header `x-amzn-trace-id`, if it has one.
    pub trace: Option<String>,
    /// Whether the engine got it.
    pub reached_store: bool,
    /// The answer that the SDK got.
    pub answer: Answer,
    number: u64,
}

impl Call {
    /// Whether it authenticates a request, which a process does at most once in ten seconds: it reads a token, its
    /// account, or a session with its account.
    pub fn authenticates(&self) -> bool {
        match self.operation.as_str() {
            "GetItem" => matches!(self.request["Key"]["sk"]["S"].as_str(), Some("TOKEN" | "ACCOUNT")),
            "BatchGetItem" => self.request.to_string().contains("\"SESSION#"),
            _ => false,
        }
    }

    /// The items that a `TransactWriteItems` touches, each as the JSON of its `key` attributes.
    pub fn items(&self, key: &[&str]) -> BTreeSet<String> {
        let actions = self.request["TransactItems"].as_array().map_or(&[][..], Vec::as_slice);
        let actions = actions.iter().filter_map(|action| action.as_object()?.values().next());
        let keys = actions.map(|action| {
            // A Put has its key within the item; all other actions have a `Key`.
            let item = action.get("Key").unwrap_or(&action["Item"]);
            let attributes: Vec<_> = key.iter().map(|&name| &item[name]).collect();
            serde_json::to_string(&attributes).expect("JSON can be written")
        });
        keys.collect()
    }
}

#[derive(Debug)]
struct Rule {
    operation: String,
    fault: Fault,
    /// The number of further calls; `None` means no limit.
    left: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    sent: u64,
    scans: usize,
    /// Items that were put without their schema version.
    without_schema: usize,
}

/// A handle to a wire. Clones share the record and the faults.
#[derive(Clone, Debug)]
pub struct Wire {
    inner: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// A wire without faults, with its own connections.
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

    /// The number of calls of one operation.
    pub fn count(&self, operation: &str) -> usize {
        self.calls_of(operation).len()
    }

    /// The number of calls.
    pub fn total(&self) -> usize {
        self.state().calls.len()
    }

    /// The number of calls without those that authenticate requests.
    pub fn total_authenticated(&self) -> usize {
        self.state().calls.iter().filter(|call| !call.authenticates()).count()
    }

    /// Clears the record and all faults. The count of Scans is kept.
    pub fn reset(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.rules.clear();
    }

    /// The number of Scans ever sent.
    pub fn scans(&self) -> usize {
        self.state().scans
    }

    /// The number of items ever put without their schema version.
    pub fn without_schema(&self) -> usize {
        self.state().without_schema
    }

    /// Injects `fault` into the next call of `operation`.
    pub fn next(&self, operation: &str, fault: Fault) {
        self.times(1, operation, fault);
    }

    /// Injects `fault` into the next `count` calls of `operation`, after those that earlier faults affect.
    pub fn times(&self, count: usize, operation: &str, fault: Fault) {
        self.add(operation, fault, Some(count));
    }

    /// Injects `fault` into every call of `operation` until [`reset`](Self::reset).
    pub fn always(&self, operation: &str, fault: Fault) {
        self.add(operation, fault, None);
    }

    /// Holds the next `count` calls of `operation` before the store until the gate opens.
    pub fn hold(&self, count: usize, operation: &str) -> Gate {
        let gate = Gate::new();
        self.times(count, operation, Fault::Held(gate.clone()));
        gate
    }

    /// Sends the next call of `operation` to the store when the gate opens, and never answers it.
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

    /// Sends a request to the store with `forward`, unless a fault applies to it.
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
        self.dispatch(operation, body, trace, move || forward(request))
    }

    /// Applies the fault of a call, if it has one, and records the answer.
    fn dispatch<O: CallResult + 'static, F>(
        &self,
        operation: String,
        body: Value,
        trace: Option<String>,
        forward: impl FnOnce() -> F + Send + 'static,
    ) -> impl Future<Output = O> + Send + 'static
    where
        F: Future<Output = O> + Send + 'static,
    {
        // The call counts as sent now, not only when its answer is awaited.
        let (sent_call, fault) = self.send(operation, body.clone(), trace);
        async move {
            if let Some(Fault::Late(gate)) = fault {
                tokio::spawn(async move {
                    gate.pass().await;
                    sent_call.note(|call| call.reached_store = true);
                    let outcome = forward().await;
                    sent_call.note(|call| call.answer = outcome.answer());
                });
                return std::future::pending().await;
            }
            let forward = async || {
                sent_call.note(|call| call.reached_store = true);
                forward().await
            };
            let outcome = match fault {
                None => forward().await,
                Some(fault) => apply_fault(fault, &body, forward).await,
            };
            sent_call.note(|call| call.answer = outcome.answer());
            outcome
        }
    }

    /// Records a call as it is sent and returns its fault.
    fn send(&self, operation: String, request: Value, trace: Option<String>) -> (SentCall, Option<Fault>) {
        let mut state = self.state();
        state.scans += usize::from(operation == "Scan");
        state.without_schema += without_schema(&request);
        state.sent += 1;
        let number = state.sent;
        let fault = state.take_fault(&operation);
        let (reached_store, answer) = (false, Answer::None);
        state.calls.push(Call { operation, request, trace, reached_store, answer, number });
        drop(state);
        (SentCall { wire: self.clone(), number }, fault)
    }
}

/// The number of items that a transaction puts without their schema version.
fn without_schema(request: &Value) -> usize {
    let actions = request["TransactItems"].as_array().map_or(&[][..], Vec::as_slice);
    let puts = actions.iter().filter_map(|action| action.get("Put"));
    // An item with other key attributes does not belong to the product.
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

/// The embedded engine behind a wire.
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
        Box::pin(self.wire.dispatch(name, body, None, move || engine.call(operation)))
    }
}

/// A sent call, which can be found in the record by its number.
struct SentCall {
    wire: Wire,
    number: u64,
}

impl SentCall {
    fn note(&self, change: impl FnOnce(&mut Call)) {
        let mut state = self.wire.state();
        // The record may have been reset since the call was sent.
        if let Some(call) = state.calls.iter_mut().find(|call| call.number == self.number) {
            change(call);
        }
    }
}
