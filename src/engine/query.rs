//! Reads ranges: Query and Scan.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::scan::{ScanInput, ScanOutput};

use super::action::{find_table, pick};
use super::capacity::{Usage, read_units};
use super::codec::{self, Attributes, Damaged, ItemRef, ValueRef};
use super::error::EngineError;
use super::expression::{self, Comparator, Condition, KeyCondition, Projection, References, SortCondition};
use super::parameters::{reject_unsupported, required};
use super::read::project;
use super::storage::{Order, Range, Read, Space, StorageError, try_scan};
use super::tables::{Catalog, Index, KeySchema, Projected, Table, check_key_value};
use super::{index, key};

/// The maximum number of bytes that one page reads.
const MAX_PAGE: usize = 1024 * 1024;

/// The range of a table or an index that a request reads.
struct Selection<'a> {
    table: &'a Arc<Table>,
    index: Option<&'a Index>,
    range: Range,
    order: Order,
    filter: Option<Condition>,
    projection: Option<Projection>,
    limit: usize,
    /// The encoded sort key after which the range has no more items.
    last: Option<Vec<u8>>,
}

#[derive(Default)]
struct Page {
    items: Vec<Attributes>,
    scanned: usize,
    bytes: usize,
    /// The key of the last item, once the page has reached its maximum size.
    full: Option<Attributes>,
    /// The key after which the next page starts.
    last: Option<Attributes>,
}

pub fn query(read: &dyn Read, catalog: &Catalog, input: &QueryInput) -> Result<QueryOutput, EngineError> {
    reject_unsupported(&[
        ("Select", input.select.is_some()),
        ("AttributesToGet", input.attributes_to_get.is_some()),
        ("KeyConditions", input.key_conditions.is_some()),
        ("QueryFilter", input.query_filter.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
    ])?;
    let table = find_table(catalog, required(&input.table_name, "tableName")?)?;
    let index = find_index(table, input.index_name.as_deref())?;
    let consistent = input.consistent_read == Some(true);
    if consistent && index.is_some() {
        return Err(EngineError::invalid("Consistent reads are not supported on global secondary indexes"));
    }
    let selection = select(table, index, input)?;
    let page = selection.read(read)?;
    let capacity =
        usage(table, index, &page, consistent).consumed_by_one(input.return_consumed_capacity.as_ref());
    Ok(QueryOutput::builder()
        .count(count(page.items.len()))
        .scanned_count(count(page.scanned))
        .set_items(Some(page.items))
        .set_last_evaluated_key(page.last)
        .set_consumed_capacity(capacity)
        .build())
}

pub fn scan(read: &dyn Read, catalog: &Catalog, input: &ScanInput) -> Result<ScanOutput, EngineError> {
    reject_unsupported(&[
        ("IndexName in a Scan", input.index_name.is_some()),
        ("Select", input.select.is_some()),
        ("AttributesToGet", input.attributes_to_get.is_some()),
        ("ScanFilter", input.scan_filter.is_some()),
        ("ConditionalOperator", input.conditional_operator.is_some()),
        ("TotalSegments", input.total_segments.is_some()),
        ("Segment", input.segment.is_some()),
    ])?;
    let names = input.expression_attribute_names.as_ref();
    let mut references = References::new(names, input.expression_attribute_values.as_ref())?;
    let filter = filter(input.filter_expression.as_deref(), &mut references)?;
    let projection = expression::parse_projection(input.projection_expression.as_deref(), &mut references)?;
    references.finish()?;
    let table = find_table(catalog, required(&input.table_name, "tableName")?)?;
    let mut range = Range::prefix(key::table_prefix(table.id));
    if let Some(start) = &input.exclusive_start_key {
        let start = start_key(table, None, start)?;
        range.start = key_after(&position(table, None, ItemRef(&start))?);
    }
    let limit = limit(input.limit)?;
    let order = Order::Forward;
    let selection = Selection { table, index: None, range, order, filter, projection, limit, last: None };
    let page = selection.read(read)?;
    let capacity = usage(table, None, &page, input.consistent_read == Some(true));
    Ok(ScanOutput::builder()
        .count(count(page.items.len()))
        .scanned_count(count(page.scanned))
        .set_items(Some(page.items))
        .set_last_evaluated_key(page.last)
        .set_consumed_capacity(capacity.consumed_by_one(input.return_consumed_capacity.as_ref()))
        .build())
}

fn find_index<'a>(table: &'a Table, name: Option<&str>) -> Result<Option<&'a Index>, EngineError> {
    let Some(name) = name else { return Ok(None) };
    match table.index(name) {
        None => Err(EngineError::invalid(format!("The table does not have the specified index: {name}"))),
        Some(index) if table.building.contains(&index.id) => {
            Err(EngineError::invalid(format!("Cannot read from backfilling global secondary index: {name}")))
        }
        index => Ok(index),
    }
}

fn count(items: usize) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}

fn limit(limit: Option<i32>) -> Result<usize, EngineError> {
    match limit.map(usize::try_from) {
        None => Ok(usize::MAX),
        Some(Ok(limit)) if limit > 0 => Ok(limit),
        Some(_) => Err(EngineError::invalid("Limit must be greater than or equal to 1")),
    }
}

fn filter(text: Option<&str>, references: &mut References<'_>) -> Result<Option<Condition>, EngineError> {
    text.map(|text| expression::parse_condition("FilterExpression", text, references)).transpose()
}

fn usage(table: &Table, index: Option<&Index>, page: &Page, consistent: bool) -> Usage {
    let units = read_units(page.bytes, consistent);
    let mut usage = Usage::default();
    match index {
        Some(index) => {
            usage.table(&table.name, 0.0);
            usage.index(&table.name, &index.name, units);
        }
        None => usage.table(&table.name, units),
    }
    usage
}

fn select<'a>(
    table: &'a Arc<Table>,
    index: Option<&'a Index>,
    input: &QueryInput,
) -> Result<Selection<'a>, EngineError> {
    let keys = index.map_or(&table.keys, |index| &index.keys);
    let names = input.expression_attribute_names.as_ref();
    let mut references = References::new(names, input.expression_attribute_values.as_ref())?;
    let text = input.key_condition_expression.as_deref().ok_or_else(|| {
        EngineError::invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        )
    })?;
    let condition = expression::parse_condition("KeyConditionExpression", text, &mut references)?;
    let filter = filter(input.filter_expression.as_deref(), &mut references)?;
    let projection = expression::parse_projection(input.projection_expression.as_deref(), &mut references)?;
    references.finish()?;
    check_filter(keys, filter.as_ref())?;
    if let Some(index) = index {
        check_projected(table, index, filter.as_ref(), projection.as_ref())?;
    }
    let sort = keys.sort.as_ref().map(|sort| &*sort.name);
    let condition = KeyCondition::new(condition, &keys.partition.name, sort)?;
    check_values(keys, &condition)?;
    let order = if input.scan_index_forward == Some(false) { Order::Backward } else { Order::Forward };
    let mut range = key_range(table, index, &condition);
    if let Some(start) = &input.exclusive_start_key {
        let start = start_key(table, index, start)?;
        check_start(keys, &condition, ItemRef(&start))?;
        range = after(range, order, position(table, index, ItemRef(&start))?);
    }
    let limit = limit(input.limit)?;
    let last = condition.sort.last(order == Order::Backward);
    let last = last.filter(|_| index.is_none()).map(<[u8]>::to_vec);
    Ok(Selection { table, index, range, order, filter, projection, limit, last })
}

/// Returns what follows a position in a range that is read in this order.
fn after(range: Range, order: Order, position: Vec<u8>) -> Range {
    let Range { start, end } = range;
    match order {
        Order::Forward => Range { start: start.max(key_after(&position)), end },
        Order::Backward => Range { start, end: end.min(position) },
    }
}

fn check_filter(keys: &KeySchema, filter: Option<&Condition>) -> Result<(), EngineError> {
    let mut key = None;
    if let Some(filter) = filter {
        filter.visit_paths(&mut |path| {
            if keys.contains(&path.attribute) {
                key = Some(path.attribute.clone());
            }
        });
    }
    match key {
        Some(key) => Err(EngineError::invalid(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: {key}"
        ))),
        None => Ok(()),
    }
}

/// Checks that an index projects the attributes that a request uses.
fn check_projected(
    table: &Table,
    index: &Index,
    filter: Option<&Condition>,
    projection: Option<&Projection>,
) -> Result<(), EngineError> {
    let include = match &index.projected {
        Projected::All => return Ok(()),
        Projected::KeysOnly => &[][..],
        Projected::Include(names) => names,
    };
    let mut wanted: Vec<&str> = projection.into_iter().flat_map(Projection::attributes).collect();
    if let Some(filter) = filter {
        filter.visit_paths(&mut |path| wanted.push(&path.attribute));
    }
    let is_projected = |name: &str| {
        table.keys.contains(name) || index.keys.contains(name) || include.iter().any(|one| one == name)
    };
    match wanted.into_iter().find(|name| !is_projected(name)) {
        Some(name) => Err(EngineError::invalid(format!(
            "One or more parameter values were invalid: Global secondary index {} does not project [{name}]",
            index.name
        ))),
        None => Ok(()),
    }
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

fn key_schemas<'a>(table: &'a Table, index: Option<&'a Index>) -> impl Iterator<Item = &'a KeySchema> {
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

impl Selection<'_> {
    fn read(&self, read: &dyn Read) -> Result<Page, EngineError> {
        let mut page = Page::default();
        let space = if self.index.is_some() { Space::Index } else { Space::Items };
        try_scan(read, space, &self.range, self.order, &mut |key, sealed| {
            self.visit(key, sealed, &mut page)
        })?;
        Ok(page)
    }

    fn visit(&self, key: &[u8], sealed: &[u8], page: &mut Page) -> Result<ControlFlow<()>, StorageError> {
        if page.full.is_some() {
            // The page is full, and more items follow.
            page.last = page.full.take();
            return Ok(ControlFlow::Break(()));
        }
        let value = match self.index {
            Some(_) => Cow::Borrowed(codec::unseal(key, sealed)?),
            None => codec::unseal_item(key, sealed)?,
        };
        let keys = match self.index {
            Some(index) if index.projected == Projected::KeysOnly => {
                Some(index::keys_of_entry(self.table, index, key).ok_or(Damaged)?)
            }
            _ => None,
        };
        let item = ItemRef(keys.as_deref().unwrap_or(&value));
        page.scanned += 1;
        page.bytes += item.size();
        if self.filter.as_ref().is_none_or(|filter| expression::is_satisfied(filter, item)) {
            page.items.push(project(self.projection.as_ref(), item)?);
        }
        if page.scanned < self.limit && page.bytes < MAX_PAGE {
            return Ok(ControlFlow::Continue(()));
        }
        let names = key_schemas(self.table, self.index).flat_map(KeySchema::attributes);
        let key = pick(item.0, names.map(|attribute| &*attribute.name))?;
        if page.scanned < self.limit {
            page.full = Some(key);
            return Ok(ControlFlow::Continue(()));
        }
        let sort = self.table.keys.sort.as_ref().and_then(|sort| item.get(&sort.name));
        let is_end = self.last.is_some() && self.last.as_deref() == sort.map(|value| value.0);
        page.last = (!is_end).then_some(key);
        Ok(ControlFlow::Break(()))
    }
}
