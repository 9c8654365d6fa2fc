//! Errors of the engine, with DynamoDB's codes and messages.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason};

use super::codec::{Damaged, InvalidValue};
use super::storage::StorageError;

/// An error code, as DynamoDB names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The condition of a single write is false.
    ConditionalCheckFailed,
    /// The request is malformed, uses an unsupported feature, or does not fit the stored item.
    Validation,
    /// The table or index does not exist.
    ResourceNotFound,
    /// The table already exists.
    ResourceInUse,
    /// At least one action of a transaction failed. The reasons identify it.
    TransactionCanceled,
    /// The client request token was used for a different transaction within the last ten minutes.
    IdempotentParameterMismatch,
    /// The queue of writes is full.
    Throttling,
    /// The disk is full, and nothing was changed. DynamoDB has no such error.
    StorageFull,
    /// The storage failed. The message contains the cause.
    InternalServer,
}

impl ErrorCode {
    /// Returns DynamoDB's name of the code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConditionalCheckFailed => "ConditionalCheckFailedException",
            Self::Validation => "ValidationException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ResourceInUse => "ResourceInUseException",
            Self::TransactionCanceled => "TransactionCanceledException",
            Self::IdempotentParameterMismatch => "IdempotentParameterMismatchException",
            Self::Throttling => "ThrottlingException",
            Self::StorageFull => "StorageFull",
            Self::InternalServer => "InternalServerError",
        }
    }
}

/// The error of an operation. Neither `Debug` nor `Display` shows the contents of items.
#[derive(Clone, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct EngineError {
    /// The error code.
    pub code: ErrorCode,
    /// What is wrong, as DynamoDB's message if there is one.
    pub message: String,
    /// The stored item, if a single write's condition failed and the request asked for `ALL_OLD`.
    pub item: Option<HashMap<String, AttributeValue>>,
    /// One reason for each action of a canceled transaction, in the order of the actions.
    pub reasons: Vec<CancellationReason>,
}

impl EngineError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), item: None, reasons: Vec::new() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Validation, message)
    }

    /// Returns the error for a parameter that DynamoDB supports and the engine does not.
    pub(super) fn unsupported(what: &str) -> Self {
        Self::invalid(format!("{what} is not supported by the embedded engine"))
    }

    pub(super) fn internal(message: &str) -> Self {
        Self::new(ErrorCode::InternalServer, message)
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons: Vec<_> =
            self.reasons.iter().map(|reason| reason.code.as_deref().unwrap_or("None")).collect();
        formatter
            .debug_struct("EngineError")
            .field("code", &self.code.as_str())
            .field("message", &self.message)
            .field("item", &self.item.as_ref().map(|_| "…"))
            .field("reasons", &reasons)
            .finish()
    }
}

impl From<StorageError> for EngineError {
    fn from(error: StorageError) -> Self {
        let code = match error {
            StorageError::Full => ErrorCode::StorageFull,
            StorageError::Damaged | StorageError::Failed(_) => ErrorCode::InternalServer,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Damaged> for EngineError {
    fn from(damaged: Damaged) -> Self {
        StorageError::from(damaged).into()
    }
}

impl From<InvalidValue> for EngineError {
    fn from(error: InvalidValue) -> Self {
        Self::invalid(error.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_and_display_do_not_show_item_contents() {
        let item = || HashMap::from([("name".to_owned(), AttributeValue::S("Ada".to_owned()))]);
        let reason = CancellationReason::builder().code("ConditionalCheckFailed").set_item(Some(item()));
        let mut error = EngineError::new(ErrorCode::TransactionCanceled, "canceled");
        (error.item, error.reasons) = (Some(item()), vec![reason.build()]);
        let text = format!("{error:?} {error}");
        assert!(!text.contains("Ada"), "{text}");
        for code in ["TransactionCanceledException", "ConditionalCheckFailed"] {
            assert!(text.contains(code), "{text}");
        }
    }
}
