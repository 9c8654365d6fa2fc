//! The embedded engine on the data file, and its maintenance.

use std::time::{Duration, Instant};

use holdfast::base::clock::Clock;
use holdfast::engine::{self, EngineError, OpenError};
use holdfast::hosts::process;
use holdfast::store::Embedded;
use holdfast::store::line::Line;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::takeover;

/// Removes up to this many entries, and returns how many it removed.
type Removal = fn(&engine::Engine, usize) -> Result<usize, EngineError>;

/// The open engine, with the task that maintains it.
pub struct Engine {
    engine: engine::Engine,
    maintenance: JoinHandle<()>,
}

impl Engine {
    /// How often the stream's log is trimmed and expired items are removed.
    const SWEEP: Duration = Duration::from_secs(10);
    /// How long to wait until all other clones of the engine are dropped, and how often to check.
    const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
    const CLOSE_INTERVAL: Duration = Duration::from_millis(5);
    /// How many rows of the log, and how many expired items, one write removes. While requests write, there is one
    /// such write a second, which must keep up with them.
    const REMOVALS: [(Removal, usize); 2] =
        [(engine::Engine::trim_stream, 4_000), (engine::Engine::expire, 250)];

    /// Opens the data file. Creates it if it does not exist, from the data of an earlier version if there is any.
    pub async fn open(data: &DataDirectory) -> Result<Self, Failure> {
        takeover::take_over(data).await?;
        let directory = data.clone();
        let opening = spawn_blocking(move || {
            let open = || {
                let clock = Clock::of_system();
                engine::Engine::open(&directory.database(), move || clock.now())
            };
            let may_need_space = |error: &OpenError| matches!(error, OpenError::Failed { .. });
            directory.with_reserved_space(open, may_need_space).inspect(|_| {
                if let Err(error) = directory.reserve_space() {
                    tracing::warn!(%error, "cannot reserve disk space for the data");
                }
            })
        });
        let engine = opening.await.map_err(Failure::engine)?.map_err(Failure::engine)?;
        let maintenance = tokio::spawn(maintain(engine.clone()));
        Ok(Self { engine, maintenance })
    }

    pub fn engine(&self) -> engine::Engine {
        self.engine.clone()
    }

    /// Returns a line to the engine.
    pub fn line(&self) -> Line {
        Line::to(self.embedded())
    }

    /// Returns the engine as `store` uses it.
    pub fn embedded(&self) -> Embedded {
        Embedded::new(self.engine.clone(), process::blocking())
    }

    /// Closes the file, after a short wait for other clones to be dropped.
    pub async fn close(self) {
        self.maintenance.abort();
        let _ = self.maintenance.await;
        let engine = self.engine;
        // A canceled task may still hold a clone, and the next process must be able to open the file.
        let deadline = Instant::now() + Self::CLOSE_TIMEOUT;
        while engine.clones() > 1 && Instant::now() < deadline {
            sleep(Self::CLOSE_INTERVAL).await;
        }
        // Dropping the last clone waits for the file's threads.
        let _ = spawn_blocking(move || drop(engine)).await;
    }
}

/// Finishes what a killed process has started, and removes expired data, as DynamoDB does by itself.
async fn maintain(engine: engine::Engine) {
    let building = engine.clone();
    attempt("indexes were not built", move || building.build_indexes().map(|()| 0)).await;
    let mut times = interval(Engine::SWEEP);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        loop {
            let mut more = false;
            for (remove, limit) in Engine::REMOVALS {
                let engine = engine.in_background();
                let work = move || remove(&engine, limit);
                more |= attempt("expired data was not removed", work).await >= limit;
            }
            if !more {
                break;
            }
        }
    }
}

/// Runs some blocking work and returns its count. Logs a failure and returns 0; the work is repeated later.
async fn attempt(
    failed: &'static str,
    work: impl FnOnce() -> Result<usize, EngineError> + Send + 'static,
) -> usize {
    let error = match spawn_blocking(work).await {
        Ok(Ok(count)) => return count,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(%error, "{failed}");
    0
}
