//! The outcome of a call to a store, over HTTP or on the line, and how a fault changes it.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use holdfast::store::line::{CallError, Reply};
use serde_json::Value;

use super::fault::{self, Fault, Refusal};

/// The answer that the SDK got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// None so far.
    None,
    /// An HTTP status.
    Status(u16),
    /// The connection failed.
    Broken,
}

/// The result of a request.
pub type Outcome = Result<HttpResponse, ConnectorError>;

/// The result of a call, over HTTP or on the line.
pub trait CallResult: Send {
    /// The connection broke after the request was sent.
    fn broken() -> Self;
    /// The server refuses connections.
    fn unreachable() -> Self;
    fn refused(refusal: Refusal) -> Self;
    /// The store's answer is replaced by this one.
    fn instead(body: &Value) -> Self;
    /// The answer as it is recorded.
    fn answer(&self) -> Answer;
    fn is_broken(&self) -> bool {
        self.answer() == Answer::Broken
    }
}

const CLOSED: &str = "connection closed before message completed";
const REFUSED: &str = "connection refused";

impl CallResult for Outcome {
    fn broken() -> Self {
        Err(ConnectorError::io(std::io::Error::other(CLOSED).into()))
    }

    fn unreachable() -> Self {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, REFUSED);
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

impl CallResult for Result<Reply, CallError> {
    fn broken() -> Self {
        Err(CallError::NoAnswer(CLOSED.to_owned()))
    }

    fn unreachable() -> Self {
        Err(CallError::NotSent { cause: REFUSED.to_owned(), may_pass: true })
    }

    fn refused(refusal: Refusal) -> Self {
        Err(refusal.into())
    }

    fn instead(_: &Value) -> Self {
        panic!("the line has no bytes to replace: run this case on DynamoDB Local")
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

/// Applies `fault` to a call; `forward` sends it to the store.
pub async fn apply_fault<O: CallResult>(fault: Fault, body: &Value, forward: impl AsyncFnOnce() -> O) -> O {
    match fault {
        Fault::ReplyLost => replace_reply(forward().await, O::broken),
        Fault::ReplyNeverComes => {
            let reply = forward().await;
            if reply.is_broken() { reply } else { std::future::pending().await }
        }
        Fault::StatusAfterCommit(status) => {
            replace_reply(forward().await, || O::refused(Refusal::server_error(status)))
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

/// Replaces a reply. A failed call stays failed.
fn replace_reply<O: CallResult>(reply: O, instead: impl FnOnce() -> O) -> O {
    if reply.is_broken() { reply } else { instead() }
}
