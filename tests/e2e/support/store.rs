//! The store without the application: for items that a case writes or reads itself.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemOutput;
use aws_sdk_dynamodb::operation::batch_write_item::builders::BatchWriteItemInputBuilder;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemOutput;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemInputBuilder;
use aws_sdk_dynamodb::operation::get_item::GetItemOutput;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemInputBuilder;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::scan::builders::ScanInputBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemOutput;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemInputBuilder;
use holdfast::engine::Engine;

/// A store without a wire. Each operation panics with the store's error.
#[derive(Clone)]
pub enum Store {
    /// The embedded engine.
    Embedded(Engine),
    /// DynamoDB Local.
    Sdk(Client),
}

macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident: |$engine:ident, $built:ident| $call:expr;)+) => {
        impl Store {
            $(
                /// The DynamoDB operation of this name.
                pub async fn $name(&self, input: $input) -> $output {
                    match self {
                        Self::Embedded($engine) => {
                            let $built = input.build().expect("the input is whole");
                            $call.expect("the store succeeds")
                        }
                        Self::Sdk(client) => input.send_with(client).await.expect("the store succeeds"),
                    }
                }
            )+
        }
    };
}

operations! {
    batch_write_item(BatchWriteItemInputBuilder) -> BatchWriteItemOutput: |engine, input| engine.batch_write_item(input);
    delete_item(DeleteItemInputBuilder) -> DeleteItemOutput: |engine, input| engine.delete_item(input);
    get_item(GetItemInputBuilder) -> GetItemOutput: |engine, input| engine.get_item(&input);
    put_item(PutItemInputBuilder) -> PutItemOutput: |engine, input| engine.put_item(input);
    query(QueryInputBuilder) -> QueryOutput: |engine, input| engine.query(&input);
    scan(ScanInputBuilder) -> ScanOutput: |engine, input| engine.scan(&input);
    update_item(UpdateItemInputBuilder) -> UpdateItemOutput: |engine, input| engine.update_item(input);
}
