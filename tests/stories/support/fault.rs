//! What can go wrong between the SDK and DynamoDB, with the answers exactly as DynamoDB writes them.
//!
//! No emulator throttles or answers TransactionConflict; here they are made to order.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::connector::Gate;

/// One thing that goes wrong with a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The store does it, and the connection breaks before the answer arrives.
    ReplyLost,
    /// The store does it, and the answer never arrives; only a timeout ends the call.
    ReplyNeverComes,
    /// The store does it, and the answer is this status, 500 or above.
    StatusAfterCommit(u16),
    /// The store does not see it: nobody listens.
    ConnectionRefused,
    /// The store does not see it: nothing is ever answered; only a timeout ends the call.
    Hang,
    /// The store does not do it and answers this status, 500 or above.
    Status(u16),
    /// 400 ThrottlingException, as an on-demand table sends it.
    Throttled,
    /// 400 ProvisionedThroughputExceededException.
    ThroughputExceeded,
    /// Another transaction has the item: a transaction is cancelled for its first action, a single
    /// write answers TransactionConflictException.
    TransactionConflict,
    /// 400 TransactionInProgressException: the same token is still being worked on.
    TransactionInProgress,
    /// A cancelled transaction with these reasons, in the order of its actions; the rest are `None`.
    Mixed(Vec<Reason>),
    /// 400 with the exception of this name, which no waiting mends.
    Refused(&'static str),
    /// 200 with this body, in the store's place.
    Instead(Value),
    /// The call waits at the gate and goes on to the store when the gate opens.
    Held(Gate),
}

/// Why an action of a cancelled transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It did not fail.
    None,
    /// Its condition did not hold.
    ConditionalCheckFailed,
    /// Another transaction or write has its item.
    TransactionConflict,
    /// The table's provisioned capacity is used up.
    ProvisionedThroughputExceeded,
    /// The table is scaling.
    ThrottlingError,
    /// The action cannot be applied to the item as it is.
    ValidationError,
}

const ON_DEMAND: &str = "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically \
     scaling your table or index so please try again shortly. If exceptions persist, check if you have a hot key.";
const PROVISIONED: &str = "The level of configured provisioned throughput for the table was exceeded. Consider \
     increasing your provisioning level with the UpdateTable API.";
const ONGOING: &str = "Transaction is ongoing for the item";

impl Reason {
    /// The code as it stands in the answer.
    pub fn code(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::ConditionalCheckFailed => "ConditionalCheckFailed",
            Self::TransactionConflict => "TransactionConflict",
            Self::ProvisionedThroughputExceeded => "ProvisionedThroughputExceeded",
            Self::ThrottlingError => "ThrottlingError",
            Self::ValidationError => "ValidationError",
        }
    }

    fn to_json(self) -> Value {
        let message = match self {
            Self::None => return json!({ "Code": self.code() }),
            Self::ConditionalCheckFailed => "The conditional request failed",
            Self::TransactionConflict => ONGOING,
            Self::ProvisionedThroughputExceeded => PROVISIONED,
            Self::ThrottlingError => ON_DEMAND,
            Self::ValidationError => {
                "The provided expression refers to an attribute that does not exist in the item"
            }
        };
        json!({ "Code": self.code(), "Message": message })
    }
}

/// The answer of `status` 500 or above.
pub fn server_error(status: u16) -> HttpResponse {
    let (name, message) = match status {
        503 => ("ServiceUnavailable", "The service is currently unavailable or busy."),
        _ => ("InternalServerError", "Internal server error"),
    };
    answer(status, &json!({ "__type": dynamodb(name), "message": message }))
}

/// ThrottlingException.
pub fn throttled() -> HttpResponse {
    let kind = "com.amazon.coral.availability#ThrottlingException";
    answer(400, &json!({ "__type": kind, "message": ON_DEMAND }))
}

/// ProvisionedThroughputExceededException.
pub fn throughput_exceeded() -> HttpResponse {
    let kind = dynamodb("ProvisionedThroughputExceededException");
    answer(400, &json!({ "__type": kind, "message": PROVISIONED }))
}

/// TransactionInProgressException.
pub fn transaction_in_progress() -> HttpResponse {
    let kind = dynamodb("TransactionInProgressException");
    let message = "The transaction with the given request token is already in progress.";
    answer(400, &json!({ "__type": kind, "Message": message }))
}

/// The exception of this name.
pub fn refused(name: &str) -> HttpResponse {
    answer(400, &json!({ "__type": dynamodb(name), "message": "The wire says no." }))
}

/// This body.
pub fn instead(body: &Value) -> HttpResponse {
    answer(200, body)
}

/// What a call whose item another transaction has is answered.
pub fn transaction_conflict(request: &Value) -> HttpResponse {
    if request.get("TransactItems").is_some() {
        return transaction_canceled(request, &[Reason::TransactionConflict]);
    }
    let kind = dynamodb("TransactionConflictException");
    answer(400, &json!({ "__type": kind, "message": ONGOING }))
}

/// TransactionCanceledException with one reason for each action of `request`.
pub fn transaction_canceled(request: &Value, reasons: &[Reason]) -> HttpResponse {
    let actions = request["TransactItems"].as_array().map_or(0, Vec::len);
    assert!(
        reasons.len() <= actions,
        "{} reasons were given for a transaction of {actions} actions",
        reasons.len()
    );
    let mut reasons = reasons.to_vec();
    reasons.resize(actions, Reason::None);
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code()).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let reasons: Vec<_> = reasons.into_iter().map(Reason::to_json).collect();
    let kind = dynamodb("TransactionCanceledException");
    answer(400, &json!({ "__type": kind, "CancellationReasons": reasons, "Message": message }))
}

fn dynamodb(name: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{name}")
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a fault's status is an HTTP status");
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    let headers = response.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    headers.insert("x-amzn-requestid", "MADE0BY0THE0WIRE0UNDER0THE0STORIES");
    response
}
