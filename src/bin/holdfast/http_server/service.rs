//! Handles one request: its deadline, the load limit, and an unread body.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use holdfast::web::client::PeerAddress;
use holdfast::web::problem::{NOT_CONFIRMED, OUTCOME_UNKNOWN, how_to_repeat};
use holdfast::web::request::has_idempotency_key;
use holdfast::web::routes::Overloaded;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;
use tower::Service as _;

use super::body::{BodyOutcome, RequestBody};
use super::connection::Connection;
use super::limits::Limits;
use super::load::{Load, Running};
use super::{Shared, problem};

/// How many bytes of an unread body are read, and for how long, so that its connection can be reused.
const DRAIN_BYTES: u64 = 256 * 1024;
const DRAIN: Duration = Duration::from_secs(1);

/// The service of one connection.
#[derive(Clone)]
pub struct Service {
    router: Router,
    limits: Limits,
    load: Arc<Load>,
    connection: Arc<Connection>,
    peer: Option<PeerAddress>,
}

/// Ends a request, even if its client goes away.
struct EndOnDrop(Arc<Running>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Service {
    pub fn new(shared: &Shared, connection: Arc<Connection>, peer: Option<PeerAddress>) -> Self {
        Self {
            router: shared.router.clone(),
            limits: shared.limits,
            load: Arc::clone(&shared.load),
            connection,
            peer,
        }
    }

    pub async fn answer(mut self, request: Request<Incoming>) -> Result<Response, Infallible> {
        let running = Running::begin(&self.load, &self.connection);
        let end = EndOnDrop(Arc::clone(&running));
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let has_key = has_idempotency_key(request.uri(), request.headers());
        let expects_continue = request.headers().contains_key(header::EXPECT);
        let (mut parts, incoming) = request.into_parts();
        if let Some(peer) = self.peer {
            parts.extensions.insert(peer);
        }
        if running.is_rejected() {
            parts.extensions.insert(Overloaded);
        }
        let (body, outcome) = RequestBody::new(incoming, self.limits.body, running);
        let request = Request::from_parts(parts, Body::new(body));
        let answer = timeout(self.limits.request, self.router.call(request)).await;
        let mut response = match answer {
            _ if outcome.is_late() => too_slow(),
            Ok(Ok(response)) => response,
            Err(_) if outcome.is_waiting() => too_slow(),
            Err(_) => cut_off(is_safe, has_key),
        };
        drop(end);
        self.connection.set_waits_for_body(true);
        if !finish_body(&outcome, expects_continue).await {
            self.connection.linger();
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.connection.end_request();
        Ok(response)
    }
}

/// Returns whether the body is fully read. Reads a small rest now, so that the next request can follow it.
async fn finish_body(outcome: &BodyOutcome, expects_continue: bool) -> bool {
    let Some(rest) = outcome.take_rest() else { return true };
    // The client waits for us before it sends such a body. Reading it would ask for it.
    if outcome.is_late() || (expects_continue && !outcome.is_asked_for()) {
        return false;
    }
    if rest.size_hint().lower() > DRAIN_BYTES {
        return false;
    }
    timeout(DRAIN, drain(rest)).await.unwrap_or(false)
}

/// Reads the rest of a body. Returns whether that was all of it.
async fn drain(mut rest: Incoming) -> bool {
    let mut budget = DRAIN_BYTES;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {
        let Ok(frame) = frame else { return false };
        let bytes = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        let Some(remaining) = budget.checked_sub(bytes) else { return false };
        budget = remaining;
    }
    true
}

fn too_slow() -> Response {
    problem(
        StatusCode::REQUEST_TIMEOUT,
        "too-slow",
        "The request was too slow",
        "Its body didn't arrive in time. Send it again.",
    )
}

/// The response to a request that took too long. A write with an idempotency key is safe to repeat.
fn cut_off(is_safe: bool, has_key: bool) -> Response {
    if is_safe {
        let detail = "The answer wasn't ready in time. Try again in a moment.";
        let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy right now", detail);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        return response;
    }
    let words = "The answer wasn't ready in time, so the change may have been saved.";
    let detail = format!("{words} {}", how_to_repeat(has_key));
    problem(StatusCode::GATEWAY_TIMEOUT, OUTCOME_UNKNOWN, NOT_CONFIRMED, &detail)
}
