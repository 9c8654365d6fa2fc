//! The shards of a DynamoDB stream. A shard is read after its parent.

use std::fmt::Display;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use jiff::Timestamp;

use super::poll::{Poll, PollReport, Subscription};
use super::shard::{Shard, Step};
use super::source::Source;
use crate::store::StoreError;
use crate::store::stream::Batch;

/// The shards of the table's latest stream.
pub(super) struct Shards {
    pub(super) source: Source,
    /// The stream whose shards these are.
    stream: Option<String>,
    shards: Vec<Shard>,
}

impl Shards {
    pub(super) fn new(subscription: Subscription, streams: Builder) -> Self {
        // The table's client already retries; the SDK's own retries would multiply the attempts.
        let attempt = subscription.dynamo.policy.attempt;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).build();
        let streams = streams
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .sleep_impl(subscription.dynamo.sleep.clone())
            .build();
        let source = Source { subscription, streams: Client::from_conf(streams) };
        Self { source, stream: None, shards: Vec::new() }
    }

    /// Takes one step in each shard whose parent was read to its end. Reports a time only if no shard failed: all changes
    /// up to it are handled in every shard. A shard that waits for its parent has only later changes.
    pub(super) async fn poll<E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        handle: &mut impl FnMut(Arc<Batch>) -> F,
        report: &mut PollReport,
    ) -> Result<Poll, StoreError> {
        if self.shards.iter().all(Shard::ended) {
            self.describe().await?;
        }
        let (mut poll, mut failed) = (Poll::Nothing, None);
        let mut handled: Vec<Option<Timestamp>> = Vec::new();
        for index in 0..self.shards.len() {
            if self.waits_for_parent(index) {
                continue;
            }
            match self.shards[index].step(&self.source, handle, report).await {
                Ok(Step::AtEnd) => {}
                Ok(Step::Read) => {
                    poll = poll.max(Poll::More);
                    handled.push(self.shards[index].handled);
                }
                Ok(Step::Unhandled) => poll = Poll::Retry,
                Ok(Step::Ended) => {
                    // Find the child shards.
                    self.describe().await?;
                    return Ok(poll.max(Poll::More));
                }
                Ok(Step::Gone) => {
                    self.shards.clear();
                    return Ok(Poll::Retry);
                }
                // The other shards continue.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if poll == Poll::More {
            // An unknown time is less than all others, so it leaves the minimum unknown.
            report.handled = handled.into_iter().min().flatten();
        }
        Ok(poll)
    }

    fn waits_for_parent(&self, index: usize) -> bool {
        let parent = self.shards[index].parent.as_ref();
        self.shards.iter().any(|shard| Some(&shard.id) == parent && !shard.ended())
    }

    /// Reads which shards the stream has. Known shards keep their positions.
    async fn describe(&mut self) -> Result<(), StoreError> {
        let stream = self.source.latest_stream().await?;
        let described = self.source.shards(&stream).await?;
        if self.stream.as_ref() != Some(&stream) {
            self.shards.clear();
        }
        self.shards.retain(|shard| described.iter().any(|described| described.shard_id() == Some(&shard.id)));
        for shard in described {
            let Some(id) = shard.shard_id else { continue };
            if !self.shards.iter().any(|known| known.id == id) {
                self.shards.push(Shard::new(&stream, id, shard.parent_shard_id));
            }
        }
        self.stream = Some(stream);
        Ok(())
    }
}
