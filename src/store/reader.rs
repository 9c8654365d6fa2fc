//! Reads the table's stream where Lambda does not: the log of the embedded engine, or the shards of DynamoDB's stream.
//!
//! What always holds: whatever fails, the reader waits and goes on; it ends when it is stopped and at no other time. A
//! change is handed over after those before it in its shard, and a shard's after its parent's; the
//! engine's log is one such shard. Nothing is skipped, and a batch that was not handled is handed over again. How far a
//! reader has come is stored, so that the next process goes on from there; what was handled just before a process was
//! killed is told again.
//!
//! The engine knows itself how far its readers have come. For DynamoDB's stream it stands in the table, in a checkpoint
//! for each shard. A checkpoint's own write is a change as well. Readers do not hand it over, and write a checkpoint only
//! after changes that they did hand over, so that they come to rest.

mod log;
mod look;
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
use jiff::Timestamp;

use self::log::Log;
use self::look::{Audience, Look, Seen};
use self::shards::Shards;
use super::stream::Batch;
use super::{Dynamo, Embedded, Key, StoreError};

/// How long a reader waits.
#[derive(Debug, Clone, Copy)]
pub struct PollInterval {
    /// Between two looks at a stream that tells nothing new.
    pub idle: Duration,
    /// Before a batch that was not handled is handed over again; twice as long each time that it fails.
    pub retry: Duration,
    /// The longest wait before it is.
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

/// From where a stream is read.
enum Origin {
    Shards(Shards),
    Log(Log),
}

/// How a reader is getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything that the stream holds is handled.
    CaughtUp,
    /// All changes up to this time are handled, and there may be more.
    Handled(Timestamp),
    /// Reading or handling failed, and is tried again.
    Failed,
}

/// What is called with the progress of a reader.
type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// The failures in a row of a reader, and what of them is logged: the first, then one a minute, and that they ended.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    logged: Option<Instant>,
}

impl Failures {
    /// Between two lines about the same trouble.
    const QUIET: Duration = Duration::from_secs(60);

    fn add(&mut self, consumer: &str, error: &dyn Display) {
        self.count = self.count.saturating_add(1);
        if self.logged.is_none_or(|logged| logged.elapsed() >= Self::QUIET) {
            self.logged = Some(Instant::now());
            let failures = self.count;
            tracing::warn!(consumer, failures, %error, "the stream is not handled now and is tried again");
        }
    }

    fn end(&mut self, consumer: &str) {
        let Self { count, logged } = take(self);
        if logged.is_some() {
            tracing::info!(consumer, failures = count, "the stream is handled again");
        }
    }
}

/// A reader of the table's stream, for one consumer. Two at once for the same consumer lose nothing, and tell it twice.
pub struct StreamReader {
    origin: Origin,
    pace: PollInterval,
    listener: Option<Listener>,
}

impl StreamReader {
    /// A reader of the DynamoDB stream of `dynamo`'s table, for the consumer with this name, which is part of the
    /// checkpoints' keys. Only changes of items with `relevant` keys are handed over.
    pub fn new(dynamo: Dynamo, streams: Builder, consumer: &'static str, relevant: fn(&Key) -> bool) -> Self {
        let audience = Audience { dynamo, consumer, relevant };
        Self {
            origin: Origin::Shards(Shards::new(audience, streams)),
            pace: PollInterval::default(),
            listener: None,
        }
    }

    /// The same for the log of the embedded engine that has `dynamo`'s table.
    pub fn embedded(
        dynamo: Dynamo,
        engine: Embedded,
        consumer: &'static str,
        relevant: fn(&Key) -> bool,
    ) -> Self {
        let audience = Audience { dynamo, consumer, relevant };
        Self {
            origin: Origin::Log(Log::new(audience, engine)),
            pace: PollInterval::default(),
            listener: None,
        }
    }

    fn audience(&self) -> &Audience {
        match &self.origin {
            Origin::Shards(shards) => shards.audience(),
            Origin::Log(log) => log.audience(),
        }
    }

    /// The same reader at another pace.
    pub fn paced(self, pace: PollInterval) -> Self {
        Self { pace, ..self }
    }

    /// The same reader, which says how it is getting on. The listener must not block.
    pub fn reporting(self, listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { listener: Some(Arc::new(listener)), ..self }
    }

    /// Hands over what the stream tells, in batches of up to 100 changes from DynamoDB's stream and some 2,000 from the
    /// engine's log, until `stop` is there. The batch in hand is finished first. Whatever fails is tried again for ever,
    /// with longer and longer waits: credentials are renewed, tables are made, and nobody starts the reader again.
    pub async fn run<H, F, E>(&mut self, handle: H, stop: impl Future<Output = ()>)
    where
        H: FnMut(Arc<Batch>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        // Without an end to come to there is no error to come to either.
        let _ = self.read(handle, stop, false).await;
    }

    /// Hands over what the stream has to tell now, and ends when it tells nothing new, or when `stop` is there.
    ///
    /// # Errors
    /// [`StoreError`] if the stream or the table fails in a way that no waiting mends.
    pub async fn drain<H, F, E>(
        &mut self,
        handle: H,
        stop: impl Future<Output = ()>,
    ) -> Result<(), StoreError>
    where
        H: FnMut(Arc<Batch>) -> F,
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
        H: FnMut(Arc<Batch>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let mut stop = pin!(stop);
        let mut failures = Failures::default();
        while stop.as_mut().now_or_never().is_none() {
            let mut seen = Seen::default();
            let looked = self.look(&mut handle, &mut seen).await;
            self.report(&looked, &seen);
            let consumer = self.audience().consumer;
            let wait = match looked {
                Ok(Look::Nothing) if to_the_end => break,
                Ok(look @ (Look::More | Look::Nothing)) => {
                    failures.end(consumer);
                    if look == Look::More {
                        continue;
                    }
                    self.pace.idle
                }
                Ok(Look::Later) => {
                    let cause =
                        seen.unhandled.unwrap_or_else(|| "the stream has other shards now".to_owned());
                    failures.add(consumer, &cause);
                    self.pace.after(failures.count)
                }
                Err(error) if to_the_end && !error.is_outage() => return Err(error),
                Err(error) => {
                    failures.add(consumer, &error);
                    self.pace.after(failures.count)
                }
            };
            if !self.wait(wait, stop.as_mut()).await {
                break;
            }
        }
        Ok(())
    }

    fn report(&self, looked: &Result<Look, StoreError>, seen: &Seen) {
        let Some(listener) = &self.listener else { return };
        if let Some(at) = seen.handled {
            listener(Progress::Handled(at));
        }
        match looked {
            Ok(Look::Nothing) => listener(Progress::CaughtUp),
            Ok(Look::More) => {}
            Ok(Look::Later) | Err(_) => listener(Progress::Failed),
        }
    }

    /// Waits, and says whether to go on.
    async fn wait(&self, wait: Duration, stop: Pin<&mut impl Future<Output = ()>>) -> bool {
        use aws_smithy_async::rt::sleep::AsyncSleep as _;
        matches!(select(stop, self.audience().dynamo.sleep.sleep(wait)).await, Either::Right(_))
    }

    async fn look<H, F, E>(&mut self, handle: &mut H, seen: &mut Seen) -> Result<Look, StoreError>
    where
        H: FnMut(Arc<Batch>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        match &mut self.origin {
            Origin::Shards(shards) => shards.look(handle, seen).await,
            Origin::Log(log) => log.look(handle, seen).await,
        }
    }
}
