//! Creates, changes and describes tables. A change that affects all items of a table runs in small steps, and
//! only one such change runs at a time.

mod describe;
mod steps;

#[cfg(test)]
pub use self::steps::record_deletion;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::create_table::{CreateTableInput, CreateTableOutput};
use aws_sdk_dynamodb::operation::delete_table::{DeleteTableInput, DeleteTableOutput};
use aws_sdk_dynamodb::operation::update_table::{UpdateTableInput, UpdateTableOutput};
use aws_sdk_dynamodb::operation::update_time_to_live::{UpdateTimeToLiveInput, UpdateTimeToLiveOutput};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType,
    StreamSpecification, StreamViewType, TableStatus, TimeToLiveSpecification,
};

use self::describe::describe;
use super::action::find_table;
use super::catalog::table_key;
use super::codec::{self, Damaged, Kind};
use super::error::{EngineError, ErrorCode};
use super::handle::Engine;
use super::key;
use super::parameters::{reject_unsupported, required};
use super::state::WriteContext;
use super::storage::Space;
use super::tables::{Catalog, EXPIRY_INDEX, Index, KeyAttribute, KeySchema, Projected, Table};

/// The key in [`Space::Meta`] of the next table's number.
const NEXT_ID: &[u8] = b"next-table";
const MAX_INDEXES: usize = 20;

impl Engine {
    /// Creates a table. The table is ready when this method returns.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn create_table(&self, input: CreateTableInput) -> Result<CreateTableOutput, EngineError> {
        reject_unsupported(&[
            (
                "LocalSecondaryIndexes",
                input.local_secondary_indexes.as_ref().is_some_and(|all| !all.is_empty()),
            ),
            ("SSESpecification", input.sse_specification.is_some()),
            ("Tags", input.tags.is_some()),
            ("TableClass", input.table_class.is_some()),
            ("DeletionProtectionEnabled", input.deletion_protection_enabled == Some(true)),
            ("WarmThroughput", input.warm_throughput.is_some()),
            ("ResourcePolicy", input.resource_policy.is_some()),
            ("OnDemandThroughput", input.on_demand_throughput.is_some()),
            ("GlobalTableSourceArn", input.global_table_source_arn.is_some()),
            ("VectorIndexes", input.vector_indexes.is_some()),
        ])?;
        self.write(move |context| {
            let table = new_table(context, &input)?;
            let description = describe(&table);
            context.store_table(table)?;
            Ok(CreateTableOutput::builder().table_description(description).build())
        })
    }

    /// Adds indexes to a table and fills them, or turns its stream on or off. The change is complete when this method
    /// returns.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn update_table(&self, input: UpdateTableInput) -> Result<UpdateTableOutput, EngineError> {
        let is_unsupported = |update: &aws_sdk_dynamodb::types::GlobalSecondaryIndexUpdate| {
            update.create.is_none() || update.update.is_some() || update.delete.is_some()
        };
        let updates = input.global_secondary_index_updates.as_deref().unwrap_or_default();
        reject_unsupported(&[
            ("updating or deleting a global secondary index", updates.iter().any(is_unsupported)),
            ("SSESpecification", input.sse_specification.is_some()),
            ("ReplicaUpdates", input.replica_updates.is_some()),
            ("TableClass", input.table_class.is_some()),
            ("DeletionProtectionEnabled", input.deletion_protection_enabled == Some(true)),
            ("OnDemandThroughput", input.on_demand_throughput.is_some()),
            ("WarmThroughput", input.warm_throughput.is_some()),
            ("VectorIndexUpdates", input.vector_index_updates.is_some()),
        ])?;
        let name = required(&input.table_name, "tableName")?.clone();
        let _guard = self.lock_tables()?;
        self.write(move |context| {
            let table = changed_table(context, &input)?;
            context.store_table(table)
        })?;
        steps::build_indexes(self)?;
        let catalog = self.catalog();
        let description = describe(find_table(&catalog, &name)?);
        Ok(UpdateTableOutput::builder().table_description(description).build())
    }

    /// Deletes a table with its items.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn delete_table(&self, input: DeleteTableInput) -> Result<DeleteTableOutput, EngineError> {
        let name = required(&input.table_name, "tableName")?.clone();
        let _guard = self.lock_tables()?;
        let table = self.write(move |context| {
            let table = find_table(&context.state.catalog, &name)?.clone();
            context.changes.batch.delete(Space::Meta, table_key(&name));
            steps::record_deletion(context, &table);
            let mut catalog = Catalog::clone(&context.state.catalog);
            catalog.remove(&name);
            context.changes.catalog = Some(Arc::new(catalog));
            Ok(table)
        })?;
        steps::finish_deletions(self)?;
        let mut description = describe(&table);
        description.table_status = Some(TableStatus::Deleting);
        Ok(DeleteTableOutput::builder().table_description(description).build())
    }

    /// Turns time to live of a table on or off.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn update_time_to_live(
        &self,
        input: UpdateTimeToLiveInput,
    ) -> Result<UpdateTimeToLiveOutput, EngineError> {
        let name = required(&input.table_name, "tableName")?.clone();
        let wanted = required(&input.time_to_live_specification, "timeToLiveSpecification")?.clone();
        let _guard = self.lock_tables()?;
        let catalog = self.catalog();
        let table = find_table(&catalog, &name)?;
        check_time_to_live(table, &wanted)?;
        let ttl_prefix = key::index_prefix(table.id, EXPIRY_INDEX);
        if wanted.enabled {
            steps::delete_prefix(self, Space::Index, ttl_prefix.clone())?;
        }
        let specification = wanted.clone();
        self.write(move |context| {
            let mut table = Table::clone(find_table(&context.state.catalog, &name)?);
            table.ttl = wanted.enabled.then_some(wanted.attribute_name);
            table.building.retain(|id| *id != EXPIRY_INDEX);
            if wanted.enabled {
                table.building.push(EXPIRY_INDEX);
            }
            context.store_table(table)
        })?;
        if specification.enabled {
            steps::build_indexes(self)?;
        } else {
            steps::delete_prefix(self, Space::Index, ttl_prefix)?;
        }
        Ok(UpdateTimeToLiveOutput::builder().time_to_live_specification(specification).build())
    }

    /// Completes changes that an earlier process left unfinished: fills indexes and finishes the deletion of tables.
    /// Each step is a small write.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn build_indexes(&self) -> Result<(), EngineError> {
        let _guard = self.lock_tables()?;
        steps::finish_deletions(self)?;
        steps::build_indexes(self)
    }
}

impl WriteContext<'_> {
    fn store_table(&mut self, table: Table) -> Result<(), EngineError> {
        self.changes.batch.put_sealed(Space::Meta, table_key(&table.name), &table.encode()?);
        let mut catalog = Catalog::clone(&self.state.catalog);
        catalog.insert(table.name.clone(), Arc::new(table));
        self.changes.catalog = Some(Arc::new(catalog));
        Ok(())
    }

    fn next_table_id(&mut self) -> Result<u16, EngineError> {
        let id = match self.read.get(Space::Meta, NEXT_ID)? {
            None => 1,
            Some(sealed) => {
                let bytes = codec::unseal(NEXT_ID, &sealed)?;
                u16::from_be_bytes(bytes.try_into().map_err(|_| Damaged)?)
            }
        };
        let next = id.checked_add(1).filter(|next| *next < u16::MAX);
        let next = next.ok_or_else(|| EngineError::invalid("too many tables were created"))?;
        self.changes.batch.put_sealed(Space::Meta, NEXT_ID.to_vec(), &next.to_be_bytes());
        Ok(id)
    }
}

fn invalid(message: &str) -> EngineError {
    EngineError::invalid(format!("One or more parameter values were invalid: {message}"))
}

type Definitions = BTreeMap<String, Kind>;

fn definitions(definitions: Option<&Vec<AttributeDefinition>>) -> Result<Definitions, EngineError> {
    let definitions = definitions.into_iter().flatten();
    definitions
        .map(|definition| {
            let kind = match &definition.attribute_type {
                ScalarAttributeType::S => Kind::S,
                ScalarAttributeType::N => Kind::N,
                ScalarAttributeType::B => Kind::B,
                _ => return Err(invalid("An attribute definition has an unknown type")),
            };
            Ok((definition.attribute_name.clone(), kind))
        })
        .collect()
}

fn key_schema(elements: &[KeySchemaElement], definitions: &Definitions) -> Result<KeySchema, EngineError> {
    let attribute = |element: &KeySchemaElement| {
        let name = element.attribute_name.clone();
        let kind = definitions.get(&name).copied();
        let message = "Some index key attributes are not defined in AttributeDefinitions";
        kind.map(|kind| KeyAttribute { name, kind }).ok_or_else(|| invalid(message))
    };
    match elements {
        [partition] if partition.key_type == KeyType::Hash => {
            Ok(KeySchema { partition: attribute(partition)?, sort: None })
        }
        [partition, sort]
            if partition.key_type == KeyType::Hash
                && sort.key_type == KeyType::Range
                && partition.attribute_name != sort.attribute_name =>
        {
            Ok(KeySchema { partition: attribute(partition)?, sort: Some(attribute(sort)?) })
        }
        _ => Err(invalid("A key schema is a HASH attribute, optionally followed by a RANGE attribute")),
    }
}

fn projected(projection: Option<&Projection>) -> Result<Projected, EngineError> {
    let projection = projection.ok_or_else(|| invalid("An index has no Projection"))?;
    let names = projection.non_key_attributes.clone().unwrap_or_default();
    match (&projection.projection_type, names.is_empty()) {
        (Some(ProjectionType::KeysOnly), true) => Ok(Projected::KeysOnly),
        (Some(ProjectionType::All), true) => Ok(Projected::All),
        (Some(ProjectionType::Include), false) => Ok(Projected::Include(names)),
        _ => Err(invalid("NonKeyAttributes must be given for the projection type INCLUDE and no other")),
    }
}

fn new_index(
    table: &Table,
    name: &str,
    keys: &[KeySchemaElement],
    projection: Option<&Projection>,
    definitions: &Definitions,
) -> Result<Index, EngineError> {
    check_name(name)?;
    if table.index(name).is_some() {
        return Err(invalid(&format!("Duplicate index name: {name}")));
    }
    if table.indexes.len() >= MAX_INDEXES {
        return Err(invalid("A table has at most 20 global secondary indexes"));
    }
    let id = table.indexes.iter().map(|index| index.id).max().unwrap_or(0) + 1;
    let keys = key_schema(keys, definitions)?;
    Ok(Index { id, name: name.to_owned(), keys, projected: projected(projection)? })
}

fn check_name(name: &str) -> Result<(), EngineError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (3..=255).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(EngineError::invalid(
        "A table or index name must have 3 to 255 of the characters a-z, A-Z, 0-9, _, - and .",
    ))
}

fn stream_enabled(stream: Option<&StreamSpecification>) -> Result<Option<bool>, EngineError> {
    let Some(stream) = stream else { return Ok(None) };
    match (stream.stream_enabled, &stream.stream_view_type) {
        (false, _) => Ok(Some(false)),
        (true, Some(StreamViewType::NewAndOldImages)) => Ok(Some(true)),
        _ => Err(EngineError::unsupported("a StreamViewType other than NEW_AND_OLD_IMAGES")),
    }
}

fn new_table(context: &mut WriteContext<'_>, input: &CreateTableInput) -> Result<Table, EngineError> {
    let name = required(&input.table_name, "tableName")?;
    check_name(name)?;
    let definitions = definitions(input.attribute_definitions.as_ref())?;
    let keys = key_schema(input.key_schema.as_deref().unwrap_or_default(), &definitions)?;
    let stream = stream_enabled(input.stream_specification.as_ref())? == Some(true);
    let mut table = Table {
        id: 0,
        name: name.to_owned(),
        keys,
        indexes: Vec::new(),
        stream: stream.then(|| context.now.to_string()),
        ttl: None,
        building: Vec::new(),
        created: context.now,
    };
    for wanted in input.global_secondary_indexes.iter().flatten() {
        let projection = wanted.projection.as_ref();
        let index = new_index(&table, &wanted.index_name, &wanted.key_schema, projection, &definitions)?;
        table.indexes.push(index);
    }
    if table.definitions().len() != definitions.len() {
        return Err(invalid("Some AttributeDefinitions are not used"));
    }
    if context.state.catalog.contains_key(name) {
        return Err(EngineError::new(ErrorCode::ResourceInUse, format!("Table already exists: {name}")));
    }
    table.id = context.next_table_id()?;
    Ok(table)
}

fn changed_table(context: &WriteContext<'_>, input: &UpdateTableInput) -> Result<Table, EngineError> {
    let name = required(&input.table_name, "tableName")?;
    let mut table = Table::clone(find_table(&context.state.catalog, name)?);
    let mut definitions = definitions(input.attribute_definitions.as_ref())?;
    definitions.extend(table.definitions().into_iter().map(|(name, kind)| (name.to_owned(), kind)));
    for update in input.global_secondary_index_updates.iter().flatten() {
        let Some(create) = &update.create else { continue };
        let projection = create.projection.as_ref();
        let index = new_index(&table, &create.index_name, &create.key_schema, projection, &definitions)?;
        table.building.push(index.id);
        table.indexes.push(index);
    }
    match (stream_enabled(input.stream_specification.as_ref())?, table.stream.is_some()) {
        (Some(true), true) => {
            return Err(EngineError::invalid(format!(
                "Table already has an enabled stream: TableName: {name}"
            )));
        }
        (Some(true), false) => table.stream = Some(context.now.to_string()),
        (Some(false), _) => table.stream = None,
        (None, _) => {}
    }
    Ok(table)
}

fn check_time_to_live(table: &Table, wanted: &TimeToLiveSpecification) -> Result<(), EngineError> {
    let reject = |message: &str| Err(EngineError::invalid(message));
    match &table.ttl {
        Some(attribute) if *attribute != wanted.attribute_name => {
            reject("TimeToLive is active on a different AttributeName")
        }
        Some(_) if wanted.enabled => reject("TimeToLive is already enabled"),
        None if !wanted.enabled => reject("TimeToLive is already disabled"),
        _ => Ok(()),
    }
}
