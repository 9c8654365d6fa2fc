//! The guarded write: one `TransactWriteItems` whose conditions carry the version and the rule, together with
//! everything that must be true if and only if the change happened.
//!
//! What always holds: a write that succeeded happened exactly once, also when its first reply was lost (the same
//! `ClientRequestToken` goes with every attempt); a write that was refused or unavailable changed nothing, or, where
//! the last reply was lost for good, says "unavailable" and never "refused".

use std::sync::Arc;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnConsumedCapacity,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update as UpdateAction,
};

use super::expression::Expression;
use super::line::{CallError, passes_by_waiting};
use super::{Condition, Dynamo, Item, Key, StoreError, Update, upgrade};
use crate::telemetry::tally;

const OPERATION: &str = "TransactWriteItems";

/// Why a guarded write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A condition did not hold. A consistent read decides what that means.
    #[error("a condition of the write did not hold")]
    Refused(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which actions' conditions did not hold, with the items as they were.
#[derive(Debug, Default)]
pub struct Refusal {
    failed: Vec<(&'static str, Option<Item>)>,
}

impl Refusal {
    /// Whether the condition of an action with this label failed.
    pub fn of(&self, label: &str) -> bool {
        self.failed.iter().any(|(failed, _)| *failed == label)
    }

    /// All items that stood where conditions of actions with this label failed.
    pub fn items(&self, label: &str) -> impl Iterator<Item = &Item> {
        self.failed.iter().filter(move |(failed, _)| *failed == label).filter_map(|(_, item)| item.as_ref())
    }

    /// The item that stood where the labelled action's condition failed, if one did.
    pub fn item(&self, label: &str) -> Option<&Item> {
        self.failed.iter().find(|(failed, _)| *failed == label)?.1.as_ref()
    }
}

/// One change and all that belongs to it. Actions have labels, by which a [`Refusal`] names them.
#[derive(Debug)]
pub struct GuardedWrite {
    table: Arc<str>,
    token: String,
    labels: Vec<&'static str>,
    actions: Vec<Result<TransactWriteItem, StoreError>>,
}

impl GuardedWrite {
    /// The most actions of one transaction (DynamoDB's limit).
    pub const MAX_ACTIONS: usize = 100;

    /// Puts a whole item where the condition holds.
    pub fn put(self, label: &'static str, item: Item, condition: Condition) -> Self {
        let mut expression = Expression::default();
        let text = condition.render(&mut expression);
        self.put_action(label, Put::builder().condition_expression(text), item, &expression)
    }

    /// Puts an item whatever stands under its key: for items that are derived from a guarded one.
    pub fn put_derived(self, label: &'static str, item: Item) -> Self {
        self.put_action(label, Put::builder(), item, &Expression::default())
    }

    fn put_action(
        self,
        label: &'static str,
        put: aws_sdk_dynamodb::types::builders::PutBuilder,
        mut item: Item,
        expression: &Expression,
    ) -> Self {
        item.insert(upgrade::ATTRIBUTE.to_owned(), upgrade::number(upgrade::SCHEMA));
        let put = put
            .set_item(Some(item))
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.action(label, |table| {
            Ok(TransactWriteItem::builder().put(put.table_name(table).build()?).build())
        })
    }

    /// Updates some attributes of the item under a key where the condition holds.
    pub fn update(self, label: &'static str, key: &Key, update: &Update, condition: Condition) -> Self {
        let mut expression = Expression::default();
        let text = condition.render(&mut expression);
        self.update_action(label, UpdateAction::builder().condition_expression(text), key, update, expression)
    }

    /// Updates the item under a key whatever stands there: for counters of what guarded items say.
    pub fn update_derived(self, label: &'static str, key: &Key, update: &Update) -> Self {
        self.update_action(label, UpdateAction::builder(), key, update, Expression::default())
    }

    fn update_action(
        self,
        label: &'static str,
        action: aws_sdk_dynamodb::types::builders::UpdateBuilder,
        key: &Key,
        update: &Update,
        mut expression: Expression,
    ) -> Self {
        let action = action
            .set_key(Some(key.attributes()))
            .update_expression(update.render(&mut expression))
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.action(label, |table| {
            Ok(TransactWriteItem::builder().update(action.table_name(table).build()?).build())
        })
    }

    /// Deletes the item under a key where the condition holds.
    pub fn delete(self, label: &'static str, key: &Key, condition: Condition) -> Self {
        let mut expression = Expression::default();
        let text = condition.render(&mut expression);
        self.delete_action(label, Delete::builder().condition_expression(text), key, &expression)
    }

    /// Deletes an item that is derived from a guarded one.
    pub fn delete_derived(self, label: &'static str, key: &Key) -> Self {
        self.delete_action(label, Delete::builder(), key, &Expression::default())
    }

    fn delete_action(
        self,
        label: &'static str,
        delete: aws_sdk_dynamodb::types::builders::DeleteBuilder,
        key: &Key,
        expression: &Expression,
    ) -> Self {
        let delete = delete
            .set_key(Some(key.attributes()))
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.action(label, |table| {
            Ok(TransactWriteItem::builder().delete(delete.table_name(table).build()?).build())
        })
    }

    /// Checks an item that the write does not touch.
    pub fn check(self, label: &'static str, key: &Key, condition: Condition) -> Self {
        let mut expression = Expression::default();
        let text = condition.render(&mut expression);
        let check = ConditionCheck::builder()
            .set_key(Some(key.attributes()))
            .condition_expression(text)
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.action(label, |table| {
            Ok(TransactWriteItem::builder().condition_check(check.table_name(table).build()?).build())
        })
    }

    fn action(
        mut self,
        label: &'static str,
        build: impl FnOnce(&str) -> Result<TransactWriteItem, BuildError>,
    ) -> Self {
        let action = build(&self.table).map_err(|error| StoreError::failed(OPERATION, error));
        self.labels.push(label);
        self.actions.push(action);
        self
    }
}

impl Dynamo {
    /// A guarded write of nothing yet, with a token of its own that makes its attempts one write.
    pub fn guarded_write(&self) -> GuardedWrite {
        GuardedWrite {
            table: self.table.clone(),
            token: self.entropy.uuid().to_string(),
            labels: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Does a guarded write: once, or not at all.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if a condition did not hold, [`WriteError::Store`] if the store failed.
    pub async fn write(&self, write: GuardedWrite) -> Result<(), WriteError> {
        let GuardedWrite { token, labels, actions, .. } = write;
        let items = actions.into_iter().collect::<Result<Vec<_>, _>>()?;
        let request = TransactWriteItemsInput::builder().client_request_token(token);
        let request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let request = request.set_transact_items(Some(items));
        let answer = self.call_while(&request, write_passes).await?;
        match answer {
            Ok(output) => {
                tally::written(output.consumed_capacity());
                Ok(())
            }
            Err(error) => Err(match refusal(&error, &labels)? {
                Some(refusal) => WriteError::Refused(refusal),
                None => WriteError::Store(StoreError::of_call(OPERATION, error)),
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
fn refusal(error: &CallError, labels: &[&'static str]) -> Result<Option<Refusal>, StoreError> {
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
        Ok((*label, item.map(upgrade::in_present_form).transpose()?))
    });
    Ok(Some(Refusal { failed: failed.collect::<Result<_, StoreError>>()? }))
}
