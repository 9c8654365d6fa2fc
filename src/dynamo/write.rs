//! The guarded write: one `TransactWriteItems` whose conditions carry the version and the rule, together with
//! everything that must be true if and only if the change happened.
//!
//! What always holds: a write that succeeded happened exactly once, also when its first reply was lost (the same
//! `ClientRequestToken` goes with every attempt); a write that was refused or unavailable changed nothing and never will.
//! Where an attempt was not answered until the deadline, [`outcome`](super::outcome) finds out what became of it, and what
//! cannot be found out is said to be unknown.

use std::sync::Arc;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnConsumedCapacity,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update as UpdateAction,
};

use super::client::GaveUp;
use super::deadline::Deadline;
use super::expression::Expression;
use super::line::{CallError, passes_by_waiting};
use super::upgrade::Forms;
use super::{Condition, Dynamo, Item, Key, StoreError, Update, outcome};
use crate::telemetry::tally;

pub(super) const OPERATION: &str = "TransactWriteItems";

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
    pub(super) failed: Vec<(&'static str, Option<Item>)>,
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
    forms: &'static Forms,
    /// The form in which its items are written.
    form: u32,
    token: String,
    labels: Vec<&'static str>,
    actions: Vec<Result<TransactWriteItem, StoreError>>,
    /// Which action puts the idempotency record, if one does.
    record: Option<usize>,
    /// Which actions put items where none may stand: they tell whether the write happened.
    created: Vec<usize>,
}

impl GuardedWrite {
    /// The most actions of one transaction (DynamoDB's limit).
    pub const MAX_ACTIONS: usize = 100;

    /// Puts a whole item where the condition holds.
    pub fn put(mut self, label: &'static str, item: Item, condition: Condition) -> Self {
        if condition == Condition::Absent {
            self.created.push(self.actions.len());
        }
        let mut expression = Expression::default();
        let text = condition.render(&mut expression);
        self.put_action(label, Put::builder().condition_expression(text), item, &expression)
    }

    /// Puts the idempotency record of the request, where there is none. One that was abandoned is overwritten, unless it
    /// says that this very write was given up.
    pub(super) fn put_record(mut self, label: &'static str, mut item: Item) -> Self {
        self.record = Some(self.actions.len());
        item.insert(outcome::TOKEN.to_owned(), AttributeValue::S(self.token.clone()));
        let condition = outcome::may_record(&self.token);
        self.put(label, item, condition)
    }

    /// Puts an item whatever stands under its key: for items that are derived from a guarded one.
    pub fn put_derived(self, label: &'static str, item: Item) -> Self {
        self.put_action(label, Put::builder(), item, &Expression::default())
    }

    fn put_action(
        self,
        label: &'static str,
        put: aws_sdk_dynamodb::types::builders::PutBuilder,
        item: Item,
        expression: &Expression,
    ) -> Self {
        let item = self.forms.written(item, self.form);
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
        let update = self.forms.written_update(update, self.form);
        let action = action
            .set_key(Some(key.attributes()))
            .update_expression(update.render(&mut expression, self.form))
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

    /// The same write, whose items and updates are in the form that is written already.
    pub(super) fn in_written_form(self) -> Self {
        Self { form: self.forms.present, ..self }
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

    /// The write as it is sent.
    pub(super) fn into_sent(self) -> Result<Sent, StoreError> {
        let Self { token, labels, actions, record, created, .. } = self;
        let actions = actions.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Sent { token, labels, actions, record, created })
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
            forms: self.forms,
            form: self.form_to_write(),
            token: self.entropy.uuid().to_string(),
            labels: Vec::new(),
            actions: Vec::new(),
            record: None,
            created: Vec::new(),
        }
    }

    /// Does a guarded write: once, or not at all.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if a condition did not hold, [`WriteError::Store`] if the store failed.
    pub async fn write(&self, write: GuardedWrite) -> Result<(), WriteError> {
        self.ask_for_form().await?;
        let sent = self.fenced(write)?.into_sent()?;
        match self.send(&sent, self.deadline_of_write()).await? {
            Ok(()) => Ok(()),
            Err(given_up) if given_up.unanswered => self.find_outcome(&sent, given_up).await,
            Err(given_up) => Err(WriteError::Store(given_up.into())),
        }
    }

    /// The write with a record of its own, if its request asks for one and the write has none.
    fn fenced(&self, write: GuardedWrite) -> Result<GuardedWrite, StoreError> {
        let has_room = write.actions.len() < GuardedWrite::MAX_ACTIONS;
        if write.record.is_some() || !has_room || !self.fences_writes() {
            return Ok(write);
        }
        let item = outcome::fence_item(&write.token, self.clock.now())?;
        Ok(write.put_record("fence", item))
    }

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
                None => WriteError::Store(StoreError::of_call(OPERATION, error)),
            }),
        }
    }
}

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
