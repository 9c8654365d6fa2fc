//! Writes outside transactions: PutItem, UpdateItem, DeleteItem, BatchWriteItem.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{
    ConsumedCapacity, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
};

use super::action::{self, Action, ActionError, Change, Effects, PrepareError, Request};
use super::codec::{Attributes, ItemRef};
use super::error::{EngineError, ErrorCode};
use super::parameters::{reject_unsupported, required, wants_metrics};
use super::state::WriteContext;
use super::tables::Catalog;

/// The maximum number of requests in a batch.
const MAX_REQUESTS: usize = 25;
/// The maximum size of a batch's items in bytes.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// A single write that is ready to be evaluated.
pub struct Plan {
    action: Action,
    returns: ReturnValue,
    capacity: Option<ReturnConsumedCapacity>,
}

type Answer = (Option<Attributes>, Option<ConsumedCapacity>);

/// Rejects the legacy parameters that expressions replaced.
macro_rules! reject_legacy {
    ($input:expr) => {
        reject_unsupported(&[
            ("Expected", $input.expected.is_some()),
            ("ConditionalOperator", $input.conditional_operator.is_some()),
            ("ReturnItemCollectionMetrics", wants_metrics(&$input.return_item_collection_metrics)),
        ])?
    };
}

macro_rules! request {
    ($input:expr) => {
        Request {
            table: required(&$input.table_name, "tableName")?,
            condition: $input.condition_expression.as_deref(),
            names: $input.expression_attribute_names.as_ref(),
            values: $input.expression_attribute_values.as_ref(),
            returns_old: $input.return_values_on_condition_check_failure
                == Some(ReturnValuesOnConditionCheckFailure::AllOld),
        }
    };
}

/// Checks a PutItem request.
///
/// # Errors
/// [`EngineError`] with DynamoDB's message.
pub fn prepare_put(catalog: &Catalog, input: &PutItemInput) -> Result<Plan, EngineError> {
    reject_legacy!(input);
    let returns = returned(input.return_values.as_ref(), false)?;
    let item = required(&input.item, "item")?;
    let action = Action::put(catalog, &request!(input), item).map_err(PrepareError::into_error)?;
    Ok(Plan { action, returns, capacity: input.return_consumed_capacity.clone() })
}

/// Checks a DeleteItem request.
///
/// # Errors
/// [`EngineError`] with DynamoDB's message.
pub fn prepare_delete(catalog: &Catalog, input: &DeleteItemInput) -> Result<Plan, EngineError> {
    reject_legacy!(input);
    let returns = returned(input.return_values.as_ref(), false)?;
    let key = required(&input.key, "key")?;
    let action = Action::delete(catalog, &request!(input), key).map_err(PrepareError::into_error)?;
    Ok(Plan { action, returns, capacity: input.return_consumed_capacity.clone() })
}

/// Checks an UpdateItem request.
///
/// # Errors
/// [`EngineError`] with DynamoDB's message.
pub fn prepare_update(catalog: &Catalog, input: &UpdateItemInput) -> Result<Plan, EngineError> {
    reject_unsupported(&[("AttributeUpdates", input.attribute_updates.is_some())])?;
    reject_legacy!(input);
    let returns = returned(input.return_values.as_ref(), true)?;
    let key = required(&input.key, "key")?;
    let action = Action::update(catalog, &request!(input), key, input.update_expression.as_deref());
    let action = action.map_err(PrepareError::into_error)?;
    Ok(Plan { action, returns, capacity: input.return_consumed_capacity.clone() })
}

fn returned(wanted: Option<&ReturnValue>, is_update: bool) -> Result<ReturnValue, EngineError> {
    match wanted {
        None => Ok(ReturnValue::None),
        Some(value @ (ReturnValue::None | ReturnValue::AllOld)) => Ok(value.clone()),
        Some(value @ (ReturnValue::AllNew | ReturnValue::UpdatedOld | ReturnValue::UpdatedNew))
            if is_update =>
        {
            Ok(value.clone())
        }
        Some(_) => Err(EngineError::invalid("Return values set to invalid value")),
    }
}

fn execute(plan: Plan, context: &mut WriteContext<'_>) -> Result<Answer, EngineError> {
    let outcome = match plan.action.evaluate(context.read)? {
        Ok(outcome) => outcome,
        Err(ActionError::Invalid(message)) => return Err(EngineError::invalid(message)),
        Err(ActionError::Condition(old)) => {
            let mut error =
                EngineError::new(ErrorCode::ConditionalCheckFailed, "The conditional request failed");
            error.item = old.as_deref().map(action::decode).transpose()?;
            return Err(error);
        }
    };
    let attributes = match plan.returns {
        ReturnValue::AllOld => outcome.old.as_deref().map(action::decode).transpose()?,
        ReturnValue::AllNew => outcome.new.as_deref().map(action::decode).transpose()?,
        ReturnValue::UpdatedOld => touched(&plan.action, outcome.old.as_deref())?,
        ReturnValue::UpdatedNew => touched(&plan.action, outcome.new.as_deref())?,
        _ => None,
    };
    let mut effects = Effects::default();
    plan.action.commit(outcome, false, false, &mut effects);
    let usage = std::mem::take(&mut effects.usage);
    context.commit(effects);
    Ok((attributes, usage.consumed_by_one(plan.capacity.as_ref())))
}

/// Returns the attributes of an item that contain a path of the update, or `None` if there are none.
fn touched(action: &Action, item: Option<&[u8]>) -> Result<Option<Attributes>, EngineError> {
    let (Change::Update(update), Some(item)) = (&action.change, item) else { return Ok(None) };
    let paths = update.paths();
    let found = paths.iter().filter(|path| path.find(ItemRef(item)).is_some());
    let names = found.map(|path| path.attribute.as_str());
    let picked = action::pick(item, names)?;
    Ok((!picked.is_empty()).then_some(picked))
}

/// Performs a PutItem.
///
/// # Errors
/// [`EngineError`] if the write fails or storage fails.
pub fn put(plan: Plan, context: &mut WriteContext<'_>) -> Result<PutItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, context)?;
    Ok(PutItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

/// Performs a DeleteItem.
///
/// # Errors
/// [`EngineError`] if the write fails or storage fails.
pub fn delete(plan: Plan, context: &mut WriteContext<'_>) -> Result<DeleteItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, context)?;
    Ok(DeleteItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

/// Performs an UpdateItem.
///
/// # Errors
/// [`EngineError`] if the write fails or storage fails.
pub fn update(plan: Plan, context: &mut WriteContext<'_>) -> Result<UpdateItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, context)?;
    Ok(UpdateItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

/// A batch that is ready to be applied.
pub struct BatchPlan {
    actions: Vec<Action>,
    capacity: Option<ReturnConsumedCapacity>,
}

/// Checks a BatchWriteItem request.
///
/// # Errors
/// [`EngineError`] with DynamoDB's message.
pub fn prepare_batch(catalog: &Catalog, input: &BatchWriteItemInput) -> Result<BatchPlan, EngineError> {
    reject_unsupported(&[(
        "ReturnItemCollectionMetrics",
        wants_metrics(&input.return_item_collection_metrics),
    )])?;
    let tables: BTreeMap<_, _> = input.request_items.iter().flatten().collect();
    if tables.is_empty() {
        return Err(EngineError::invalid("BatchWriteItem cannot have a null or no requests set"));
    }
    if let Some((table, _)) = tables.iter().find(|(_, requests)| requests.is_empty()) {
        let message = "The batch write request list for a table cannot be null or empty";
        return Err(EngineError::invalid(format!("{message}: {table}")));
    }
    if tables.values().map(|requests| requests.len()).sum::<usize>() > MAX_REQUESTS {
        return Err(EngineError::invalid("Too many items requested for the BatchWriteItem call"));
    }
    let mut actions = Vec::new();
    for (table, requests) in tables {
        for request in requests {
            actions.push(batch_action(catalog, table, request)?);
        }
    }
    let mut keys = HashSet::new();
    if !actions.iter().all(|action| keys.insert(&action.key.storage)) {
        return Err(EngineError::invalid("Provided list of item keys contains duplicates"));
    }
    let size = |action: &Action| match &action.change {
        Change::Put(item) => ItemRef(item).size(),
        _ => 0,
    };
    if actions.iter().map(size).sum::<usize>() > MAX_BATCH_BYTES {
        return Err(EngineError::invalid("The batch is larger than 16 MB"));
    }
    Ok(BatchPlan { actions, capacity: input.return_consumed_capacity.clone() })
}

fn batch_action(catalog: &Catalog, table: &str, write: &WriteRequest) -> Result<Action, EngineError> {
    let request = Request { table, ..Request::default() };
    match (&write.put_request, &write.delete_request) {
        (Some(put), None) => Action::put(catalog, &request, &put.item).map_err(PrepareError::into_error),
        (None, Some(delete)) => {
            Action::delete(catalog, &request, &delete.key).map_err(PrepareError::into_error)
        }
        _ => Err(EngineError::invalid(
            "A write request must contain exactly one of PutRequest and DeleteRequest",
        )),
    }
}

/// Performs a BatchWriteItem. The batch is atomic, which DynamoDB does not guarantee.
///
/// # Errors
/// [`EngineError`] if storage fails.
pub fn batch(plan: BatchPlan, context: &mut WriteContext<'_>) -> Result<BatchWriteItemOutput, EngineError> {
    let mut effects = Effects::default();
    for action in &plan.actions {
        match action.evaluate(context.read)? {
            Ok(outcome) => action.commit(outcome, false, false, &mut effects),
            Err(ActionError::Invalid(message)) => return Err(EngineError::invalid(message)),
            Err(ActionError::Condition(_)) => return Err(EngineError::invalid("A batch has no conditions")),
        }
    }
    let usage = std::mem::take(&mut effects.usage);
    context.commit(effects);
    let capacity = usage.consumed(plan.capacity.as_ref());
    Ok(BatchWriteItemOutput::builder()
        .set_unprocessed_items(Some(Default::default()))
        .set_consumed_capacity(capacity)
        .build())
}
