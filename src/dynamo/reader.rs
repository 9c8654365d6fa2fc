//! Reads the table's stream where Lambda does not: on the embedded engine and on DynamoDB Local.
//!
//! What always holds: a change is handed over after those before it in its shard, and a shard's after its parent's;
//! nothing is skipped, and a batch that was not handled is handed over again. How far a reader has come stands in the
//! table, in a checkpoint for each shard, so that the next process goes on from there; what was handled just before a
//! process was killed is told again.
//!
//! A checkpoint's own write is a change as well. Readers do not hand it over, and write a checkpoint only after changes
//! that they did hand over, so that they come to rest.

mod shard;

use std::fmt::Display;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodbstreams::types::Shard as Described;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};

use self::shard::{Shard, Step};
use super::line::CallError;
use super::stream::Change;
use super::{Dynamo, StoreError};

/// How long a reader waits.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks at a stream that tells nothing new.
    pub idle: Duration,
    /// Before a batch that was not handled is handed over again; twice as long each time that it fails.
    pub retry: Duration,
    /// The longest wait before it is.
    pub longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            idle: Duration::from_millis(500),
            retry: Duration::from_millis(200),
            longest: Duration::from_secs(30),
        }
    }
}

impl Pace {
    fn after(&self, failures: u32) -> Duration {
        self.retry.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.longest)
    }
}

/// What a reader and its shards work with.
struct Source {
    dynamo: Dynamo,
    streams: Client,
    consumer: &'static str,
    relevant: Box<dyn Fn(&Change) -> bool + Send + Sync>,
}

/// A reader of the table's stream, for one consumer. Two at once for the same consumer lose nothing, and tell it twice.
pub struct StreamReader {
    source: Source,
    pace: Pace,
    /// The stream whose shards these are.
    stream: Option<String>,
    shards: Vec<Shard>,
}

/// What one look at all shards came to. The greater decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// The stream told nothing new.
    Nothing,
    /// There may be more.
    More,
    /// What failed is to be tried again after a wait.
    Later,
}

impl StreamReader {
    /// A reader of the stream of `dynamo`'s table, for the consumer with this name, which is part of the checkpoints'
    /// keys. Only changes that are `relevant` are handed over.
    pub fn new(
        dynamo: Dynamo,
        streams: Builder,
        consumer: &'static str,
        relevant: impl Fn(&Change) -> bool + Send + Sync + 'static,
    ) -> Self {
        // The table's client waits for what passes by waiting; the SDK's own retries would do so twice.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(dynamo.patience.attempt).build();
        let streams = streams
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .sleep_impl(dynamo.sleep.clone())
            .build();
        let source =
            Source { dynamo, streams: Client::from_conf(streams), consumer, relevant: Box::new(relevant) };
        Self { source, pace: Pace::default(), stream: None, shards: Vec::new() }
    }

    /// The same reader at another pace.
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Hands over what the stream tells, in batches of up to 100 changes, until `stop` is there. The batch in hand is
    /// finished first.
    ///
    /// # Errors
    /// [`StoreError`] if the stream or the table fails in a way that no waiting mends.
    pub async fn run<H, F, E>(&mut self, handle: H, stop: impl Future<Output = ()>) -> Result<(), StoreError>
    where
        H: FnMut(Arc<[Change]>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        self.read(handle, stop, false).await
    }

    /// Hands over what the stream has to tell now, and ends when it tells nothing new, or when `stop` is there.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn drain<H, F, E>(
        &mut self,
        handle: H,
        stop: impl Future<Output = ()>,
    ) -> Result<(), StoreError>
    where
        H: FnMut(Arc<[Change]>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        self.read(handle, stop, true).await
    }

    async fn read<H, F, E>(
        &mut self,
        mut handle: H,
        stop: impl Future<Output = ()>,
        to_the_end: bool,
    ) -> Result<(), StoreError>
    where
        H: FnMut(Arc<[Change]>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let mut stop = pin!(stop);
        let mut failures = 0_u32;
        while stop.as_mut().now_or_never().is_none() {
            let wait = match self.look(&mut handle).await {
                Ok(Look::More) => {
                    failures = 0;
                    continue;
                }
                Ok(Look::Nothing) if to_the_end => break,
                Ok(Look::Nothing) => {
                    failures = 0;
                    self.pace.idle
                }
                Ok(Look::Later) => {
                    failures = failures.saturating_add(1);
                    self.pace.after(failures)
                }
                Err(error @ StoreError::Unavailable { .. }) => {
                    tracing::warn!(consumer = self.source.consumer, %error, "the stream is read again later");
                    failures = failures.saturating_add(1);
                    self.pace.after(failures)
                }
                Err(error) => return Err(error),
            };
            if !self.wait(wait, stop.as_mut()).await {
                break;
            }
        }
        Ok(())
    }

    /// Waits, and says whether to go on.
    async fn wait(&self, wait: Duration, stop: Pin<&mut impl Future<Output = ()>>) -> bool {
        use aws_smithy_async::rt::sleep::AsyncSleep as _;
        matches!(select(stop, self.source.dynamo.sleep.sleep(wait)).await, Either::Right(_))
    }

    /// One step in each shard whose parent is read to its end.
    async fn look<H, F, E>(&mut self, handle: &mut H) -> Result<Look, StoreError>
    where
        H: FnMut(Arc<[Change]>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        if self.shards.iter().all(Shard::ended) {
            self.describe().await?;
        }
        let mut look = Look::Nothing;
        for index in 0..self.shards.len() {
            let parent = self.shards[index].parent.clone();
            let waits = |shard: &Shard| Some(&shard.id) == parent.as_ref() && !shard.ended();
            if self.shards.iter().any(waits) {
                continue;
            }
            match self.shards[index].step(&self.source, handle).await? {
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
        Ok(look)
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

impl Source {
    async fn latest_stream(&self) -> Result<String, StoreError> {
        const OPERATION: &str = "DescribeTable";
        let request = DescribeTableInput::builder().table_name(self.dynamo.table());
        let answer = self.dynamo.call(&request).await?;
        let answer = answer.map_err(|error| StoreError::failed(OPERATION, error))?;
        let stream = answer.table.and_then(|table| table.latest_stream_arn);
        stream.ok_or_else(|| StoreError::failed(OPERATION, "the table has no stream"))
    }

    /// All shards of a stream, in the order of the pages that list them.
    async fn shards(&self, stream: &str) -> Result<Vec<Described>, StoreError> {
        const OPERATION: &str = "DescribeStream";
        let mut shards = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let attempt = async || {
                let request = self.streams.describe_stream().stream_arn(stream);
                let sent = request.set_exclusive_start_shard_id(last.clone()).send().await;
                sent.map_err(CallError::from)
            };
            let answer = self.dynamo.retry(OPERATION, attempt, CallError::passes).await?;
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
