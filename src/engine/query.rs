//! Reads ranges: Query and Scan.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::scan::{ScanInput, ScanOutput};

use self::range::{key_schemas, range_of_query, range_of_scan};
use super::action::{find_table, pick};
use super::capacity::{Usage, read_units};
use super::codec::{self, Attributes, Damaged, ItemRef};
use super::error::EngineError;
use super::expression::{self, Condition, KeyCondition, Projection, References};
use super::index;
use super::parameters::{reject_unsupported, required};
use super::read::project;
use super::storage::{Order, Range, Read, Space, StorageError, try_scan};
use super::tables::{Catalog, Index, KeySchema, Projected, Table};

mod range;

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
    let range = range_of_scan(table, input.exclusive_start_key.as_ref())?;
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
    let order = if input.scan_index_forward == Some(false) { Order::Backward } else { Order::Forward };
    let range = range_of_query(table, index, &condition, order, input.exclusive_start_key.as_ref())?;
    let limit = limit(input.limit)?;
    let last = condition.sort.last(order == Order::Backward);
    let last = last.filter(|_| index.is_none()).map(<[u8]>::to_vec);
    Ok(Selection { table, index, range, order, filter, projection, limit, last })
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
