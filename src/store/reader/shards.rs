//! The shards of a DynamoDB stream, each read after the one that it was split from.

use std::fmt::Display;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};

use super::look::{Audience, Look, Seen};
use super::shard::{Shard, Step};
use super::source::Source;
use crate::store::StoreError;
use crate::store::stream::Batch;

/// The shards of the table's latest stream.
pub(super) struct Shards {
    source: Source,
    /// The stream whose shards these are.
    stream: Option<String>,
    shards: Vec<Shard>,
}

impl Shards {
    pub(super) fn new(audience: Audience, streams: Builder) -> Self {
        // The table's client waits for what passes by waiting; the SDK's own retries would do so twice.
        let attempt = audience.dynamo.policy.attempt;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).build();
        let streams = streams
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .sleep_impl(audience.dynamo.sleep.clone())
            .build();
        let source = Source { audience, streams: Client::from_conf(streams) };
        Self { source, stream: None, shards: Vec::new() }
    }

    pub(super) fn audience(&self) -> &Audience {
        &self.source.audience
    }

    /// One step in each shard whose parent is read to its end.
    pub(super) async fn look<H, F, E>(&mut self, handle: &mut H, seen: &mut Seen) -> Result<Look, StoreError>
    where
        H: FnMut(Arc<Batch>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        if self.shards.iter().all(Shard::ended) {
            self.describe().await?;
        }
        let (mut look, mut failed) = (Look::Nothing, None);
        for index in 0..self.shards.len() {
            let parent = self.shards[index].parent.clone();
            let waits = |shard: &Shard| Some(&shard.id) == parent.as_ref() && !shard.ended();
            if self.shards.iter().any(waits) {
                continue;
            }
            let step = match self.shards[index].step(&self.source, handle, seen).await {
                Ok(step) => step,
                // The other shards go on.
                Err(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            match step {
                Step::AtEnd => {}
                Step::Read => look = look.max(Look::More),
                Step::Unhandled => look = Look::Later,
                Step::Ended => {
                    // What it was split into, or what follows it.
                    self.describe().await?;
                    return Ok(look.max(Look::More));
                }
                Step::Gone => {
                    self.shards.clear();
                    return Ok(Look::Later);
                }
            }
        }
        failed.map_or(Ok(look), Err)
    }

    /// Learns which shards the stream has. Those that are known keep their places.
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
