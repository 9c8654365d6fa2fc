//! The range of keys that a request reads.

use crate::engine::codec::{self, Attributes, Damaged, ItemRef, ValueRef};
use crate::engine::error::EngineError;
use crate::engine::expression::{Comparator, KeyCondition, SortCondition};
use crate::engine::storage::{Order, Range};
use crate::engine::tables::{Index, KeySchema, Table, check_key_value};
use crate::engine::{index, key};

/// Returns the range that a query reads: the keys that satisfy its condition, after its start key if it has one.
pub(super) fn range_of_query(
    table: &Table,
    index: Option<&Index>,
    condition: &KeyCondition,
    order: Order,
    start: Option<&Attributes>,
) -> Result<Range, EngineError> {
    let keys = index.map_or(&table.keys, |index| &index.keys);
    check_values(keys, condition)?;
    let Range { start: first, end } = key_range(table, index, condition);
    let Some(start) = start else { return Ok(Range { start: first, end }) };
    let start = start_key(table, index, start)?;
    check_start(keys, condition, ItemRef(&start))?;
    let position = position(table, index, ItemRef(&start))?;
    Ok(match order {
        Order::Forward => Range { start: first.max(key_after(&position)), end },
        Order::Backward => Range { start: first, end: end.min(position) },
    })
}

/// Returns the range that a scan reads: the table, after the start key if the request has one.
pub(super) fn range_of_scan(table: &Table, start: Option<&Attributes>) -> Result<Range, EngineError> {
    let mut range = Range::prefix(prefix(table, None));
    if let Some(start) = start {
        let start = start_key(table, None, start)?;
        range.start = key_after(&position(table, None, ItemRef(&start))?);
    }
    Ok(range)
}

fn check_values(keys: &KeySchema, condition: &KeyCondition) -> Result<(), EngineError> {
    let partition = (&keys.partition, ValueRef(&condition.partition), true);
    let sorts =
        keys.sort.iter().flat_map(|sort| condition.sort.values().map(move |value| (sort, value, false)));
    for (attribute, value, is_partition) in std::iter::once(partition).chain(sorts) {
        if value.kind() != Some(attribute.kind) {
            return Err(EngineError::invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ));
        }
        check_key_value(attribute, value, is_partition)?;
    }
    Ok(())
}

fn prefix(table: &Table, index: Option<&Index>) -> Vec<u8> {
    match index {
        Some(index) => key::index_prefix(table.id, index.id),
        None => key::table_prefix(table.id),
    }
}

fn key_range(table: &Table, index: Option<&Index>, condition: &KeyCondition) -> Range {
    let mut partition = prefix(table, index);
    key::put_part(ValueRef(&condition.partition), &mut partition);
    let part = |value: &[u8]| {
        let mut bytes = partition.clone();
        key::put_part(ValueRef(value), &mut bytes);
        bytes
    };
    let end = key::successor(&partition);
    let range = |start: Vec<u8>, end: Vec<u8>| Range { start, end };
    match &condition.sort {
        SortCondition::All => Range::prefix(partition.clone()),
        SortCondition::Compare(comparator, value) => {
            let value = part(value);
            match comparator {
                Comparator::Less => range(partition.clone(), value),
                Comparator::LessOrEqual => range(partition.clone(), key::successor(&value)),
                Comparator::Greater => range(key::successor(&value), end),
                Comparator::GreaterOrEqual => range(value, end),
                Comparator::Equal | Comparator::NotEqual => Range::prefix(value),
            }
        }
        SortCondition::Between(low, high) => range(part(low), key::successor(&part(high))),
        SortCondition::BeginsWith(value) => {
            let mut bytes = partition.clone();
            key::put_prefix(ValueRef(value), &mut bytes);
            Range::prefix(bytes)
        }
    }
}

fn key_after(position: &[u8]) -> Vec<u8> {
    [position, &[0]].concat()
}

/// Encodes the start key of a request: the key attributes of the table, and of the index if the request reads
/// one.
fn start_key(table: &Table, index: Option<&Index>, start: &Attributes) -> Result<Vec<u8>, EngineError> {
    let invalid = |why: &str| EngineError::invalid(format!("The provided starting key is invalid{why}"));
    let mut names: Vec<&str> = Vec::with_capacity(4);
    for attribute in key_schemas(table, index).flat_map(KeySchema::attributes) {
        if !names.contains(&&*attribute.name) {
            names.push(&attribute.name);
        }
    }
    if start.len() != names.len() || !names.iter().all(|name| start.contains_key(*name)) {
        return Err(invalid(""));
    }
    let item = codec::encode_item(start).map_err(|error| invalid(&format!(": {error}")))?;
    for keys in key_schemas(table, index) {
        for (position, attribute) in keys.attributes().enumerate() {
            let value = ItemRef(&item).get(&attribute.name).ok_or_else(|| invalid(""))?;
            check_key_value(attribute, value, position == 0)
                .map_err(|error| invalid(&format!(": {}", EngineError::from(error).message)))?;
        }
    }
    Ok(item)
}

/// Returns the key of the table, and that of the index if the request reads one.
pub(super) fn key_schemas<'a>(
    table: &'a Table,
    index: Option<&'a Index>,
) -> impl Iterator<Item = &'a KeySchema> {
    std::iter::once(&table.keys).chain(index.map(|index| &index.keys))
}

/// Returns an item's position in the range.
fn position(table: &Table, index: Option<&Index>, item: ItemRef<'_>) -> Result<Vec<u8>, EngineError> {
    let key = table.key_of(item)?;
    match index {
        None => Ok(key.storage),
        Some(index) => Ok(index::entry(table, index, &key, item).ok_or(Damaged)?.key),
    }
}

fn check_start(keys: &KeySchema, condition: &KeyCondition, start: ItemRef<'_>) -> Result<(), EngineError> {
    let in_partition = start.get(&keys.partition.name) == Some(ValueRef(&condition.partition));
    let in_range = match &keys.sort {
        Some(sort) => start.get(&sort.name).is_some_and(|value| condition.sort.accepts(value)),
        None => true,
    };
    if in_partition && in_range {
        return Ok(());
    }
    Err(EngineError::invalid("The provided starting key does not match the range key predicate"))
}
