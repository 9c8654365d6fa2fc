//! Reads by key: GetItem and BatchGetItem.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::action::{find_table, load};
use super::capacity::{Usage, read_units};
use super::codec::{Attributes, Damaged, ItemRef};
use super::error::EngineError;
use super::expression::{self, Projection, References};
use super::parameters::{reject_unsupported, required};
use super::storage::Read;
use super::tables::Catalog;

const MAX_KEYS: usize = 100;
/// The maximum size of a batch's items in bytes.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

fn projection(
    text: Option<&str>,
    names: Option<&HashMap<String, String>>,
) -> Result<Option<Projection>, EngineError> {
    let mut references = References::new(names, None)?;
    let projection = expression::parse_projection(text, &mut references)?;
    references.finish()?;
    Ok(projection)
}

/// Decodes the projected parts of an item.
pub fn project(projection: Option<&Projection>, item: ItemRef<'_>) -> Result<Attributes, Damaged> {
    match projection {
        Some(projection) => projection.apply(item),
        None => item.decode(),
    }
}

pub fn get_item(
    read: &dyn Read,
    catalog: &Catalog,
    input: &GetItemInput,
) -> Result<GetItemOutput, EngineError> {
    reject_unsupported(&[("AttributesToGet", input.attributes_to_get.is_some())])?;
    let projection =
        projection(input.projection_expression.as_deref(), input.expression_attribute_names.as_ref())?;
    let table = find_table(catalog, required(&input.table_name, "tableName")?)?;
    let key = table.key(required(&input.key, "key")?)?;
    let item = load(read, &key)?;
    let size = item.as_deref().map_or(0, |item| ItemRef(item).size());
    let item = item.map(|item| project(projection.as_ref(), ItemRef(&item))).transpose()?;
    let mut usage = Usage::default();
    usage.table(&table.name, read_units(size, input.consistent_read == Some(true)));
    let capacity = usage.consumed_by_one(input.return_consumed_capacity.as_ref());
    Ok(GetItemOutput::builder().set_item(item).set_consumed_capacity(capacity).build())
}

/// Reads items until they exceed 16 MB. The other keys remain unprocessed.
pub fn batch_get_item(
    read: &dyn Read,
    catalog: &Catalog,
    input: &BatchGetItemInput,
) -> Result<BatchGetItemOutput, EngineError> {
    let tables: BTreeMap<&String, &KeysAndAttributes> = input.request_items.iter().flatten().collect();
    if tables.is_empty() {
        return Err(EngineError::invalid("BatchGetItem must have some requests set"));
    }
    if let Some((table, _)) = tables.iter().find(|(_, wanted)| wanted.keys.is_empty()) {
        let message =
            format!("The list of keys in RequestItems for BatchGetItem is required: {table} has empty list");
        return Err(EngineError::invalid(message));
    }
    if tables.values().map(|wanted| wanted.keys.len()).sum::<usize>() > MAX_KEYS {
        return Err(EngineError::invalid("Too many items requested for the BatchGetItem call"));
    }
    let mut usage = Usage::default();
    let mut budget = MAX_BATCH_BYTES;
    let (mut responses, mut rest) = (HashMap::new(), HashMap::new());
    for (name, wanted) in tables {
        let (items, left) = get_of_table(read, catalog, name, wanted, &mut budget, &mut usage)?;
        responses.insert(name.clone(), items);
        rest.extend(left.map(|left| (name.clone(), left)));
    }
    Ok(BatchGetItemOutput::builder()
        .set_responses(Some(responses))
        .set_unprocessed_keys(Some(rest))
        .set_consumed_capacity(usage.consumed(input.return_consumed_capacity.as_ref()))
        .build())
}

fn get_of_table(
    read: &dyn Read,
    catalog: &Catalog,
    name: &str,
    wanted: &KeysAndAttributes,
    budget: &mut usize,
    usage: &mut Usage,
) -> Result<(Vec<Attributes>, Option<KeysAndAttributes>), EngineError> {
    reject_unsupported(&[("AttributesToGet", wanted.attributes_to_get.is_some())])?;
    let names = wanted.expression_attribute_names.as_ref();
    let projection = projection(wanted.projection_expression.as_deref(), names)?;
    let table = find_table(catalog, name)?;
    let keys = wanted.keys.iter().map(|key| table.key(key)).collect::<Result<Vec<_>, _>>()?;
    let mut unique = HashSet::new();
    if !keys.iter().all(|key| unique.insert(&key.storage)) {
        return Err(EngineError::invalid("Provided list of item keys contains duplicates"));
    }
    let mut items = Vec::new();
    let mut left = Vec::new();
    for (key, attributes) in keys.iter().zip(&wanted.keys) {
        if *budget == 0 {
            left.push(attributes.clone());
            continue;
        }
        let item = load(read, key)?;
        let size = item.as_deref().map_or(0, |item| ItemRef(item).size());
        *budget = budget.saturating_sub(size);
        usage.table(&table.name, read_units(size, wanted.consistent_read == Some(true)));
        if let Some(item) = item {
            items.push(project(projection.as_ref(), ItemRef(&item))?);
        }
    }
    let left = (!left.is_empty()).then(|| {
        let mut rest = wanted.clone();
        rest.keys = left;
        rest
    });
    Ok((items, left))
}
