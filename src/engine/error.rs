//! What the engine answers when it cannot do an operation: DynamoDB's codes and words.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason};

use super::storage::StorageError;

/// The name of a failure, as DynamoDB spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The condition of a single write does not hold.
    ConditionalCheckFailed,
    /// The request is malformed, asks for what the engine does not support, or does not fit the stored item.
    Validation,
    /// The table or index does not exist.
    ResourceNotFound,
    /// The table exists already.
    ResourceInUse,
    /// At least one action of a transaction failed; the reasons say which.
    TransactionCanceled,
    /// The client request token was used for another transaction within the last ten minutes.
    IdempotentParameterMismatch,
    /// The queue of writes is full.
    Throttling,
    /// The disk is full, and nothing was changed. DynamoDB has no such failure.
    StorageFull,
    /// The storage below the engine failed; the message says how.
    InternalServer,
}

impl ErrorCode {
    /// DynamoDB's name of the code.
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

/// A failed operation. Neither `Debug` nor `Display` shows the contents of items.
#[derive(Clone, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct EngineError {
    /// Which failure it is.
    pub code: ErrorCode,
    /// What is wrong, in DynamoDB's words where it has some.
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

    /// The refusal of a parameter that exists in DynamoDB and not here.
    pub(super) fn unsupported(what: &str) -> Self {
        Self::invalid(format!("{what} is not supported by the embedded engine"))
    }

    pub(super) fn table_not_found() -> Self {
        Self::new(ErrorCode::ResourceNotFound, "Requested resource not found")
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

/// The failure of a stored value that is not what was written.
pub(super) fn damaged() -> EngineError {
    storage_error(StorageError::Damaged)
}

pub(super) fn internal(message: impl Into<String>) -> EngineError {
    EngineError::new(ErrorCode::InternalServer, message)
}

pub(super) fn storage_error(error: StorageError) -> EngineError {
    let code = match error {
        StorageError::Full => ErrorCode::StorageFull,
        StorageError::Damaged | StorageError::Failed(_) => ErrorCode::InternalServer,
    };
    EngineError::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_and_display_never_show_an_items_contents() {
        let item = || HashMap::from([("name".to_owned(), AttributeValue::S("Ada".to_owned()))]);
        let reason =
            CancellationReason::builder().code("ConditionalCheckFailed").set_item(Some(item())).build();
        let mut error = EngineError::new(ErrorCode::TransactionCanceled, "canceled");
        error.item = Some(item());
        error.reasons = vec![reason];
        let text = format!("{error:?} {error}");
        assert!(!text.contains("Ada"), "{text}");
        assert!(
            text.contains("TransactionCanceledException") && text.contains("ConditionalCheckFailed"),
            "{text}"
        );
    }
}
