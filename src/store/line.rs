//! The line: the one function through which every call reaches a store. Nothing below it knows what a lead is.
//!
//! A call is an [`Operation`] with the SDK's input. Its answer is a [`Reply`] with the SDK's output, or a
//! [`CallError`]. At the other end is a [`Target`]: DynamoDB through the SDK, the embedded engine, or in tests a
//! wrapper around one of them. Deadlines, retries and the meaning of errors are above the line, so they are the same
//! for every target.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, retry::RetryConfig};
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
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsOutput;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::operation::update_time_to_live::UpdateTimeToLiveOutput;
use aws_sdk_dynamodb::operation::update_time_to_live::builders::UpdateTimeToLiveInputBuilder;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;

use super::trace::PropagateTrace;

pub use self::call_error::CallError;
pub(super) use self::call_error::is_temporary;

mod call_error;

/// The future of a call.
pub type Calling = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;

/// A store that answers calls.
pub trait Target: fmt::Debug + Send + Sync {
    /// Makes one attempt of a call.
    fn call(&self, operation: Operation) -> Calling;

    /// Whether transactions on the same item cancel each other, as they do on DynamoDB.
    fn conflicts(&self) -> bool {
        true
    }
}

/// A handle to a store. Clones share the same target.
#[derive(Debug, Clone)]
pub struct Line(Arc<dyn Target>);

impl Line {
    /// Creates a line to this target.
    pub fn to(target: impl Target + 'static) -> Self {
        Self(Arc::new(target))
    }

    /// Creates a line to DynamoDB with a configured SDK. It turns off the SDK's own retries: they do not
    /// handle transaction conflicts, and two nested retry loops would outlive the deadline.
    pub fn to_aws(config: Builder, sleep: SharedAsyncSleep) -> Self {
        let config = config
            .retry_config(RetryConfig::disabled())
            .sleep_impl(sleep)
            .interceptor(PropagateTrace)
            .build();
        Self::to(Aws(Client::from_conf(config)))
    }

    /// Whether transactions on the same item cancel each other, as they do on DynamoDB.
    pub fn conflicts(&self) -> bool {
        self.0.conflicts()
    }

    /// Makes one attempt of a call.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Output, CallError> {
        let reply = self.0.call(request.into_operation()).await?;
        R::output(reply)
            .ok_or_else(|| CallError::NoAnswer("the reply belongs to another operation".to_owned()))
    }
}

/// An input of the SDK that is an operation of the store.
pub trait Request: Clone {
    /// The SDK's output for this input.
    type Output;
    /// The operation's name in DynamoDB.
    const NAME: &'static str;

    /// Wraps the input as an operation.
    fn into_operation(self) -> Operation;

    /// Returns the output of a reply, or `None` if the reply belongs to another operation.
    fn output(reply: Reply) -> Option<Self::Output>;
}

macro_rules! operations {
    ($($name:ident: $input:ident => $output:ident),+ $(,)?) => {
        /// A call of the store, with the SDK's input.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each variant is DynamoDB's operation of this name")]
        pub enum Operation {
            $($name($input)),+
        }

        /// The answer to an [`Operation`], with the SDK's output.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each variant is the answer to DynamoDB's operation of this name")]
        pub enum Reply {
            $($name($output)),+
        }

        impl Operation {
            /// Returns the operation's name in DynamoDB.
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

/// DynamoDB through the SDK, with the SDK's own retries and timeouts turned off.
#[derive(Debug)]
pub struct Aws(pub Client);
