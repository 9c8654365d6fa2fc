//! Reads the table's stream where Lambda does not: the log of the embedded engine, or the shards of DynamoDB's stream.
//!
//! What always holds: a change is handed over after those before it in its shard, and a shard's after its parent's; the
//! engine's log is one such shard. Nothing is skipped, and a batch that was not handled is handed over again. How far a
//! reader has come is stored, so that the next process goes on from there; what was handled just before a process was
//! killed is told again.
//!
//! The engine knows itself how far its readers have come. For DynamoDB's stream it stands in the table, in a checkpoint
//! for each shard. A checkpoint's own write is a change as well. Readers do not hand it over, and write a checkpoint only
//! after changes that they did hand over, so that they come to rest.

mod log;
mod shard;
mod shards;

use std::fmt::Display;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodbstreams::config::Builder;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};

use self::log::Log;
use self::shards::Shards;
use super::stream::Change;
use super::{Dynamo, Embedded, Key, StoreError};

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

/// For whom a stream is read.
struct Audience {
    dynamo: Dynamo,
    consumer: &'static str,
    relevant: fn(&Key) -> bool,
}

/// From where a stream is read.
enum Origin {
    Shards(Shards),
    Log(Log),
}

/// A reader of the table's stream, for one consumer. Two at once for the same consumer lose nothing, and tell it twice.
pub struct StreamReader {
    origin: Origin,
    pace: Pace,
}

/// What one look at a stream came to. The greater decides.
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
    /// A reader of the DynamoDB stream of `dynamo`'s table, for the consumer with this name, which is part of the
    /// checkpoints' keys. Only changes of items with `relevant` keys are handed over.
    pub fn new(dynamo: Dynamo, streams: Builder, consumer: &'static str, relevant: fn(&Key) -> bool) -> Self {
        let audience = Audience { dynamo, consumer, relevant };
        Self { origin: Origin::Shards(Shards::new(audience, streams)), pace: Pace::default() }
    }

    /// The same for the log of the embedded engine that has `dynamo`'s table.
    pub fn embedded(
        dynamo: Dynamo,
        engine: Embedded,
        consumer: &'static str,
        relevant: fn(&Key) -> bool,
    ) -> Self {
        let audience = Audience { dynamo, consumer, relevant };
        Self { origin: Origin::Log(Log::new(audience, engine)), pace: Pace::default() }
    }

    fn audience(&self) -> &Audience {
        match &self.origin {
            Origin::Shards(shards) => shards.audience(),
            Origin::Log(log) => log.audience(),
        }
    }

    /// The same reader at another pace.
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Hands over what the stream tells, in batches of up to 100 changes from DynamoDB's stream and some 2,000 from the
    /// engine's log, until `stop` is there. The batch in hand is finished first.
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
                Err(error) if error.is_outage() => {
                    tracing::warn!(consumer = self.audience().consumer, %error, "the stream is read again later");
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
        matches!(select(stop, self.audience().dynamo.sleep.sleep(wait)).await, Either::Right(_))
    }

    async fn look<H, F, E>(&mut self, handle: &mut H) -> Result<Look, StoreError>
    where
        H: FnMut(Arc<[Change]>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        match &mut self.origin {
            Origin::Shards(shards) => shards.look(handle).await,
            Origin::Log(log) => log.look(handle).await,
        }
    }
}
