//! Reads from DynamoDB which stream the table has, and which shards the stream has.

use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::Shard as Described;

use super::poll::Subscription;
use crate::store::StoreError;
use crate::store::line::CallError;

/// The clients that read the shards.
pub(super) struct Source {
    pub(super) subscription: Subscription,
    pub(super) streams: Client,
}

impl Source {
    /// Returns the ARN of the table's current stream.
    pub(super) async fn latest_stream(&self) -> Result<String, StoreError> {
        const OPERATION: &str = "DescribeTable";
        let request = DescribeTableInput::builder().table_name(self.subscription.dynamo.table());
        let answer = self.subscription.dynamo.call(&request).await?;
        let answer = answer.map_err(|error| StoreError::failed(OPERATION, error))?;
        let stream = answer.table.and_then(|table| table.latest_stream_arn);
        stream.ok_or_else(|| StoreError::failed(OPERATION, "the table has no stream"))
    }

    /// Returns all shards of a stream, in the order of the pages that list them.
    pub(super) async fn shards(&self, stream: &str) -> Result<Vec<Described>, StoreError> {
        const OPERATION: &str = "DescribeStream";
        let mut shards = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let attempt = async || {
                let request = self.streams.describe_stream().stream_arn(stream);
                let sent = request.set_exclusive_start_shard_id(last.clone()).send().await;
                sent.map_err(CallError::from)
            };
            let answer = self.subscription.dynamo.retry(OPERATION, attempt, CallError::is_retryable).await?;
            let answer = answer.map_err(|error| StoreError::failed(OPERATION, error))?;
            let Some(description) = answer.stream_description else { return Ok(shards) };
            shards.extend(description.shards.unwrap_or_default());
            last = description.last_evaluated_shard_id;
            if last.is_none() {
                return Ok(shards);
            }
        }
    }
}
