//! Creates the table with the definition that `template.yaml` has on AWS.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableInput;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodb::operation::update_time_to_live::UpdateTimeToLiveInput;
use aws_sdk_dynamodb::operation::update_time_to_live::builders::UpdateTimeToLiveInputBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
};

use super::{INDEXES, PK, SK, TTL};
use crate::store::line::CallError;
use crate::store::{Dynamo, StoreError};

/// Creates the table if it does not exist, as `template.yaml` does on AWS. The embedded engine and tests use it.
///
/// # Errors
/// [`StoreError::Failed`] with the engine's message.
pub async fn create_table(dynamo: &Dynamo) -> Result<(), StoreError> {
    match dynamo.call(&table(dynamo.table())?).await? {
        Ok(_) => expire_items(dynamo).await,
        // The process that created the table may have stopped before the next step.
        Err(error) if error.code() == Some("ResourceInUseException") => expire_items(dynamo).await,
        // A full disk rejects every write, but an existing table can still be read.
        Err(error) if error.is_full() && exists(dynamo).await? => Ok(()),
        Err(error) => Err(StoreError::failed("CreateTable", error)),
    }
}

/// Returns the request that creates the table with this name, as `template.yaml` defines it.
///
/// # Errors
/// [`StoreError::Failed`] if its definition is incomplete.
pub fn table(name: &str) -> Result<CreateTableInputBuilder, StoreError> {
    definition(name).map_err(|error| StoreError::failed("CreateTable", error))
}

fn definition(name: &str) -> Result<CreateTableInputBuilder, BuildError> {
    Ok(CreateTableInput::builder()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attribute_definitions()?))
        .set_key_schema(Some(key_schema(PK, SK)?))
        .set_global_secondary_indexes(Some(secondary_indexes()?))
        .stream_specification(stream()?))
}

async fn exists(dynamo: &Dynamo) -> Result<bool, StoreError> {
    let request = DescribeTableInput::builder().table_name(dynamo.table());
    Ok(dynamo.call(&request).await?.is_ok())
}

async fn expire_items(dynamo: &Dynamo) -> Result<(), StoreError> {
    match dynamo.call(&expiry(dynamo.table())?).await? {
        Err(error) if !is_already_enabled(&error) && !error.is_full() => {
            Err(StoreError::failed("UpdateTimeToLive", error))
        }
        _ => Ok(()),
    }
}

/// Returns the request that enables the expiry of items in the table with this name.
///
/// # Errors
/// [`StoreError::Failed`] if the specification is incomplete.
pub fn expiry(name: &str) -> Result<UpdateTimeToLiveInputBuilder, StoreError> {
    let specification = TimeToLiveSpecification::builder()
        .attribute_name(TTL)
        .enabled(true)
        .build()
        .map_err(|error| StoreError::failed("UpdateTimeToLive", error))?;
    let request = UpdateTimeToLiveInput::builder().table_name(name);
    Ok(request.time_to_live_specification(specification))
}

fn is_already_enabled(error: &CallError) -> bool {
    matches!(error, CallError::Service { message, .. } if message.contains("TimeToLive is already enabled"))
}

fn stream() -> Result<StreamSpecification, BuildError> {
    let stream = StreamSpecification::builder().stream_enabled(true);
    stream.stream_view_type(StreamViewType::NewAndOldImages).build()
}

fn attribute_definitions() -> Result<Vec<AttributeDefinition>, BuildError> {
    let mut names: Vec<&str> = vec![PK, SK];
    names.extend(INDEXES.iter().flat_map(|index| [index.partition, index.sort]));
    names.sort_unstable();
    names.dedup();
    let text = |name: &str| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
    };
    names.into_iter().map(text).collect()
}

fn key_schema(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>, BuildError> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build())
        .collect()
}

fn secondary_indexes() -> Result<Vec<GlobalSecondaryIndex>, BuildError> {
    INDEXES
        .iter()
        .map(|index| {
            GlobalSecondaryIndex::builder()
                .index_name(index.name)
                .set_key_schema(Some(key_schema(index.partition, index.sort)?))
                .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                .build()
        })
        .collect()
}
