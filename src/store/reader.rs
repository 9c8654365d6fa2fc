//! Reads the table's stream outside of Lambda: the log of the embedded engine, or the shards of DynamoDB's stream.
//!
//! Invariants: a reader ends only when it is stopped; after a failure it waits and continues. Each change is handled
//! after the earlier changes of its shard, and each shard after its parent. The engine's log counts as one shard. No
//! change is skipped, except those that the stream deleted before they were read; the reader reports that. A batch that
//! the handler rejects is passed to it again. The position is stored, so the next process continues from there. Changes
//! that were handled just before a process was killed are handled again.
//!
//! The engine stores the positions of its readers itself. For DynamoDB's stream, the table has a checkpoint for each
//! shard. A checkpoint is a change of the table too. Readers do not pass it to the handler, and they write a checkpoint
//! only after changes that they passed on, so their own writes never keep them busy.

mod log;
mod poll;
mod shard;
mod shards;
mod source;

use std::fmt::Display;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodbstreams::config::Builder;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};

pub use self::poll::Progress;

use self::log::Log;
use self::poll::{Listener, Poll, PollReport, Subscription};
use self::shards::Shards;
use super::stream::Batch;
use super::{Dynamo, Embedded, Key, StoreError};

/// How long a reader waits.
#[derive(Debug, Clone, Copy)]
pub struct PollInterval {
    /// Between two polls of a stream that has nothing new.
    pub idle: Duration,
    /// Before a failed batch is handled again. It doubles with each failure.
    pub retry: Duration,
    /// The longest wait before a retry.
    pub longest: Duration,
}

impl Default for PollInterval {
    fn default() -> Self {
        Self {
            idle: Duration::from_millis(500),
            retry: Duration::from_millis(200),
            longest: Duration::from_secs(30),
        }
    }
}

impl PollInterval {
    fn after(&self, failures: u32) -> Duration {
        self.retry.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.longest)
    }
}

enum Origin {
    Shards(Shards),
    Log(Log),
}

/// The consecutive failures of a reader. The log gets the first failure, then one a minute, and the recovery.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    logged: Option<Instant>,
}

impl Failures {
    /// The time between two log entries about the same failure.
    const QUIET: Duration = Duration::from_secs(60);

    fn add(&mut self, consumer: &str, error: &dyn Display) {
        self.count = self.count.saturating_add(1);
        if self.logged.is_none_or(|logged| logged.elapsed() >= Self::QUIET) {
            self.logged = Some(Instant::now());
            let failures = self.count;
            tracing::warn!(consumer, failures, %error, "cannot handle the stream; retrying");
        }
    }

    fn end(&mut self, consumer: &str) {
        let Self { count, logged } = take(self);
        if logged.is_some() {
            tracing::info!(consumer, failures = count, "the stream is handled again");
        }
    }
}

/// A reader of the table's stream for one consumer. Two at the same time for one consumer lose nothing, but handle
/// changes twice.
pub struct StreamReader {
    origin: Origin,
    interval: PollInterval,
    listener: Option<Listener>,
}

impl StreamReader {
    /// Creates a reader of the DynamoDB stream of `dynamo`'s table. The consumer's name is part of the checkpoints'
    /// keys. The handler receives only changes of items with `relevant` keys.
    pub fn new(dynamo: Dynamo, streams: Builder, consumer: &'static str, relevant: fn(&Key) -> bool) -> Self {
        Self::of(Origin::Shards(Shards::new(Subscription { dynamo, consumer, relevant }, streams)))
    }

    /// Creates a reader of the log of the embedded engine that holds `dynamo`'s table.
    pub fn embedded(
        dynamo: Dynamo,
        engine: Embedded,
        consumer: &'static str,
        relevant: fn(&Key) -> bool,
    ) -> Self {
        Self::of(Origin::Log(Log::new(Subscription { dynamo, consumer, relevant }, engine)))
    }

    fn of(origin: Origin) -> Self {
        Self { origin, interval: PollInterval::default(), listener: None }
    }

    fn subscription(&self) -> &Subscription {
        match &self.origin {
            Origin::Shards(shards) => &shards.source.subscription,
            Origin::Log(log) => &log.subscription,
        }
    }

    /// Sets how long the reader waits.
    pub fn paced(self, interval: PollInterval) -> Self {
        Self { interval, ..self }
    }

    /// Sets a function that receives the reader's progress. It must not block.
    pub fn reporting(self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { listener: Some(Arc::new(listener)), ..self }
    }

    /// Passes the stream's changes to `handle` until `stop` completes. A batch has up to 100 changes of DynamoDB's
    /// stream, or about 2,000 of the engine's log. The reader finishes the current batch before it stops. Failures are
    /// retried forever with growing waits, because nothing restarts the reader after credentials are renewed or a table
    /// is created.
    pub async fn run<E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        handle: impl FnMut(Arc<Batch>) -> F,
        stop: impl Future<Output = ()>,
    ) {
        // Only a reader that ends at the end of the stream returns errors.
        let _ = self.read(handle, stop, false).await;
    }

    /// Passes the changes that the stream has now to `handle`, and ends when there are no more or `stop` completes.
    ///
    /// # Errors
    /// [`StoreError`] if the stream or the table fails and a retry cannot help.
    pub async fn drain<E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        handle: impl FnMut(Arc<Batch>) -> F,
        stop: impl Future<Output = ()>,
    ) -> Result<(), StoreError> {
        self.read(handle, stop, true).await
    }

    async fn read<E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        mut handle: impl FnMut(Arc<Batch>) -> F,
        stop: impl Future<Output = ()>,
        until_end: bool,
    ) -> Result<(), StoreError> {
        let mut stop = pin!(stop);
        let mut failures = Failures::default();
        while stop.as_mut().now_or_never().is_none() {
            let mut report = PollReport { listener: self.listener.clone(), ..PollReport::default() };
            let polled = self.poll(&mut handle, &mut report).await;
            self.report(&polled, &report);
            let consumer = self.subscription().consumer;
            let wait = match polled {
                Ok(Poll::Nothing) if until_end => break,
                Ok(poll @ (Poll::More | Poll::Nothing)) => {
                    failures.end(consumer);
                    if poll == Poll::More {
                        continue;
                    }
                    self.interval.idle
                }
                Ok(Poll::Retry) => {
                    let cause = report.unhandled.unwrap_or_else(|| "the stream's shards changed".to_owned());
                    failures.add(consumer, &cause);
                    self.interval.after(failures.count)
                }
                Err(error) if until_end && !error.is_outage() => return Err(error),
                Err(error) => {
                    failures.add(consumer, &error);
                    self.interval.after(failures.count)
                }
            };
            if !self.wait(wait, stop.as_mut()).await {
                break;
            }
        }
        Ok(())
    }

    fn report(&self, polled: &Result<Poll, StoreError>, report: &PollReport) {
        let Some(listener) = &self.listener else { return };
        if let Some(at) = report.handled {
            listener(Progress::Handled(at));
        }
        match polled {
            Ok(Poll::Nothing) => listener(Progress::CaughtUp),
            Ok(Poll::More) => {}
            Ok(Poll::Retry) | Err(_) => listener(Progress::Failed),
        }
    }

    /// Waits. Returns false if `stop` completed first.
    async fn wait(&self, wait: Duration, stop: Pin<&mut impl Future<Output = ()>>) -> bool {
        use aws_smithy_async::rt::sleep::AsyncSleep as _;
        matches!(select(stop, self.subscription().dynamo.sleep.sleep(wait)).await, Either::Right(_))
    }

    async fn poll<E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        handle: &mut impl FnMut(Arc<Batch>) -> F,
        report: &mut PollReport,
    ) -> Result<Poll, StoreError> {
        match &mut self.origin {
            Origin::Shards(shards) => shards.poll(handle, report).await,
            Origin::Log(log) => log.poll(handle, report).await,
        }
    }
}
