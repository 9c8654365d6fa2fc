//! Failures between the application and a store: over HTTP with DynamoDB's exact answers, on the line as the
//! application sees them.
//!
//! No emulator throttles or answers TransactionConflict, so they are made here.

use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use holdfast::store::line::CallError;
use serde_json::{Value, json};

use super::gate::Gate;

/// A fault of one call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The store executes the call, and the connection breaks before the answer arrives.
    ReplyLost,
    /// The store executes the call, and the answer never arrives. Only a timeout ends the call.
    ReplyNeverComes,
    /// The store executes the call, and the answer is this status of 500 or above.
    StatusAfterCommit(u16),
    /// The store does not get the call: the connection is refused.
    ConnectionRefused,
    /// The store does not get the call, and no answer arrives. Only a timeout ends the call.
    Hang,
    /// The store does not execute the call and answers this status of 500 or above.
    Status(u16),
    /// 400 ThrottlingException, as an on-demand table sends it.
    Throttled,
    /// 400 ProvisionedThroughputExceededException.
    ThroughputExceeded,
    /// Another transaction has the item: a transaction is canceled because of its first action, and a single write
    /// answers TransactionConflictException.
    TransactionConflict,
    /// 400 TransactionInProgressException: a call with the same token is still running.
    TransactionInProgress,
    /// A canceled transaction with these reasons, in the order of its actions; the rest are `None`.
    Mixed(Vec<Reason>),
    /// 400 with the exception of this name, which retries do not help.
    Refused(&'static str),
    /// 200 with this body instead of the store's answer. Only over HTTP.
    Instead(Value),
    /// The call waits at the gate and reaches the store when the gate opens.
    Held(Gate),
    /// The store executes the call when the gate opens, even if the caller has given up. It is never answered.
    Late(Gate),
}

/// Why an action of a canceled transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It did not fail.
    None,
    /// Its condition did not hold.
    ConditionalCheckFailed,
    /// Another transaction or write has the item.
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
    /// The code in the answer.
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

    fn message(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            Self::ConditionalCheckFailed => "The conditional request failed",
            Self::TransactionConflict => ONGOING,
            Self::ProvisionedThroughputExceeded => PROVISIONED,
            Self::ThrottlingError => ON_DEMAND,
            Self::ValidationError => {
                "The provided expression refers to an attribute that does not exist in the item"
            }
        })
    }

    fn to_json(self) -> Value {
        match self.message() {
            Some(message) => json!({ "Code": self.code(), "Message": message }),
            None => json!({ "Code": self.code() }),
        }
    }

    fn to_reason(self) -> CancellationReason {
        let message = self.message().map(str::to_owned);
        CancellationReason::builder().code(self.code()).set_message(message).build()
    }
}

/// A refusal by DynamoDB.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: u16,
    namespace: &'static str,
    name: String,
    message: String,
    /// One reason for each action of a canceled transaction.
    reasons: Vec<Reason>,
}

const DYNAMODB: &str = "com.amazonaws.dynamodb.v20120810";

impl Refusal {
    fn new(name: &str, message: &str) -> Self {
        let (name, message) = (name.to_owned(), message.to_owned());
        Self { status: 400, namespace: DYNAMODB, name, message, reasons: Vec::new() }
    }

    /// The answer of `status` 500 or above.
    pub fn server_error(status: u16) -> Self {
        let refusal = match status {
            503 => Self::new("ServiceUnavailable", "The service is currently unavailable or busy."),
            _ => Self::new("InternalServerError", "Internal server error"),
        };
        Self { status, ..refusal }
    }

    /// ThrottlingException.
    pub fn throttled() -> Self {
        let namespace = "com.amazon.coral.availability";
        Self { namespace, ..Self::new("ThrottlingException", ON_DEMAND) }
    }

    /// ProvisionedThroughputExceededException.
    pub fn throughput_exceeded() -> Self {
        Self::new("ProvisionedThroughputExceededException", PROVISIONED)
    }

    /// TransactionInProgressException.
    pub fn transaction_in_progress() -> Self {
        let message = "The transaction with the given request token is already in progress.";
        Self::new("TransactionInProgressException", message)
    }

    /// The exception of this name.
    pub fn named(name: &str) -> Self {
        Self::new(name, "The wire says no.")
    }

    /// The answer to a call on an item that another transaction has.
    pub fn transaction_conflict(request: &Value) -> Self {
        if request.get("TransactItems").is_some() {
            return Self::transaction_canceled(request, &[Reason::TransactionConflict]);
        }
        Self::new("TransactionConflictException", ONGOING)
    }

    /// TransactionCanceledException with one reason for each action of `request`.
    pub fn transaction_canceled(request: &Value, reasons: &[Reason]) -> Self {
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
        Self { reasons, ..Self::new("TransactionCanceledException", &message) }
    }
}

/// In DynamoDB's format.
impl From<Refusal> for HttpResponse {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, namespace, name, message, reasons } = refusal;
        // These two errors capitalize the field's name.
        let key = match name.as_str() {
            "TransactionCanceledException" | "TransactionInProgressException" => "Message",
            _ => "message",
        };
        let mut body = json!({ "__type": format!("{namespace}#{name}"), key: message });
        if !reasons.is_empty() {
            body["CancellationReasons"] = reasons.into_iter().map(Reason::to_json).collect();
        }
        answer(status, &body)
    }
}

/// In the format of the line.
impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, name, message, reasons, .. } = refusal;
        let reasons = reasons.into_iter().map(Reason::to_reason).collect();
        Self::Service { code: name, message, is_server_fault: status >= 500, reasons }
    }
}

/// 200 with this body.
pub fn instead(body: &Value) -> HttpResponse {
    answer(200, body)
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a fault's status is an HTTP status");
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    let headers = response.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    headers.insert("x-amzn-requestid", "MADE0BY0THE0WIRE0UNDER0THE0STORIES");
    response
}
