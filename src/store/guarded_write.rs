//! Builds a guarded write, action by action.

use std::sync::Arc;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update as UpdateAction,
};

use super::expression::Expression;
use super::forms::Forms;
use super::record::{TOKEN, may_record};
use super::transaction::{OPERATION, Sent};
use super::{Condition, Dynamo, Item, Key, StoreError, Update};

/// One change and all that belongs to it. Actions have labels, by which a [`Refusal`](super::Refusal) names them.
#[derive(Debug)]
pub struct GuardedWrite {
    table: Arc<str>,
    forms: &'static Forms,
    /// The form in which its items are written.
    form: u32,
    pub(super) token: String,
    labels: Vec<&'static str>,
    pub(super) actions: Vec<Result<TransactWriteItem, StoreError>>,
    /// Which action puts the idempotency record, if one does.
    pub(super) record: Option<usize>,
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
        item.insert(TOKEN.to_owned(), AttributeValue::S(self.token.clone()));
        let condition = may_record(&self.token);
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
            token: self.rng.uuid().to_string(),
            labels: Vec::new(),
            actions: Vec::new(),
            record: None,
            created: Vec::new(),
        }
    }
}
