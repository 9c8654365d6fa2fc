//! Descriptions of tables.

use aws_sdk_dynamodb::operation::describe_table::{DescribeTableInput, DescribeTableOutput};
use aws_sdk_dynamodb::primitives::DateTime;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, GlobalSecondaryIndexDescription, IndexStatus, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription, TableStatus,
};

use super::super::codec::Kind;
use super::super::error::{EngineError, ErrorCode};
use super::super::handle::Engine;
use super::super::parameters::required;
use super::super::tables::{Index, KeyAttribute, KeySchema, Projected, Table};

impl Engine {
    /// Describes a table. The description contains no item counts.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if the table does not exist.
    pub fn describe_table(&self, input: &DescribeTableInput) -> Result<DescribeTableOutput, EngineError> {
        let name = required(&input.table_name, "tableName")?;
        let catalog = self.catalog();
        let table = catalog.get(name).ok_or_else(|| {
            let message = format!("Requested resource not found: Table: {name} not found");
            EngineError::new(ErrorCode::ResourceNotFound, message)
        })?;
        Ok(DescribeTableOutput::builder().table(describe(table)).build())
    }
}

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
