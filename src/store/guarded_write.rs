//! Builds a guarded write, action by action.

use std::sync::Arc;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update as UpdateAction,
};

use super::expression::Expression;
use super::record::{TOKEN, may_record};
use super::schema_versions::SchemaVersions;
use super::transaction::{OPERATION, Sent};
use super::{Condition, Dynamo, Item, Key, StoreError, Update};

/// One change with everything that belongs to it. A [`Refusal`](super::Refusal) names its actions by their labels.
#[derive(Debug)]
pub struct GuardedWrite {
    table: Arc<str>,
    schema_versions: &'static SchemaVersions,
    /// The schema version in which its items are written.
    schema: u32,
    pub(super) token: String,
    labels: Vec<&'static str>,
    pub(super) actions: Vec<Result<TransactWriteItem, StoreError>>,
    /// The index of the action that puts the idempotency record, if there is one.
    pub(super) record: Option<usize>,
    /// The indexes of the actions that create items. Whether those items exist shows whether the write happened.
    created: Vec<usize>,
}

impl GuardedWrite {
    /// The most actions of one transaction (a limit of DynamoDB).
    pub const MAX_ACTIONS: usize = 100;

    /// Puts a whole item if the condition holds.
    pub fn put(mut self, label: &'static str, item: Item, condition: Condition) -> Self {
        if condition == Condition::Absent {
            self.created.push(self.actions.len());
        }
        self.put_if(label, item, Some(&condition))
    }

    /// Puts the idempotency record of the request, if there is none. An abandoned record is overwritten, unless it
    /// abandons this write.
    pub(super) fn put_record(mut self, label: &'static str, mut item: Item) -> Self {
        self.record = Some(self.actions.len());
        item.insert(TOKEN.to_owned(), AttributeValue::S(self.token.clone()));
        let condition = may_record(&self.token);
        self.put(label, item, condition)
    }

    /// Puts an item unconditionally, for items that are derived from a guarded one.
    pub fn put_derived(self, label: &'static str, item: Item) -> Self {
        self.put_if(label, item, None)
    }

    fn put_if(self, label: &'static str, item: Item, condition: Option<&Condition>) -> Self {
        let mut expression = Expression::default();
        let condition = condition.map(|condition| condition.render(&mut expression));
        let put = Put::builder()
            .set_item(Some(self.schema_versions.for_write(item, self.schema)))
            .set_condition_expression(condition)
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.action(label, |table| {
            Ok(TransactWriteItem::builder().put(put.table_name(table).build()?).build())
        })
    }

    /// Updates some attributes of an item if the condition holds.
    pub fn update(self, label: &'static str, key: &Key, update: &Update, condition: Condition) -> Self {
        self.update_if(label, key, update, Some(&condition))
    }

    /// Updates an item unconditionally, for counters that are derived from guarded items.
    pub fn update_derived(self, label: &'static str, key: &Key, update: &Update) -> Self {
        self.update_if(label, key, update, None)
    }

    fn update_if(
        self,
        label: &'static str,
        key: &Key,
        update: &Update,
        condition: Option<&Condition>,
    ) -> Self {
        let mut expression = Expression::default();
        let condition = condition.map(|condition| condition.render(&mut expression));
        let update = self.schema_versions.update_for_write(update, self.schema);
        let action = UpdateAction::builder()
            .set_key(Some(key.attributes()))
            .update_expression(update.render(&mut expression, self.schema))
            .set_condition_expression(condition)
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.action(label, |table| {
            Ok(TransactWriteItem::builder().update(action.table_name(table).build()?).build())
        })
    }

    /// Deletes an item if the condition holds.
    pub fn delete(self, label: &'static str, key: &Key, condition: Condition) -> Self {
        self.delete_if(label, key, Some(&condition))
    }

    /// Deletes an item unconditionally, for items that are derived from a guarded one.
    pub fn delete_derived(self, label: &'static str, key: &Key) -> Self {
        self.delete_if(label, key, None)
    }

    fn delete_if(self, label: &'static str, key: &Key, condition: Option<&Condition>) -> Self {
        let mut expression = Expression::default();
        let condition = condition.map(|condition| condition.render(&mut expression));
        let delete = Delete::builder()
            .set_key(Some(key.attributes()))
            .set_condition_expression(condition)
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.action(label, |table| {
            Ok(TransactWriteItem::builder().delete(delete.table_name(table).build()?).build())
        })
    }

    /// Leaves the items and updates as they are, because they are already in the schema that is written.
    pub(super) fn already_converted(self) -> Self {
        Self { schema: self.schema_versions.current, ..self }
    }

    /// Checks a condition on an item that the write does not change.
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

    /// Converts the write to the schema in which it is sent.
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
    /// Creates an empty guarded write. Its token makes all its attempts one write.
    pub fn guarded_write(&self) -> GuardedWrite {
        GuardedWrite {
            table: self.table.clone(),
            schema_versions: self.schema_versions,
            schema: self.schema_to_write(),
            token: self.rng.uuid().to_string(),
            labels: Vec::new(),
            actions: Vec::new(),
            record: None,
            created: Vec::new(),
        }
    }
}
