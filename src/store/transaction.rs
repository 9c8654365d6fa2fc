//! Sends a guarded write as one transaction, and reads from the answer whether it was refused.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::types::{CancellationReason, ReturnConsumedCapacity, TransactWriteItem};

use super::budget::Deadline;
use super::line::{CallError, is_temporary};
use super::retry::{FinalError, RetriesExhausted};
use super::schema_versions::SchemaVersions;
use super::{Dynamo, Item, Refusal, StoreError};
use crate::base::telemetry::metrics;

/// The DynamoDB operation that does a guarded write.
pub(super) const OPERATION: &str = "TransactWriteItems";

/// A write in the form in which it is sent.
pub(super) struct Sent {
    pub(super) token: String,
    pub(super) labels: Vec<&'static str>,
    pub(super) actions: Vec<TransactWriteItem>,
    pub(super) record: Option<usize>,
    pub(super) created: Vec<usize>,
}

impl Sent {
    /// Returns the item that this action puts, with its label.
    pub(super) fn item_put(&self, action: usize) -> Option<(&'static str, &Item)> {
        Some((*self.labels.get(action)?, self.actions.get(action)?.put.as_ref()?.item()))
    }
}

/// Why a sent write did not succeed.
pub(super) enum SendError {
    /// A condition failed.
    Refused(Refusal),
    /// The store failed.
    Failed(FailedWrite),
}

/// A write that the store did not accept. It may have happened if an attempt was not answered.
pub(super) struct FailedWrite {
    /// The error to report if the write did not happen.
    pub(super) error: StoreError,
    pub(super) attempts: u32,
    /// The error of the last attempt.
    pub(super) last: String,
    /// Whether an attempt was sent and not answered, so that it may have happened or may still happen.
    pub(super) unanswered: bool,
}

impl From<RetriesExhausted> for FailedWrite {
    fn from(exhausted: RetriesExhausted) -> Self {
        let RetriesExhausted { attempts, ref last, unanswered, .. } = exhausted;
        Self { last: last.clone(), error: exhausted.into(), attempts, unanswered }
    }
}

impl From<FinalError> for FailedWrite {
    fn from(FinalError { error, attempts, unanswered }: FinalError) -> Self {
        Self { last: error.to_string(), error: error.into_store_error(OPERATION), attempts, unanswered }
    }
}

impl From<StoreError> for SendError {
    /// Converts the error of a refusal with an item that this program cannot read. A refused write did not happen.
    fn from(error: StoreError) -> Self {
        Self::Failed(FailedWrite { last: error.to_string(), error, attempts: 0, unanswered: false })
    }
}

impl Dynamo {
    /// Sends a write until it is answered, or gives up at the deadline.
    pub(super) async fn send(&self, sent: &Sent, deadline: Deadline) -> Result<(), SendError> {
        let request = TransactWriteItemsInput::builder()
            .client_request_token(&sent.token)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_transact_items(Some(sent.actions.clone()));
        let attempt = |limit| self.attempt(request.clone(), limit);
        match self.retry_until(deadline, OPERATION, attempt, is_retryable_write).await {
            Err(exhausted) => Err(SendError::Failed(exhausted.into())),
            Ok(Ok(output)) => {
                metrics::written(output.consumed_capacity());
                Ok(())
            }
            Ok(Err(failed)) => match refusal(&failed.error, &sent.labels, self.schema_versions)? {
                Some(refusal) => Err(SendError::Refused(refusal)),
                None => Err(SendError::Failed(failed.into())),
            },
        }
    }
}

fn code(reason: &CancellationReason) -> Option<&str> {
    reason.code().filter(|code| *code != "None")
}

/// Whether a retry can help: the reasons of the cancellation, or the failure itself, are all temporary.
fn is_retryable_write(error: &CallError) -> bool {
    match error.reasons() {
        Some(reasons) => {
            let mut codes = reasons.iter().filter_map(code).peekable();
            codes.peek().is_some() && codes.all(is_temporary)
        }
        None => error.is_retryable(),
    }
}

/// Returns the refusal, if failed conditions and nothing worse canceled the transaction.
fn refusal(
    error: &CallError,
    labels: &[&'static str],
    schema_versions: &SchemaVersions,
) -> Result<Option<Refusal>, StoreError> {
    let Some(reasons) = error.reasons() else { return Ok(None) };
    let is_failed = |reason: &CancellationReason| code(reason) == Some("ConditionalCheckFailed");
    let worse = reasons.iter().any(|reason| {
        code(reason).is_some_and(|code| code != "ConditionalCheckFailed" && !is_temporary(code))
    });
    if worse || !reasons.iter().any(is_failed) {
        return Ok(None);
    }
    let failed = labels.iter().zip(reasons).filter(|(_, reason)| is_failed(reason));
    let failed = failed.map(|(label, reason)| {
        let item = reason.item.clone().filter(|item| !item.is_empty());
        Ok((*label, item.map(|item| schema_versions.to_current(item)).transpose()?))
    });
    Ok(Some(Refusal { failed: failed.collect::<Result<_, StoreError>>()? }))
}
