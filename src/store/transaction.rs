//! Sends a guarded write as one transaction, and reads from the answer whether it was refused.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::types::{CancellationReason, ReturnConsumedCapacity, TransactWriteItem};

use super::budget::Deadline;
use super::forms::Forms;
use super::line::{CallError, passes_by_waiting};
use super::retry::GaveUp;
use super::{Dynamo, Item, Refusal, StoreError, WriteError};
use crate::base::telemetry::tally;

/// The DynamoDB operation that does a guarded write.
pub(super) const OPERATION: &str = "TransactWriteItems";

/// A write as it is sent.
pub(super) struct Sent {
    pub(super) token: String,
    pub(super) labels: Vec<&'static str>,
    pub(super) actions: Vec<TransactWriteItem>,
    pub(super) record: Option<usize>,
    pub(super) created: Vec<usize>,
}

impl Sent {
    /// The item that this action puts, with its label.
    pub(super) fn item_put(&self, action: usize) -> Option<(&'static str, &Item)> {
        Some((*self.labels.get(action)?, self.actions.get(action)?.put.as_ref()?.item()))
    }
}

impl Dynamo {
    /// Sends a write until it is answered, or gives it up at the deadline.
    pub(super) async fn send(
        &self,
        sent: &Sent,
        deadline: Deadline,
    ) -> Result<Result<(), GaveUp>, WriteError> {
        let request = TransactWriteItemsInput::builder()
            .client_request_token(&sent.token)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_transact_items(Some(sent.actions.clone()));
        let attempt = |limit| self.attempt(request.clone(), limit);
        match self.retry_until(deadline, OPERATION, attempt, write_passes).await {
            Err(given_up) => Ok(Err(given_up)),
            Ok(Ok(output)) => {
                tally::written(output.consumed_capacity());
                Ok(Ok(()))
            }
            Ok(Err(error)) => Err(match refusal(&error, &sent.labels, self.forms)? {
                Some(refusal) => WriteError::Refused(refusal),
                None => WriteError::Store(error.into_store_error(OPERATION)),
            }),
        }
    }
}

fn code(reason: &CancellationReason) -> Option<&str> {
    reason.code().filter(|code| *code != "None")
}

/// Cancelled only for reasons that pass, or failed in a way that passes. One reason that does not pass decides.
fn write_passes(error: &CallError) -> bool {
    match error.reasons() {
        Some(reasons) => {
            let mut codes = reasons.iter().filter_map(code).peekable();
            codes.peek().is_some() && codes.all(passes_by_waiting)
        }
        None => error.passes(),
    }
}

/// The refusal, if conditions and nothing worse cancelled the transaction.
fn refusal(error: &CallError, labels: &[&'static str], forms: &Forms) -> Result<Option<Refusal>, StoreError> {
    let Some(reasons) = error.reasons() else { return Ok(None) };
    let is_failed = |reason: &CancellationReason| code(reason) == Some("ConditionalCheckFailed");
    let worse = reasons.iter().any(|reason| {
        code(reason).is_some_and(|code| code != "ConditionalCheckFailed" && !passes_by_waiting(code))
    });
    if worse || !reasons.iter().any(is_failed) {
        return Ok(None);
    }
    let failed = labels.iter().zip(reasons).filter(|(_, reason)| is_failed(reason));
    let failed = failed.map(|(label, reason)| {
        let item = reason.item.clone().filter(|item| !item.is_empty());
        Ok((*label, item.map(|item| forms.read(item)).transpose()?))
    });
    Ok(Some(Refusal { failed: failed.collect::<Result<_, StoreError>>()? }))
}
