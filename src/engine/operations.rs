//! The public operations of the engine.

use std::sync::Arc;

use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::create_table::{CreateTableInput, CreateTableOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::delete_table::{DeleteTableInput, DeleteTableOutput};
use aws_sdk_dynamodb::operation::describe_table::{DescribeTableInput, DescribeTableOutput};
use aws_sdk_dynamodb::operation::describe_time_to_live::{DescribeTimeToLiveInput, DescribeTimeToLiveOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::list_tables::{ListTablesInput, ListTablesOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::scan::{ScanInput, ScanOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::operation::update_table::{UpdateTableInput, UpdateTableOutput};
use aws_sdk_dynamodb::operation::update_time_to_live::{UpdateTimeToLiveInput, UpdateTimeToLiveOutput};

use super::error::EngineError;
use super::handle::Engine;
use super::tables::Table;
use super::{ddl, expire, query, read, stream, transact, write};

impl Engine {
    /// Returns the item with a key.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn get_item(&self, input: &GetItemInput) -> Result<GetItemOutput, EngineError> {
        self.read(|read| read::get_item(read, &self.catalog(), input))
    }

    /// Returns the items with up to 100 keys.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn batch_get_item(&self, input: &BatchGetItemInput) -> Result<BatchGetItemOutput, EngineError> {
        self.read(|read| read::batch_get_item(read, &self.catalog(), input))
    }

    /// Returns a page of a partition of a table or an index.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn query(&self, input: &QueryInput) -> Result<QueryOutput, EngineError> {
        self.read(|read| query::query(read, &self.catalog(), input))
    }

    /// Returns a page of a table.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn scan(&self, input: &ScanInput) -> Result<ScanOutput, EngineError> {
        self.read(|read| query::scan(read, &self.catalog(), input))
    }

    /// Stores an item if the condition is true.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid, the condition is false, or storage fails.
    pub fn put_item(&self, input: PutItemInput) -> Result<PutItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_put, write::put)
    }

    /// Changes attributes of an item if the condition is true.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid, the condition is false, or storage fails.
    pub fn update_item(&self, input: UpdateItemInput) -> Result<UpdateItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_update, write::update)
    }

    /// Deletes an item if the condition is true.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid, the condition is false, or storage fails.
    pub fn delete_item(&self, input: DeleteItemInput) -> Result<DeleteItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_delete, write::delete)
    }

    /// Performs up to 100 writes and checks atomically.
    ///
    /// # Errors
    /// [`EngineError`], with a reason for each action if one fails.
    pub fn transact_write_items(
        &self,
        input: TransactWriteItemsInput,
    ) -> Result<TransactWriteItemsOutput, EngineError> {
        self.prepared_write(input, transact::prepare, transact::execute)
    }

    /// Same as [`transact_write_items`](Self::transact_write_items), but does not wait. `done` receives the
    /// result on the writer's thread, so it must be short and must not wait for another write.
    ///
    /// # Errors
    /// [`EngineError`] if the request is malformed or the queue is full. `done` is not called in that case.
    pub fn submit_transact_write_items(
        &self,
        input: TransactWriteItemsInput,
        done: impl FnOnce(Result<TransactWriteItemsOutput, EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        self.submit(self.prepared(input, transact::prepare, transact::execute)?, done)
    }

    /// Performs up to 25 puts and deletions.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn batch_write_item(&self, input: BatchWriteItemInput) -> Result<BatchWriteItemOutput, EngineError> {
        self.prepared_write(input, write::prepare_batch, write::batch)
    }

    /// Creates a table. The table is ready when this method returns.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn create_table(&self, input: CreateTableInput) -> Result<CreateTableOutput, EngineError> {
        ddl::create_table(self, input)
    }

    /// Adds indexes to a table and fills them, or turns its stream on or off. The change is complete when
    /// this method returns.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn update_table(&self, input: UpdateTableInput) -> Result<UpdateTableOutput, EngineError> {
        ddl::update_table(self, input)
    }

    /// Completes changes that an earlier process left unfinished: fills indexes and finishes the deletion of
    /// tables. Each step is a small write.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn build_indexes(&self) -> Result<(), EngineError> {
        ddl::resume(self)
    }

    /// Describes a table. The description contains no item counts.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if the table does not exist.
    pub fn describe_table(&self, input: &DescribeTableInput) -> Result<DescribeTableOutput, EngineError> {
        ddl::describe_table(&self.catalog(), input)
    }

    /// Lists tables by name.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid.
    pub fn list_tables(&self, input: &ListTablesInput) -> Result<ListTablesOutput, EngineError> {
        ddl::list_tables(&self.catalog(), input)
    }

    /// Deletes a table with its items.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn delete_table(&self, input: DeleteTableInput) -> Result<DeleteTableOutput, EngineError> {
        ddl::delete_table(self, input)
    }

    /// Turns time to live of a table on or off.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid or storage fails.
    pub fn update_time_to_live(
        &self,
        input: UpdateTimeToLiveInput,
    ) -> Result<UpdateTimeToLiveOutput, EngineError> {
        ddl::update_time_to_live(self, input)
    }

    /// Describes time to live of a table.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if the table does not exist.
    pub fn describe_time_to_live(
        &self,
        input: &DescribeTimeToLiveInput,
    ) -> Result<DescribeTimeToLiveOutput, EngineError> {
        ddl::describe_time_to_live(&self.catalog(), input)
    }

    /// Deletes up to `limit` expired items, at most 256, and returns how many it deleted. Call it again while
    /// it returns that many.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn expire(&self, limit: usize) -> Result<usize, EngineError> {
        let limit = limit.min(stream::MAX_RECORDS);
        let tables: Vec<Arc<Table>> =
            self.catalog().values().filter(|table| table.ttl.is_some()).cloned().collect();
        let mut expired = 0;
        for table in tables {
            expired += self.write(move |context| expire::expire_some(context, &table, limit - expired))?;
        }
        Ok(expired)
    }
}
