//! The public operations on items.

use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::scan::{ScanInput, ScanOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};

use super::error::EngineError;
use super::handle::Engine;
use super::{query, read, transact, write};

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
        self.write(self.prepared(input, write::prepare_put, write::put)?)
    }

    /// Changes attributes of an item if the condition is true.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid, the condition is false, or storage fails.
    pub fn update_item(&self, input: UpdateItemInput) -> Result<UpdateItemOutput, EngineError> {
        self.write(self.prepared(input, write::prepare_update, write::update)?)
    }

    /// Deletes an item if the condition is true.
    ///
    /// # Errors
    /// [`EngineError`] if the request is invalid, the condition is false, or storage fails.
    pub fn delete_item(&self, input: DeleteItemInput) -> Result<DeleteItemOutput, EngineError> {
        self.write(self.prepared(input, write::prepare_delete, write::delete)?)
    }

    /// Performs up to 100 writes and checks atomically.
    ///
    /// # Errors
    /// [`EngineError`], with a reason for each action if one fails.
    pub fn transact_write_items(
        &self,
        input: TransactWriteItemsInput,
    ) -> Result<TransactWriteItemsOutput, EngineError> {
        self.write(self.prepared(input, transact::prepare, transact::execute)?)
    }

    /// Like [`transact_write_items`](Self::transact_write_items), but does not wait. `done` receives the result on the
    /// writer's thread, so it must be short and must not wait for another write.
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
        self.write(self.prepared(input, write::prepare_batch, write::batch)?)
    }
}
