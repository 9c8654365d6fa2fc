//! Writes outside transactions: PutItem, UpdateItem, DeleteItem, BatchWriteItem.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{
    ConsumedCapacity, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
};

use super::action::{self, Action, Change, Effects, Refusal, Rejection, Request};
use super::codec::{Attributes, ItemRef};
use super::error::{EngineError, ErrorCode};
use super::parameters::{refuse_unsupported, required, wants_metrics};
use super::state::Writing;
use super::tables::Catalog;

/// The most requests of a batch.
const MAX_REQUESTS: usize = 25;
/// The most bytes of a batch's items.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// A single write that is ready to be judged.
pub struct Plan {
    action: Action,
    returns: ReturnValue,
    capacity: Option<ReturnConsumedCapacity>,
}

type Answer = (Option<Attributes>, Option<ConsumedCapacity>);

/// Refuses the parameters from before there were expressions.
macro_rules! refuse_legacy {
    ($input:expr) => {
        refuse_unsupported(&[
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
/// [`EngineError`] in DynamoDB's words.
pub fn prepare_put(catalog: &Catalog, input: &PutItemInput) -> Result<Plan, EngineError> {
    refuse_legacy!(input);
    let returns = returned(input.return_values.as_ref(), false)?;
    let item = required(&input.item, "item")?;
    let action = Action::put(catalog, &request!(input), item).map_err(Rejection::into_error)?;
    Ok(Plan { action, returns, capacity: input.return_consumed_capacity.clone() })
}

/// Checks a DeleteItem request.
///
/// # Errors
/// [`EngineError`] in DynamoDB's words.
pub fn prepare_delete(catalog: &Catalog, input: &DeleteItemInput) -> Result<Plan, EngineError> {
    refuse_legacy!(input);
    let returns = returned(input.return_values.as_ref(), false)?;
    let key = required(&input.key, "key")?;
    let action = Action::delete(catalog, &request!(input), key).map_err(Rejection::into_error)?;
    Ok(Plan { action, returns, capacity: input.return_consumed_capacity.clone() })
}

/// Checks an UpdateItem request.
///
/// # Errors
/// [`EngineError`] in DynamoDB's words.
pub fn prepare_update(catalog: &Catalog, input: &UpdateItemInput) -> Result<Plan, EngineError> {
    refuse_unsupported(&[("AttributeUpdates", input.attribute_updates.is_some())])?;
    refuse_legacy!(input);
    let returns = returned(input.return_values.as_ref(), true)?;
    let key = required(&input.key, "key")?;
    let action = Action::update(catalog, &request!(input), key, input.update_expression.as_deref());
    let action = action.map_err(Rejection::into_error)?;
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

fn execute(plan: Plan, writing: &mut Writing<'_>) -> Result<Answer, EngineError> {
    let outcome = match plan.action.judge(writing.read)? {
        Ok(outcome) => outcome,
        Err(Refusal::Invalid(message)) => return Err(EngineError::invalid(message)),
        Err(Refusal::Condition(old)) => {
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
    writing.commit(effects);
    Ok((attributes, usage.consumed_by_one(plan.capacity.as_ref())))
}

/// The attributes in which something is that an update names, from one of its items. None if there are none.
fn touched(action: &Action, item: Option<&[u8]>) -> Result<Option<Attributes>, EngineError> {
    let (Change::Update(update), Some(item)) = (&action.change, item) else { return Ok(None) };
    let paths = update.paths();
    let found = paths.iter().filter(|path| path.find(ItemRef(item)).is_some());
    let names = found.map(|path| path.attribute.as_str());
    let picked = action::pick(item, names)?;
    Ok((!picked.is_empty()).then_some(picked))
}

/// Does a PutItem.
///
/// # Errors
/// [`EngineError`] if it is refused or storage fails.
pub fn put(plan: Plan, writing: &mut Writing<'_>) -> Result<PutItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, writing)?;
    Ok(PutItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

/// Does a DeleteItem.
///
/// # Errors
/// [`EngineError`] if it is refused or storage fails.
pub fn delete(plan: Plan, writing: &mut Writing<'_>) -> Result<DeleteItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, writing)?;
    Ok(DeleteItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

/// Does an UpdateItem.
///
/// # Errors
/// [`EngineError`] if it is refused or storage fails.
pub fn update(plan: Plan, writing: &mut Writing<'_>) -> Result<UpdateItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, writing)?;
    Ok(UpdateItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

/// A batch that is ready to be done.
pub struct BatchPlan {
    actions: Vec<Action>,
    capacity: Option<ReturnConsumedCapacity>,
}

/// Checks a BatchWriteItem request.
///
/// # Errors
/// [`EngineError`] in DynamoDB's words.
pub fn prepare_batch(catalog: &Catalog, input: &BatchWriteItemInput) -> Result<BatchPlan, EngineError> {
    refuse_unsupported(&[(
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
        (Some(put), None) => Action::put(catalog, &request, &put.item).map_err(Rejection::into_error),
        (None, Some(delete)) => Action::delete(catalog, &request, &delete.key).map_err(Rejection::into_error),
        _ => Err(EngineError::invalid(
            "A write request must contain exactly one of PutRequest and DeleteRequest",
        )),
    }
}

/// Does a batch. Here it happens as a whole, which DynamoDB does not promise.
///
/// # Errors
/// [`EngineError`] if storage fails.
pub fn batch(plan: BatchPlan, writing: &mut Writing<'_>) -> Result<BatchWriteItemOutput, EngineError> {
    let mut effects = Effects::default();
    for action in &plan.actions {
        match action.judge(writing.read)? {
            Ok(outcome) => action.commit(outcome, false, false, &mut effects),
            Err(Refusal::Invalid(message)) => return Err(EngineError::invalid(message)),
            Err(Refusal::Condition(_)) => return Err(EngineError::invalid("A batch has no conditions")),
        }
    }
    let usage = std::mem::take(&mut effects.usage);
    writing.commit(effects);
    let capacity = usage.consumed(plan.capacity.as_ref());
    Ok(BatchWriteItemOutput::builder()
        .set_unprocessed_items(Some(Default::default()))
        .set_consumed_capacity(capacity)
        .build())
}
