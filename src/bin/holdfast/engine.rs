//! The embedded engine on the data file, and what keeps it in order.

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

/// The open engine.
pub struct Engine {
    engine: engine::Engine,
    maintenance: JoinHandle<()>,
}

impl Engine {
    /// How often the stream's log is trimmed and items past their time are dropped.
    const SWEEP: Duration = Duration::from_secs(10);
    /// The longest wait for others to let go of the file, and the time between two looks at that.
    const PATIENCE: Duration = Duration::from_secs(10);
    const LOOKS: Duration = Duration::from_millis(5);
    /// How many rows of the log, and how many expired items, are removed in one write. While requests write, there is one
    /// such write a second, and it must keep up with them.
    const REMOVALS: [(Removal, usize); 2] =
        [(engine::Engine::trim_stream, 4_000), (engine::Engine::expire, 250)];

    /// Opens the data file, which is made if it is not there, of what an earlier version has left if there is such.
    ///
    /// # Errors
    /// [`Failure::Engine`], [`Failure::Former`].
    pub async fn open(data: &DataDirectory) -> Result<Self, Failure> {
        takeover::take_over(data).await?;
        let directory = data.clone();
        let opening = spawn_blocking(move || {
            let open = || {
                let clock = Clock::of_system();
                engine::Engine::open(&directory.database(), move || clock.now())
            };
            let may_want_room = |error: &OpenError| matches!(error, OpenError::Failed { .. });
            directory.with_spare_room(open, may_want_room).inspect(|_| {
                if let Err(error) = directory.keep_spare_room() {
                    tracing::warn!(%error, "there is no spare room on the disk of the data");
                }
            })
        });
        let engine = opening.await.map_err(|error| Failure::Engine(error.to_string()))?;
        let engine = engine.map_err(|error| Failure::Engine(error.to_string()))?;
        let maintenance = tokio::spawn(maintain(engine.clone()));
        Ok(Self { engine, maintenance })
    }

    /// The engine itself.
    pub fn engine(&self) -> engine::Engine {
        self.engine.clone()
    }

    /// The line to it.
    pub fn line(&self) -> Line {
        Line::to(self.embedded())
    }

    /// It as the product knows it.
    pub fn embedded(&self) -> Embedded {
        Embedded::new(self.engine.clone(), process::blocking())
    }

    /// Closes the file, after a short wait for other clones to be dropped.
    pub async fn close(self) {
        self.maintenance.abort();
        let _ = self.maintenance.await;
        let engine = self.engine;
        // A cancelled task may still hold a clone, and the next process must be able to open the file.
        let deadline = Instant::now() + Self::PATIENCE;
        while engine.clones() > 1 && Instant::now() < deadline {
            sleep(Self::LOOKS).await;
        }
        // The last clone waits for the threads of the file.
        let _ = spawn_blocking(move || drop(engine)).await;
    }
}

/// Ends what a process that was killed has begun, and drops what is past its time, as DynamoDB does by itself.
async fn maintain(engine: engine::Engine) {
    let building = engine.clone();
    attempt("indexes were not built", move || building.build_indexes().map(|()| 0)).await;
    let mut times = interval(Engine::SWEEP);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        loop {
            let mut more = false;
            for (remove, at_once) in Engine::REMOVALS {
                let engine = engine.in_background();
                let some = move || remove(&engine, at_once);
                more |= attempt("what is past its time was not removed", some).await >= at_once;
            }
            if !more {
                break;
            }
        }
    }
}

/// Does something that may wait for a disk, and says how much it was. What fails is logged, and comes again.
async fn attempt(
    failed: &'static str,
    work: impl FnOnce() -> Result<usize, EngineError> + Send + 'static,
) -> usize {
    match spawn_blocking(work).await {
        Ok(Ok(some)) => some,
        Ok(Err(error)) => {
            tracing::warn!(%error, "{failed}");
            0
        }
        Err(error) => {
            tracing::warn!(%error, "{failed}");
            0
        }
    }
}
