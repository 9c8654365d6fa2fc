//! The embedded engine: DynamoDB's API over SQLite, in this process, on a loopback port of its own.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use dynoxide::server::serve_with_shutdown;
use holdfast::native::engine::{KEPT_FOR, prepare, trim};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::failure::Failure;

/// The running engine.
#[derive(Debug)]
pub struct Engine {
    endpoint: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), String>>,
    expiring: JoinHandle<()>,
}

impl Engine {
    /// The longest wait for running calls at the end.
    const GRACE: Duration = Duration::from_secs(5);
    /// How often items and records of the stream past their time are dropped.
    const SWEEP: Duration = Duration::from_secs(15 * 60);

    /// Opens the file, which is made if it is not there, and answers on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`Failure::Engine`].
    pub async fn start(file: &Path) -> Result<Self, Failure> {
        let failed = |cause: String| Failure::Engine { path: file.to_owned(), cause };
        let name = file.to_str().ok_or_else(|| failed("its path is not valid Unicode".to_owned()))?;
        let database = Database::new(name).map_err(|error| failed(error.to_string()))?;
        prepare(name).map_err(|error| failed(error.to_string()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.await.map_err(|error| failed(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let (stop, stopped) = oneshot::channel();
        let expiring = tokio::spawn(expire(database.clone(), name.to_owned()));
        let serving = tokio::spawn(serve_with_shutdown(listener, database, async {
            // It stops when told, and when nobody is left who could tell it.
            let _ = stopped.await;
        }));
        Ok(Self { endpoint: format!("http://{address}"), stop, serving, expiring })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Lets running calls end, and closes the file.
    pub async fn stop(self) {
        self.expiring.abort();
        let _ = self.stop.send(());
        match timeout(Self::GRACE, self.serving).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(cause))) => tracing::warn!(cause, "the embedded database stopped with a fault"),
            Ok(Err(cause)) => tracing::warn!(%cause, "the embedded database stopped with a fault"),
            Err(_) => tracing::warn!("the embedded database is still busy, and is left to its log"),
        }
    }
}

/// Drops items and records of the stream whose time has passed, as DynamoDB does by itself: items now, and both from
/// time to time. Records that nobody read before the last process ended may be older than their time, and whoever
/// reads them gets the while until the second round to do so.
async fn expire(database: Database, file: String) {
    let mut times = interval(Engine::SWEEP);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u64.. {
        times.tick().await;
        let (database, file) = (database.clone(), file.clone());
        match tokio::task::spawn_blocking(move || sweep(&database, &file, round > 0)).await {
            Ok(Ok((items, records))) => tracing::debug!(items, records, "what is past its time was dropped"),
            Ok(Err(error)) => tracing::warn!(error, "what is past its time could not be dropped"),
            Err(error) => tracing::warn!(%error, "what is past its time could not be dropped"),
        }
    }
}

/// Drops items, and records of the stream if those are meant too, and says how many of each.
fn sweep(database: &Database, file: &str, records: bool) -> Result<(usize, usize), String> {
    let items = database.sweep_ttl().map_err(|error| error.to_string())?;
    let records = if records {
        trim(file, Timestamp::now() - KEPT_FOR).map_err(|error| error.to_string())?
    } else {
        0
    };
    Ok((items, records))
}
