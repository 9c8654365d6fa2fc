//! The embedded engine: DynamoDB's API over SQLite, in this process, on a loopback port of its own.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use dynoxide::server::serve_with_shutdown;
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
    /// How often items past their time are dropped.
    const SWEEP: Duration = Duration::from_secs(15 * 60);

    /// Opens the file, which is made if it is not there, and answers on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`Failure::Engine`].
    pub async fn start(file: &Path) -> Result<Self, Failure> {
        let failed = |cause: String| Failure::Engine { path: file.to_owned(), cause };
        let name = file.to_str().ok_or_else(|| failed("its path is not valid Unicode".to_owned()))?;
        let database = Database::new(name).map_err(|error| failed(error.to_string()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.await.map_err(|error| failed(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let (stop, stopped) = oneshot::channel();
        let expiring = tokio::spawn(expire(database.clone()));
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

/// Drops items whose time has passed, as DynamoDB does by itself: now, and from time to time.
async fn expire(database: Database) {
    let mut times = interval(Engine::SWEEP);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(dropped)) => tracing::debug!(dropped, "items past their time were dropped"),
            Ok(Err(error)) => tracing::warn!(%error, "items past their time could not be dropped"),
            Err(error) => tracing::warn!(%error, "items past their time could not be dropped"),
        }
    }
}
