//! What works beside the server: the reader of the table's stream, which counts and runs rules, and the sweeper. On AWS
//! both are functions of their own.
//!
//! What always holds: both work until they are stopped, whatever fails; even one that panics is begun again. Both finish
//! what they have in hand before they end; what was cut off all the same is done by the next process, for all of it may
//! be done again.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws")]
use aws_sdk_dynamodbstreams::config::Builder;
use holdfast::app::App;
use holdfast::projections::consume::is_relevant;
use holdfast::store::line::Line;
use holdfast::store::stream::Batch;
use holdfast::store::{Embedded, Progress, StreamReader};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::serve::GRACE;

/// The reader's name in its checkpoints.
pub const CONSUMER: &str = "holdfast";
/// Between two sweeps.
const SWEEP: Duration = Duration::from_secs(20);
/// Before a worker that panicked is begun again.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// The tasks beside the server.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Begins both beside the embedded engine. Statistics are written in its background.
    pub fn of_engine(app: &App, engine: &Embedded) -> Self {
        let engine = engine.in_background();
        let mut app = app.clone();
        app.background = app.background.over(Line::to(engine.clone()));
        let dynamo = app.dynamo.clone();
        let reader = move || StreamReader::embedded(dynamo.clone(), engine.clone(), CONSUMER, is_relevant);
        Self::start(&app, reader)
    }

    /// Begins both over this client of a table's stream.
    #[cfg(feature = "aws")]
    pub fn of_table(app: &App, streams: Builder) -> Self {
        let dynamo = app.dynamo.clone();
        Self::start(app, move || StreamReader::new(dynamo.clone(), streams.clone(), CONSUMER, is_relevant))
    }

    fn start(app: &App, reader: impl Fn() -> StreamReader + Send + 'static) -> Self {
        app.heartbeats.started(app.clock.now());
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let (of_reader, of_sweeper) = (app.clone(), app.clone());
        let read = move |stopped| read(of_reader.clone(), reader(), stopped);
        tasks.spawn(keep_going("the reader of the stream", AFTER_PANIC, read, stopped.clone()));
        let sweep = move |stopped| sweep_on(of_sweeper.clone(), stopped);
        tasks.spawn(keep_going("the sweeper", AFTER_PANIC, sweep, stopped));
        Self { stop, tasks }
    }

    /// Ends both, once they have finished what they have in hand.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(GRACE, all).await.is_err() {
            tracing::warn!(
                "what works beside the server did not finish in time; the next start goes on with it"
            );
        }
    }
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Does some work until it ends, and begins it again each time that it panics.
async fn keep_going<F>(
    name: &'static str,
    after_panic: Duration,
    work: impl Fn(watch::Receiver<bool>) -> F + Send,
    stopped: watch::Receiver<bool>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(work(stopped.clone())).await {
        tracing::error!(%error, "{name} panicked and begins again");
        tokio::select! {
            () = sleep(after_panic) => {}
            () = ended(stopped.clone()) => return,
        }
    }
}

async fn read(app: App, reader: StreamReader, stopped: watch::Receiver<bool>) {
    let handle = |batch: Arc<Batch>| {
        let app = app.clone();
        async move { app.projections().consume_batch(&batch).await }
    };
    let (heartbeats, clock) = (app.heartbeats.clone(), app.clock.clone());
    let listener = move |progress| match progress {
        Progress::CaughtUp => heartbeats.handled(clock.now()),
        Progress::Handled(up_to) => heartbeats.handled(up_to),
        Progress::Failed => {}
    };
    reader.reporting(listener).run(handle, ended(stopped)).await;
}

async fn sweep_on(app: App, stopped: watch::Receiver<bool>) {
    loop {
        match app.projections().sweep().await {
            Ok(()) => app.heartbeats.swept(app.clock.now()),
            Err(error) => tracing::warn!(%error, "a sweep failed; the next one comes soon"),
        }
        tokio::select! {
            () = sleep(SWEEP) => {}
            () = ended(stopped.clone()) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_worker_that_panics_is_begun_again_and_one_that_ends_is_not() {
        let (_stop, stopped) = watch::channel(false);
        let begun = Arc::new(AtomicU32::new(0));
        let count = begun.clone();
        let work = move |_| {
            let count = count.clone();
            async move {
                assert!(count.fetch_add(1, Ordering::SeqCst) >= 2, "not yet");
            }
        };
        keep_going("the test", Duration::ZERO, work, stopped).await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }
}
