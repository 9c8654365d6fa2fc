//! What works beside the server: the reader of the table's stream, which counts and runs rules, and the sweeper. On AWS
//! both are functions of their own.
//!
//! What always holds: both finish what they have in hand before they end; what was cut off all the same is done by the
//! next process, for all of it may be done again.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws")]
use aws_sdk_dynamodbstreams::config::Builder;
use holdfast::app::App;
use holdfast::automation::consume::{consume, is_relevant, sweep};
use holdfast::dynamo::line::Line;
use holdfast::dynamo::stream::Change;
use holdfast::dynamo::{Embedded, StreamReader};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::serve::GRACE;

/// The reader's name in its checkpoints.
pub const CONSUMER: &str = "holdfast";
/// Between two sweeps.
const SWEEP: Duration = Duration::from_secs(20);

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
        let reader = StreamReader::embedded(app.dynamo.clone(), engine, CONSUMER, is_relevant);
        Self::start(&app, reader)
    }

    /// Begins both over this client of a table's stream.
    #[cfg(feature = "aws")]
    pub fn of_table(app: &App, streams: Builder) -> Self {
        Self::start(app, StreamReader::new(app.dynamo.clone(), streams, CONSUMER, is_relevant))
    }

    fn start(app: &App, reader: StreamReader) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(read(app.clone(), reader, stopped.clone()));
        tasks.spawn(sweep_on(app.clone(), stopped));
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

async fn read(app: App, mut reader: StreamReader, stopped: watch::Receiver<bool>) {
    let handle = |batch: Arc<[Change]>| {
        let app = app.clone();
        async move { consume(&app, &batch).await }
    };
    if let Err(error) = reader.run(handle, ended(stopped)).await {
        tracing::error!(%error, "the table's stream cannot be read: nothing is counted, and no rule runs");
    }
}

async fn sweep_on(app: App, stopped: watch::Receiver<bool>) {
    loop {
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "a sweep failed; the next one comes soon");
        }
        tokio::select! {
            () = sleep(SWEEP) => {}
            () = ended(stopped.clone()) => return,
        }
    }
}
