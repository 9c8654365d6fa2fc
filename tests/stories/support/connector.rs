//! The wire between the real SDK and an engine: it records every call and breaks those it is told to.
//!
//! Everything above it is the product's own: the SDK's signing, parsing, retries and timeouts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;
use tokio::sync::watch;

use super::fault::{self, Fault};
use super::wait;

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

    fn add(&self, operation: &str, fault: Fault, left: Option<usize>) {
        let operation = operation.to_owned();
        self.state().rules.push(Rule { operation, fault, left });
    }

    /// Carries a call to the store, to which `forward` brings it, unless it meets a fault on its way.
    pub fn carry<F>(
        &self,
        request: HttpRequest,
        forward: impl FnOnce(HttpRequest) -> F + Send + 'static,
    ) -> impl Future<Output = Outcome> + Send + 'static
    where
        F: Future<Output = Outcome> + Send,
    {
        // The call counts as sent from now on, not only when its answer is waited for.
        let (sending, body, fault) = self.send(&request);
        async move {
            let forward = async || {
                sending.note(|call| call.reached_store = true);
                forward(request).await
            };
            let outcome = match fault {
                None => forward().await,
                Some(fault) => meet(fault, &body, forward).await,
            };
            sending.note(|call| {
                call.answer = match &outcome {
                    Ok(response) => Answer::Status(response.status().as_u16()),
                    Err(_) => Answer::Broken,
                }
            });
            outcome
        }
    }

    /// Records a call as it is sent and decides what it meets.
    fn send(&self, request: &HttpRequest) -> (Sending, Value, Option<Fault>) {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut state = self.state();
        state.scans += usize::from(operation == "Scan");
        state.unnumbered += unnumbered(&body);
        state.sent += 1;
        let number = state.sent;
        let fault = state.take_fault(&operation);
        state.calls.push(Call {
            operation,
            request: body.clone(),
            trace: request.headers().get("x-amzn-trace-id").map(str::to_owned),
            reached_store: false,
            answer: Answer::None,
            number,
        });
        drop(state);
        let wire = self.clone();
        (Sending { wire, number }, body, fault)
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

/// What came of a call.
pub type Outcome = Result<HttpResponse, ConnectorError>;

/// Lets the call meet `fault`; `forward` brings it to the store.
async fn meet(fault: Fault, body: &Value, forward: impl AsyncFnOnce() -> Outcome) -> Outcome {
    match fault {
        Fault::ReplyLost => {
            forward().await?;
            Err(broken("connection closed before message completed"))
        }
        Fault::ReplyNeverComes => {
            forward().await?;
            std::future::pending().await
        }
        Fault::StatusAfterCommit(status) => {
            forward().await?;
            Ok(fault::server_error(status))
        }
        Fault::ConnectionRefused => Err(broken("connection refused").never_connected()),
        Fault::Hang => std::future::pending().await,
        Fault::Status(status) => Ok(fault::server_error(status)),
        Fault::Throttled => Ok(fault::throttled()),
        Fault::ThroughputExceeded => Ok(fault::throughput_exceeded()),
        Fault::TransactionConflict => Ok(fault::transaction_conflict(body)),
        Fault::TransactionInProgress => Ok(fault::transaction_in_progress()),
        Fault::Mixed(reasons) => Ok(fault::transaction_canceled(body, &reasons)),
        Fault::Refused(name) => Ok(fault::refused(name)),
        Fault::Instead(body) => Ok(fault::instead(&body)),
        Fault::Held(gate) => {
            gate.pass().await;
            forward().await
        }
    }
}

fn broken(why: &str) -> ConnectorError {
    ConnectorError::io(std::io::Error::other(why.to_owned()).into())
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
