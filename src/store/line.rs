//! The line: the one function through which every call reaches a store, below everything that knows what a lead is.
//!
//! A call is an [`Operation`] with the SDK's input; its answer is a [`Reply`] with the SDK's output, or a [`CallError`] of
//! our own. What stands at the other end is a [`Target`]: DynamoDB through the SDK, the embedded engine, or in tests
//! something around either. Deadlines, retries and what an error means lie above the line, so they are the same for every target.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, retry::RetryConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::batch_get_item::builders::BatchGetItemInputBuilder;
use aws_sdk_dynamodb::operation::create_table::CreateTableOutput;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableOutput;
use aws_sdk_dynamodb::operation::describe_table::builders::DescribeTableInputBuilder;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::scan::builders::ScanInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_time_to_live::UpdateTimeToLiveOutput;
use aws_sdk_dynamodb::operation::update_time_to_live::builders::UpdateTimeToLiveInputBuilder;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::ErrorKind;

use super::StoreError;
use super::error::error_chain;
use super::trace::PropagateTrace;

/// The future of a call.
pub type Calling = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;

/// What answers calls.
pub trait Target: fmt::Debug + Send + Sync {
    /// Makes one attempt of one call.
    fn call(&self, operation: Operation) -> Calling;

    /// Whether transactions on the same item cancel each other, as they do on DynamoDB.
    fn conflicts(&self) -> bool {
        true
    }
}

/// The way to a store. Clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Line(Arc<dyn Target>);

impl Line {
    /// The line to this target.
    pub fn to(target: impl Target + 'static) -> Self {
        Self(Arc::new(target))
    }

    /// The line to DynamoDB over a configured SDK. The SDK's own retries are switched off: it knows nothing of
    /// transaction conflicts, and two loops within each other would outlive the deadline.
    pub fn to_aws(config: Builder, sleep: SharedAsyncSleep) -> Self {
        let config = config
            .retry_config(RetryConfig::disabled())
            .sleep_impl(sleep)
            .interceptor(PropagateTrace)
            .build();
        Self::to(Aws(Client::from_conf(config)))
    }

    /// Whether transactions on the same item cancel each other.
    pub fn conflicts(&self) -> bool {
        self.0.conflicts()
    }

    /// Makes one attempt of one call.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Output, CallError> {
        let reply = self.0.call(request.into_operation()).await?;
        R::output(reply)
            .ok_or_else(|| CallError::NoAnswer("the answer is that of another operation".to_owned()))
    }
}

/// An input of the SDK that is an operation of the store.
pub trait Request: Clone {
    /// The SDK's output for it.
    type Output;
    /// The operation's name, as DynamoDB has it.
    const NAME: &'static str;

    /// The operation.
    fn into_operation(self) -> Operation;

    /// The output in a reply; `None` if it answers another operation.
    fn output(reply: Reply) -> Option<Self::Output>;
}

macro_rules! operations {
    ($($name:ident: $input:ident => $output:ident),+ $(,)?) => {
        /// A call of the store, with the SDK's input.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each is DynamoDB's operation of this name")]
        pub enum Operation {
            $($name($input)),+
        }

        /// The answer to an [`Operation`], with the SDK's output.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each is the answer to DynamoDB's operation of this name")]
        pub enum Reply {
            $($name($output)),+
        }

        impl Operation {
            /// The operation's name, as DynamoDB has it.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name)),+
                }
            }
        }

        $(impl Request for $input {
            type Output = $output;
            const NAME: &'static str = stringify!($name);

            fn into_operation(self) -> Operation {
                Operation::$name(self)
            }

            fn output(reply: Reply) -> Option<$output> {
                match reply {
                    Reply::$name(output) => Some(output),
                    _ => None,
                }
            }
        })+

        impl Target for Aws {
            fn call(&self, operation: Operation) -> Calling {
                let client = self.0.clone();
                Box::pin(async move {
                    match operation {
                        $(Operation::$name(input) => {
                            let sent = input.send_with(&client).await;
                            sent.map(Reply::$name).map_err(CallError::from)
                        })+
                    }
                })
            }
        }
    };
}

operations! {
    BatchGetItem: BatchGetItemInputBuilder => BatchGetItemOutput,
    CreateTable: CreateTableInputBuilder => CreateTableOutput,
    DescribeTable: DescribeTableInputBuilder => DescribeTableOutput,
    GetItem: GetItemInputBuilder => GetItemOutput,
    Query: QueryInputBuilder => QueryOutput,
    Scan: ScanInputBuilder => ScanOutput,
    TransactWriteItems: TransactWriteItemsInputBuilder => TransactWriteItemsOutput,
    UpdateTimeToLive: UpdateTimeToLiveInputBuilder => UpdateTimeToLiveOutput,
}

/// DynamoDB through the SDK, whose own retries and timeouts are switched off.
#[derive(Debug)]
pub struct Aws(pub Client);

/// Why one attempt of a call failed.
#[derive(Clone, thiserror::Error)]
pub enum CallError {
    /// The store answered that it did not do it.
    #[error("{code}: {message}")]
    Service {
        /// DynamoDB's name of the error: `ValidationException`.
        code: String,
        /// What the store said.
        message: String,
        /// Whether the fault is the service's (HTTP 500 and above).
        is_server_fault: bool,
        /// For a canceled transaction, the reason of each action, in their order. They hold people's data.
        reasons: Vec<CancellationReason>,
    },
    /// It was sent, or may have been, and no whole answer came: it may have happened.
    #[error("{0}")]
    NoAnswer(String),
    /// It was not sent, so it did not happen.
    #[error("{cause}")]
    NotSent {
        /// What kept it from being sent.
        cause: String,
        /// Whether a later attempt may be sent: the connection was refused, for example.
        may_pass: bool,
    },
}

impl fmt::Debug for CallError {
    /// Without what the items of canceled transactions say of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallError({self})")
    }
}

impl CallError {
    /// DynamoDB's name of the error, if the store answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            Self::NoAnswer(_) | Self::NotSent { .. } => None,
        }
    }

    /// The reasons of a canceled transaction, in the order of its actions.
    pub fn reasons(&self) -> Option<&[CancellationReason]> {
        match self {
            Self::Service { reasons, .. } if !reasons.is_empty() => Some(reasons),
            _ => None,
        }
    }

    /// Whether the embedded engine's disk is full, so that nothing was changed.
    pub fn is_full(&self) -> bool {
        self.code() == Some(STORAGE_FULL)
    }

    /// Whether the attempt may have happened, or may still happen: it was sent, and the answer does not say that it was not
    /// done.
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::NotSent { .. } => false,
            Self::Service { code, is_server_fault, .. } => {
                *is_server_fault || code == "TransactionInProgressException"
            }
        }
    }

    /// Whether waiting mends it: no answer, a fault of the service, or too much at once.
    pub fn passes(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::NotSent { may_pass, .. } => *may_pass,
            Self::Service { code, is_server_fault, .. } => *is_server_fault || passes_by_waiting(code),
        }
    }

    /// The store's error for a call of this operation that failed for good.
    pub(super) fn into_store_error(self, operation: &'static str) -> StoreError {
        if self.is_full() { StoreError::Full { operation } } else { StoreError::failed(operation, self) }
    }
}

/// What the embedded engine says where its disk is full. Trying again at once would be of no use.
const STORAGE_FULL: &str = "StorageFull";

/// Whether an error code (or the code of a cancellation reason) of DynamoDB is one that passes by waiting.
/// Source: "Error handling with DynamoDB" and "TransactWriteItems" in the Amazon DynamoDB documentation.
pub(super) fn passes_by_waiting(code: &str) -> bool {
    matches!(
        code,
        "InternalServerError"
            | "LimitExceededException"
            | "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ServiceUnavailable"
            | "ThrottlingError"
            | "ThrottlingException"
            | "TransactionConflict"
            | "TransactionConflictException"
            | "TransactionInProgressException"
    )
}

/// An error of one of the SDK's operations. Only a transaction's has reasons.
trait OperationError: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static {
    fn take_reasons(self) -> Vec<CancellationReason>
    where
        Self: Sized,
    {
        Vec::new()
    }
}

impl OperationError for TransactWriteItemsError {
    fn take_reasons(self) -> Vec<CancellationReason> {
        match self {
            Self::TransactionCanceledException(canceled) => canceled.cancellation_reasons.unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

impl OperationError for aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError {}
impl OperationError for aws_sdk_dynamodb::operation::create_table::CreateTableError {}
impl OperationError for aws_sdk_dynamodb::operation::describe_table::DescribeTableError {}
impl OperationError for aws_sdk_dynamodb::operation::get_item::GetItemError {}
impl OperationError for aws_sdk_dynamodb::operation::query::QueryError {}
impl OperationError for aws_sdk_dynamodb::operation::scan::ScanError {}
impl OperationError for aws_sdk_dynamodb::operation::update_time_to_live::UpdateTimeToLiveError {}

#[cfg(feature = "local")]
impl OperationError for aws_sdk_dynamodbstreams::operation::describe_stream::DescribeStreamError {}
#[cfg(feature = "local")]
impl OperationError for aws_sdk_dynamodbstreams::operation::get_records::GetRecordsError {}
#[cfg(feature = "local")]
impl OperationError for aws_sdk_dynamodbstreams::operation::get_shard_iterator::GetShardIteratorError {}

impl<E: OperationError> From<SdkError<E, HttpResponse>> for CallError {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let words = error_chain(&error);
        match error {
            SdkError::ServiceError(answer) => {
                let is_server_fault = answer.raw().status().is_server_error();
                let error = answer.into_err();
                let code = error.code().unwrap_or("an error without a code").to_owned();
                let message = error.message().unwrap_or("it said no more").to_owned();
                Self::Service { code, message, is_server_fault, reasons: error.take_reasons() }
            }
            SdkError::DispatchFailure(failure) if was_refused(&failure) => {
                Self::NotSent { cause: words, may_pass: true }
            }
            SdkError::DispatchFailure(failure)
                if failure.is_io()
                    || failure.is_timeout()
                    || failure.as_other() == Some(ErrorKind::TransientError) =>
            {
                Self::NoAnswer(words)
            }
            // Anything else that kept it from being sent, such as missing credentials, stays so.
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
                Self::NotSent { cause: words, may_pass: false }
            }
            _ => Self::NoAnswer(words),
        }
    }
}

/// Whether the connection was refused, so that nothing was sent. Any other broken connection may have carried the call.
fn was_refused(failure: &aws_smithy_runtime_api::client::result::DispatchFailure) -> bool {
    let Some(error) = failure.as_connector_error() else { return false };
    let causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source());
    let mut errors = causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    errors.any(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(code: &str, is_server_fault: bool) -> CallError {
        CallError::Service {
            code: code.to_owned(),
            message: "no".to_owned(),
            is_server_fault,
            reasons: Vec::new(),
        }
    }

    #[test]
    fn what_waiting_mends_is_told_from_what_it_does_not() {
        for (error, passes) in [
            (CallError::NoAnswer("timeout".to_owned()), true),
            (CallError::NotSent { cause: "refused".to_owned(), may_pass: true }, true),
            (CallError::NotSent { cause: "no credentials".to_owned(), may_pass: false }, false),
            (service("ThrottlingException", false), true),
            (service("TransactionConflictException", false), true),
            (service("Unknown", true), true),
            (service("ValidationException", false), false),
            (service("ConditionalCheckFailedException", false), false),
            (service("StorageFull", false), false),
        ] {
            assert_eq!(error.passes(), passes, "{error:?}");
        }
    }

    #[test]
    fn an_error_shows_no_personal_data() {
        let item = [("name".to_owned(), aws_sdk_dynamodb::types::AttributeValue::S("Ann Lee".to_owned()))];
        let reason = CancellationReason::builder()
            .code("ConditionalCheckFailed")
            .set_item(Some(item.into_iter().collect()))
            .build();
        let error = CallError::Service {
            code: "TransactionCanceledException".to_owned(),
            message: "Transaction cancelled".to_owned(),
            is_server_fault: false,
            reasons: vec![reason],
        };
        assert_eq!(error.reasons().map(<[_]>::len), Some(1));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("TransactionCanceledException") && !shown.contains("Ann"), "{shown}");
    }
}
