//! Why a call failed, and what that means for a retry.

use std::error::Error;
use std::fmt;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::ErrorKind;

use crate::store::StoreError;
use crate::store::error::error_chain;

/// Why one attempt of a call failed.
#[derive(Clone, thiserror::Error)]
pub enum CallError {
    /// The store answered with an error.
    #[error("{code}: {message}")]
    Service {
        /// DynamoDB's error code, for example `ValidationException`.
        code: String,
        /// The store's message.
        message: String,
        /// Whether the fault is the service's (HTTP 500 and above).
        is_server_fault: bool,
        /// For a canceled transaction, the reason of each action, in the order of the actions. They contain personal
        /// data.
        reasons: Vec<CancellationReason>,
    },
    /// The call was or may have been sent, and no complete answer came. It may have happened.
    #[error("{0}")]
    NoAnswer(String),
    /// The call was not sent, so it did not happen.
    #[error("{cause}")]
    NotSent {
        /// Why it was not sent.
        cause: String,
        /// Whether a later attempt may succeed, for example after a refused connection.
        may_pass: bool,
    },
}

impl fmt::Debug for CallError {
    /// Leaves out the items of canceled transactions, which contain personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallError({self})")
    }
}

impl CallError {
    /// Returns DynamoDB's error code, if the store answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            Self::NoAnswer(_) | Self::NotSent { .. } => None,
        }
    }

    /// Returns the reasons of a canceled transaction, in the order of its actions.
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

    /// Whether the attempt may have happened or may still happen: it was sent, and the answer does not rule it out.
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::NotSent { .. } => false,
            Self::Service { code, is_server_fault, .. } => {
                *is_server_fault || code == "TransactionInProgressException"
            }
        }
    }

    /// Whether a retry can help: there was no answer, the service failed, or there was too much load.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::NotSent { may_pass, .. } => *may_pass,
            Self::Service { code, is_server_fault, .. } => *is_server_fault || is_temporary(code),
        }
    }

    /// Converts the final error of a call of this operation to the store's error.
    pub(in crate::store) fn into_store_error(self, operation: &'static str) -> StoreError {
        if self.is_full() { StoreError::Full { operation } } else { StoreError::failed(operation, self) }
    }
}

/// The embedded engine's error code for a full disk. An immediate retry cannot help.
const STORAGE_FULL: &str = "StorageFull";

/// Whether an error code (or the code of a cancellation reason) of DynamoDB is temporary. Source: "Error handling
/// with DynamoDB" and "TransactWriteItems" in the Amazon DynamoDB documentation.
pub(in crate::store) fn is_temporary(code: &str) -> bool {
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

/// Returns the reasons of a canceled transaction. Other errors have none.
fn reasons_of(error: &(dyn Error + 'static)) -> Vec<CancellationReason> {
    match error.downcast_ref::<TransactWriteItemsError>() {
        Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
            canceled.cancellation_reasons().to_vec()
        }
        _ => Vec::new(),
    }
}

impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> From<SdkError<E, HttpResponse>> for CallError {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let cause = error_chain(&error);
        match error {
            SdkError::ServiceError(answer) => {
                let is_server_fault = answer.raw().status().is_server_error();
                let error = answer.into_err();
                let code = error.code().unwrap_or("an error without a code").to_owned();
                let message = error.message().unwrap_or("no message").to_owned();
                Self::Service { code, message, is_server_fault, reasons: reasons_of(&error) }
            }
            SdkError::DispatchFailure(failure) if was_refused(&failure) => {
                Self::NotSent { cause, may_pass: true }
            }
            SdkError::DispatchFailure(failure)
                if failure.is_io()
                    || failure.is_timeout()
                    || failure.as_other() == Some(ErrorKind::TransientError) =>
            {
                Self::NoAnswer(cause)
            }
            // Other obstacles, such as missing credentials, do not go away.
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
                Self::NotSent { cause, may_pass: false }
            }
            _ => Self::NoAnswer(cause),
        }
    }
}

/// Whether the connection was refused, so that nothing was sent. A connection that broke in another way may have
/// carried the call.
fn was_refused(failure: &aws_smithy_runtime_api::client::result::DispatchFailure) -> bool {
    let Some(error) = failure.as_connector_error() else { return false };
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let refused = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
        if error.downcast_ref::<std::io::Error>().is_some_and(refused) {
            return true;
        }
        cause = error.source();
    }
    false
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
    fn only_temporary_failures_are_retryable() {
        for (error, retryable) in [
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
            assert_eq!(error.is_retryable(), retryable, "{error:?}");
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
            message: "Transaction canceled".to_owned(),
            is_server_fault: false,
            reasons: vec![reason],
        };
        assert_eq!(error.reasons().map(<[_]>::len), Some(1));
        let text = format!("{error} {error:?}");
        assert!(text.contains("TransactionCanceledException") && !text.contains("Ann"), "{text}");
    }
}
