//! Writes outside transactions: PutItem, UpdateItem, DeleteItem, BatchWriteItem.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity, ReturnValue, WriteRequest};

use super::action::{self, Action, Change, Effects, Request, request};
use super::codec::{Attributes, Damaged, ItemRef};
use super::error::EngineError;
use super::parameters::{reject_metrics, reject_unsupported, required};
use super::state::WriteContext;
use super::tables::Catalog;

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

/// Rejects the legacy parameters that expressions replaced, and collection metrics.
macro_rules! reject_legacy {
    ($input:expr) => {
        reject_unsupported(&[
            ("Expected", $input.expected.is_some()),
            ("ConditionalOperator", $input.conditional_operator.is_some()),
        ])?;
        reject_metrics(&$input.return_item_collection_metrics)?
    };
}

macro_rules! single_request {
    ($input:expr) => {
        request!($input, required(&$input.table_name, "tableName")?, $input.condition_expression.as_deref())
    };
}

pub fn prepare_put(catalog: &Catalog, input: &PutItemInput) -> Result<Plan, EngineError> {
    reject_legacy!(input);
    let returns = returned(input.return_values.as_ref(), false)?;
    let item = required(&input.item, "item")?;
    let action = Action::put(catalog, &single_request!(input), item)?;
    Ok(Plan { action, returns, capacity: input.return_consumed_capacity.clone() })
}

pub fn prepare_delete(catalog: &Catalog, input: &DeleteItemInput) -> Result<Plan, EngineError> {
    reject_legacy!(input);
    let returns = returned(input.return_values.as_ref(), false)?;
    let key = required(&input.key, "key")?;
    let action = Action::by_key(catalog, &single_request!(input), key, Change::Delete)?;
    Ok(Plan { action, returns, capacity: input.return_consumed_capacity.clone() })
}

pub fn prepare_update(catalog: &Catalog, input: &UpdateItemInput) -> Result<Plan, EngineError> {
    reject_unsupported(&[("AttributeUpdates", input.attribute_updates.is_some())])?;
    reject_legacy!(input);
    let returns = returned(input.return_values.as_ref(), true)?;
    let key = required(&input.key, "key")?;
    let action = Action::update(catalog, &single_request!(input), key, input.update_expression.as_deref())?;
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
    let outcome = plan.action.evaluate(context.read)??;
    let (old, new) = (outcome.old.as_deref(), outcome.new.as_deref());
    let decode = |item: Option<&[u8]>| item.map(|item| ItemRef(item).decode()).transpose();
    let attributes = match plan.returns {
        ReturnValue::AllOld => decode(old)?,
        ReturnValue::AllNew => decode(new)?,
        ReturnValue::UpdatedOld => touched(&plan.action, old)?,
        ReturnValue::UpdatedNew => touched(&plan.action, new)?,
        _ => None,
    };
    let mut effects = Effects::default();
    plan.action.commit(outcome, false, false, &mut effects);
    let usage = std::mem::take(&mut effects.usage);
    context.commit(effects);
    Ok((attributes, usage.consumed_by_one(plan.capacity.as_ref())))
}

/// Returns the attributes of an item that contain a path of the update, or `None` if there are none.
fn touched(action: &Action, item: Option<&[u8]>) -> Result<Option<Attributes>, Damaged> {
    let (Change::Update(update), Some(item)) = (&action.change, item) else { return Ok(None) };
    let paths = update.paths();
    let found = paths.iter().filter(|path| path.find(ItemRef(item)).is_some());
    let names = found.map(|path| path.attribute.as_str());
    let picked = action::pick(item, names)?;
    Ok((!picked.is_empty()).then_some(picked))
}

pub fn put(plan: Plan, context: &mut WriteContext<'_>) -> Result<PutItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, context)?;
    Ok(PutItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

pub fn delete(plan: Plan, context: &mut WriteContext<'_>) -> Result<DeleteItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, context)?;
    Ok(DeleteItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

pub fn update(plan: Plan, context: &mut WriteContext<'_>) -> Result<UpdateItemOutput, EngineError> {
    let (attributes, capacity) = execute(plan, context)?;
    Ok(UpdateItemOutput::builder().set_attributes(attributes).set_consumed_capacity(capacity).build())
}

pub struct BatchPlan {
    actions: Vec<Action>,
    capacity: Option<ReturnConsumedCapacity>,
}

pub fn prepare_batch(catalog: &Catalog, input: &BatchWriteItemInput) -> Result<BatchPlan, EngineError> {
    reject_metrics(&input.return_item_collection_metrics)?;
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
    Ok(match (&write.put_request, &write.delete_request) {
        (Some(put), None) => Action::put(catalog, &request, &put.item)?,
        (None, Some(delete)) => Action::by_key(catalog, &request, &delete.key, Change::Delete)?,
        _ => {
            let message = "A write request must contain exactly one of PutRequest and DeleteRequest";
            return Err(EngineError::invalid(message));
        }
    })
}

/// Applies a batch atomically, which DynamoDB does not guarantee.
pub fn batch(plan: BatchPlan, context: &mut WriteContext<'_>) -> Result<BatchWriteItemOutput, EngineError> {
    let mut effects = Effects::default();
    for action in &plan.actions {
        action.commit(action.evaluate(context.read)??, false, false, &mut effects);
    }
    let usage = std::mem::take(&mut effects.usage);
    context.commit(effects);
    let capacity = usage.consumed(plan.capacity.as_ref());
    Ok(BatchWriteItemOutput::builder()
        .set_unprocessed_items(Some(Default::default()))
        .set_consumed_capacity(capacity)
        .build())
}
