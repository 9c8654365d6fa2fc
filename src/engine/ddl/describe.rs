//! Descriptions of tables.

use aws_sdk_dynamodb::operation::describe_table::{DescribeTableInput, DescribeTableOutput};
use aws_sdk_dynamodb::operation::describe_time_to_live::{DescribeTimeToLiveInput, DescribeTimeToLiveOutput};
use aws_sdk_dynamodb::operation::list_tables::{ListTablesInput, ListTablesOutput};
use aws_sdk_dynamodb::primitives::DateTime;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndexDescription, IndexStatus, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription, TableStatus,
    TimeToLiveDescription, TimeToLiveStatus,
};

use super::super::action::find_table;
use super::super::codec::Kind;
use super::super::error::{EngineError, ErrorCode};
use super::super::parameters::required;
use super::super::tables::{Catalog, Index, KeyAttribute, KeySchema, Projected, Table};

/// Describes time to live.
///
/// # Errors
/// `ResourceNotFoundException` if the table does not exist.
pub fn describe_time_to_live(
    catalog: &Catalog,
    input: &DescribeTimeToLiveInput,
) -> Result<DescribeTimeToLiveOutput, EngineError> {
    let table = find_table(catalog, required(&input.table_name, "tableName")?)?;
    let status = if table.ttl.is_some() { TimeToLiveStatus::Enabled } else { TimeToLiveStatus::Disabled };
    let description = TimeToLiveDescription::builder().time_to_live_status(status);
    let description = description.set_attribute_name(table.ttl.clone()).build();
    Ok(DescribeTimeToLiveOutput::builder().time_to_live_description(description).build())
}

/// Describes a table.
///
/// # Errors
/// `ResourceNotFoundException` if the table does not exist.
pub fn describe_table(
    catalog: &Catalog,
    input: &DescribeTableInput,
) -> Result<DescribeTableOutput, EngineError> {
    let name = required(&input.table_name, "tableName")?;
    let table = catalog.get(name).ok_or_else(|| {
        let message = format!("Requested resource not found: Table: {name} not found");
        EngineError::new(ErrorCode::ResourceNotFound, message)
    })?;
    Ok(DescribeTableOutput::builder().table(describe(table)).build())
}

/// Lists tables by name.
///
/// # Errors
/// A `ValidationException` if the limit is out of range.
pub fn list_tables(catalog: &Catalog, input: &ListTablesInput) -> Result<ListTablesOutput, EngineError> {
    let limit = input.limit.unwrap_or(100);
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| EngineError::invalid("Limit must be from 1 to 100"))?;
    let mut names: Vec<&String> = catalog.keys().collect();
    names.sort_unstable();
    let start = input.exclusive_start_table_name.as_ref();
    let mut names: Vec<String> =
        names.into_iter().filter(|name| start.is_none_or(|start| *name > start)).cloned().collect();
    let more = names.len() > limit;
    names.truncate(limit);
    let last = if more { names.last().cloned() } else { None };
    Ok(ListTablesOutput::builder().set_table_names(Some(names)).set_last_evaluated_table_name(last).build())
}

/// Returns the description of a table and its indexes. It contains no item counts.
pub fn describe(table: &Table) -> TableDescription {
    let arn = format!("arn:aws:dynamodb:embedded:000000000000:table/{}", table.name);
    let stream = table.stream.as_ref().map(|label| format!("{arn}/stream/{label}"));
    let specification = table.stream.as_ref().and_then(|_| {
        let specification = StreamSpecification::builder().stream_enabled(true);
        specification.stream_view_type(StreamViewType::NewAndOldImages).build().ok()
    });
    let definition = |(name, kind): (&str, Kind)| {
        let kind = match kind {
            Kind::N => ScalarAttributeType::N,
            Kind::B => ScalarAttributeType::B,
            _ => ScalarAttributeType::S,
        };
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().ok()
    };
    let indexes: Vec<_> = table.indexes.iter().map(|index| describe_index(table, index)).collect();
    TableDescription::builder()
        .table_name(&table.name)
        .table_arn(arn)
        .table_status(TableStatus::Active)
        .creation_date_time(DateTime::from_millis(table.created.as_millisecond()))
        .set_key_schema(Some(describe_keys(&table.keys)))
        .set_attribute_definitions(Some(table.definitions().into_iter().filter_map(definition).collect()))
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
        .set_stream_specification(specification)
        .set_latest_stream_label(table.stream.clone())
        .set_latest_stream_arn(stream)
        .build()
}

fn describe_keys(keys: &KeySchema) -> Vec<KeySchemaElement> {
    let element = |(position, key): (usize, &KeyAttribute)| {
        let kind = if position == 0 { KeyType::Hash } else { KeyType::Range };
        KeySchemaElement::builder().attribute_name(&key.name).key_type(kind).build().ok()
    };
    keys.attributes().enumerate().filter_map(element).collect()
}

fn describe_index(table: &Table, index: &Index) -> GlobalSecondaryIndexDescription {
    let projection = match &index.projected {
        Projected::KeysOnly => Projection::builder().projection_type(ProjectionType::KeysOnly),
        Projected::All => Projection::builder().projection_type(ProjectionType::All),
        Projected::Include(names) => Projection::builder()
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(names.clone())),
    };
    let is_building = table.building.contains(&index.id);
    GlobalSecondaryIndexDescription::builder()
        .index_name(&index.name)
        .set_key_schema(Some(describe_keys(&index.keys)))
        .projection(projection.build())
        .index_status(if is_building { IndexStatus::Creating } else { IndexStatus::Active })
        .backfilling(is_building)
        .build()
}
