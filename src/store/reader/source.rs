//! Finds the table's stream and the shards of the stream.

use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::Shard as Described;

use super::poll::Subscription;
use crate::store::StoreError;
use crate::store::line::CallError;

/// The subscription, and the client that reads the stream.
pub(super) struct Source {
    pub(super) subscription: Subscription,
    pub(super) streams: Client,
}

impl Source {
    /// Returns the ARN of the table's current stream.
    pub(super) async fn latest_stream(&self) -> Result<String, StoreError> {
        let request = DescribeTableInput::builder().table_name(self.subscription.dynamo.table());
        let output = self.subscription.dynamo.output(&request).await?;
        let stream = output.table.and_then(|table| table.latest_stream_arn);
        stream.ok_or_else(|| StoreError::failed("DescribeTable", "the table has no stream"))
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
            let answer = self.subscription.dynamo.retry(OPERATION, attempt).await?;
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
