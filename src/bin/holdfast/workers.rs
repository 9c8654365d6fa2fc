//! The server's background workers: the reader of the table's stream, which updates statistics and runs rules, and
//! the sweeper. On AWS both are separate functions.
//!
//! Invariants: both run until they are stopped, also after failures; a worker that panics is restarted. Both finish
//! their current work before they stop. The next process repeats interrupted work, because all of it is idempotent.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws")]
use aws_sdk_dynamodbstreams::config::Builder;
use holdfast::app::App;
use holdfast::base::telemetry::SweepFailures;
use holdfast::projections::consume::is_relevant;
use holdfast::projections::sweep::SweepError;
use holdfast::store::line::Line;
use holdfast::store::stream::Batch;
use holdfast::store::{Embedded, Progress, StreamReader};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::local::CONSUMER;
use crate::shutdown::GRACE;

/// The time between two sweeps.
const SWEEP: Duration = Duration::from_secs(20);
/// The delay before a worker that panicked is restarted.
const RESTART_DELAY: Duration = Duration::from_secs(5);

pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts both workers over the embedded engine. Statistics are written with low priority.
    pub fn of_engine(app: &App, engine: &Embedded) -> Self {
        let engine = engine.in_background();
        let mut app = app.clone();
        app.background = app.background.over(Line::to(engine.clone()));
        let dynamo = app.dynamo.clone();
        let reader = move || StreamReader::embedded(dynamo.clone(), engine.clone(), CONSUMER, is_relevant);
        let mut workers = Self::start(&app, reader);
        workers.tasks.spawn(upgrade_accounts(app.clone(), workers.stop.subscribe()));
        workers.tasks.spawn(upgrade_words(app, workers.stop.subscribe()));
        workers
    }

    /// Starts both workers over this client of a table's stream.
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
        tasks.spawn(restart_on_panic("the reader of the stream", RESTART_DELAY, read, stopped.clone()));
        let sweep = move |stopped| sweep_until_stopped(of_sweeper.clone(), stopped);
        tasks.spawn(restart_on_panic("the sweeper", RESTART_DELAY, sweep, stopped));
        Self { stop, tasks }
    }

    /// Stops both workers after their current work.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(GRACE, all).await.is_err() {
            tracing::warn!(
                "the background workers did not finish in time; the next start continues their work"
            );
        }
    }
}

/// Moves the search words of an earlier version. No other process uses the data, so none of that version runs.
async fn upgrade_words(app: App, stopped: watch::Receiver<bool>) {
    let leads = app.leads();
    let moved = tokio::select! {
        moved = leads.upgrade_words(|_| ()) => moved,
        () = stop_requested(stopped) => return,
    };
    match moved {
        Ok(0) => {}
        Ok(moved) => tracing::info!(leads = moved, "moved the search words of an earlier version"),
        Err(error) => tracing::warn!(%error, "search words were not moved; the next start continues"),
    }
}

/// Adds the accounts of an earlier version to the lists.
async fn upgrade_accounts(app: App, stopped: watch::Receiver<bool>) {
    let accounts = app.accounts();
    let added = tokio::select! {
        added = accounts.upgrade() => added,
        () = stop_requested(stopped) => return,
    };
    match added {
        Ok(0) => {}
        Ok(added) => tracing::info!(accounts = added, "added accounts of an earlier version to the lists"),
        Err(error) => {
            tracing::warn!(%error, "accounts were not added to the lists; the next start continues")
        }
    }
}

async fn stop_requested(mut stopped: watch::Receiver<bool>) {
    // A dropped sender also means stop.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Runs some work until it ends. Starts it again each time it panics.
async fn restart_on_panic<F>(
    name: &'static str,
    restart_delay: Duration,
    work: impl Fn(watch::Receiver<bool>) -> F + Send,
    stopped: watch::Receiver<bool>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(work(stopped.clone())).await {
        tracing::error!(%error, "{name} panicked and is restarted");
        tokio::select! {
            () = sleep(restart_delay) => {}
            () = stop_requested(stopped.clone()) => return,
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
        Progress::Lost => heartbeats.lost_changes(),
        Progress::Failed => {}
    };
    reader.reporting(listener).run(handle, stop_requested(stopped)).await;
}

/// Sweeps once. A sweep that ran to its end is progress, even if some of its steps failed.
async fn sweep(app: &App) {
    let error = match app.projections().sweep().await {
        Ok(()) => return app.heartbeats.swept(app.clock.now(), SweepFailures::default()),
        Err(error) => error,
    };
    tracing::warn!(%error, "a sweep failed; it will be repeated");
    if let SweepError::Steps { failures, .. } = error {
        app.heartbeats.swept(app.clock.now(), failures);
    }
}

async fn sweep_until_stopped(app: App, stopped: watch::Receiver<bool>) {
    loop {
        sweep(&app).await;
        tokio::select! {
            () = sleep(SWEEP) => {}
            () = stop_requested(stopped.clone()) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_worker_restarts_after_a_panic_but_not_after_its_end() {
        let (_stop, stopped) = watch::channel(false);
        let starts = Arc::new(AtomicU32::new(0));
        let count = starts.clone();
        let work = move |_| {
            let count = count.clone();
            async move {
                assert!(count.fetch_add(1, Ordering::SeqCst) >= 2, "not yet");
            }
        };
        restart_on_panic("the test", Duration::ZERO, work, stopped).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }
}
