//! Sends a guarded write as one transaction, and reads from the answer whether it was refused.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::types::{CancellationReason, ReturnConsumedCapacity, TransactWriteItem};

use super::budget::Deadline;
use super::line::{CallError, is_temporary};
use super::retry::RetriesExhausted;
use super::schema_versions::SchemaVersions;
use super::{Dynamo, Item, Refusal, StoreError, WriteError};
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

impl Dynamo {
    /// Sends a write until it is answered, or gives up at the deadline.
    pub(super) async fn send(
        &self,
        sent: &Sent,
        deadline: Deadline,
    ) -> Result<Result<(), RetriesExhausted>, WriteError> {
        let request = TransactWriteItemsInput::builder()
            .client_request_token(&sent.token)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_transact_items(Some(sent.actions.clone()));
        let attempt = |limit| self.attempt(request.clone(), limit);
        match self.retry_until(deadline, OPERATION, attempt, is_retryable_write).await {
            Err(exhausted) => Ok(Err(exhausted)),
            Ok(Ok(output)) => {
                metrics::written(output.consumed_capacity());
                Ok(Ok(()))
            }
            Ok(Err(error)) => Err(match refusal(&error, &sent.labels, self.schema_versions)? {
                Some(refusal) => WriteError::Refused(refusal),
                None => WriteError::Store(error.into_store_error(OPERATION)),
            }),
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
