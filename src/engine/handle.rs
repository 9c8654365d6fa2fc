//! The engine's handle: opens the engine, reads, and submits writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;

use super::disk::{Completion, Disk, Priority, Published};
use super::error::EngineError;
use super::state::{Clock, State, WriteContext};
use super::storage::{Memory, OpenError, Read};
use super::stream::LogEnd;
use super::tables::Catalog;
use super::tokens::Tokens;

/// The embedded engine. Clones share the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
    priority: Priority,
}

pub(super) struct Shared {
    /// The committed tables.
    catalog: Published,
    /// Serializes changes of tables that take several writes.
    table_lock: Mutex<()>,
    pub(super) backend: Backend,
}

pub(super) enum Backend {
    Memory { storage: RwLock<Memory>, state: Mutex<State>, clock: Clock },
    Disk(Disk),
}

impl Engine {
    /// Creates an empty engine in memory, without threads. `clock` returns the current time.
    pub fn in_memory(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let catalog = Arc::new(Catalog::new());
        let state = State { catalog: catalog.clone(), log: LogEnd::default(), tokens: Tokens::default() };
        let backend = Backend::Memory {
            storage: RwLock::new(Memory::default()),
            state: Mutex::new(state),
            clock: Arc::new(clock),
        };
        Self::new(Arc::new(RwLock::new(catalog)), backend)
    }

    fn new(catalog: Published, backend: Backend) -> Self {
        let shared = Arc::new(Shared { catalog, table_lock: Mutex::new(()), backend });
        Self { shared, priority: Priority::Request }
    }

    /// Opens the engine on a data file. Creates the file and its directory if they do not exist. `clock`
    /// returns the current time. The process has exclusive access to the file until the last clone is
    /// dropped.
    ///
    /// # Errors
    /// [`OpenError`], which describes the problem in one line.
    pub fn open(
        path: &Path,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let (disk, catalog) = Disk::open(path, Arc::new(clock))?;
        Ok(Self::new(catalog, Backend::Disk(disk)))
    }

    /// Returns a handle to the same engine for background work. While requests write, background writes share
    /// one commit a second. Otherwise they run immediately.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { priority: Priority::Background, ..self.clone() }
    }

    /// Returns the number of clones of the engine, including this one.
    pub fn clones(&self) -> usize {
        Arc::strong_count(&self.shared)
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.shared.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn lock_tables(&self) -> Result<MutexGuard<'_, ()>, EngineError> {
        self.check_not_on_writer_thread()?;
        Ok(self.shared.table_lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Rejects waiting for a write on the writer's own thread, which would deadlock.
    fn check_not_on_writer_thread(&self) -> Result<(), EngineError> {
        match &self.shared.backend {
            Backend::Disk(disk) if disk.is_writer() => {
                Err(EngineError::internal("the callback of a write cannot wait for another write"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&dyn Read) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        match &self.shared.backend {
            Backend::Memory { storage, .. } => read(&*storage.read().unwrap_or_else(PoisonError::into_inner)),
            Backend::Disk(disk) => disk.read(|connection| read(connection)),
        }
    }

    /// Like [`read`](Self::read), but all reads see one snapshot.
    pub(super) fn read_snapshot<T>(
        &self,
        read: impl FnOnce(&dyn Read) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        match &self.shared.backend {
            Backend::Memory { .. } => self.read(read),
            Backend::Disk(disk) => disk.read_snapshot(|connection| read(connection)),
        }
    }

    /// Evaluates a write, stores it, and returns when it is on disk.
    pub(super) fn write<T: Send + 'static>(
        &self,
        evaluate: impl FnOnce(&mut WriteContext<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        self.check_not_on_writer_thread()?;
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.submit(evaluate, move |answer| drop(sender.send(answer)))?;
        receiver.recv().map_err(|_| EngineError::internal("the engine's writer has stopped"))?
    }

    /// Queues a write. `done` receives the result when the write is on disk, or immediately if the engine is
    /// in memory.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        evaluate: impl FnOnce(&mut WriteContext<'_>) -> Result<T, EngineError> + Send + 'static,
        done: impl FnOnce(Result<T, EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        match &self.shared.backend {
            Backend::Memory { storage, state, clock } => {
                done(self.write_in_memory(storage, state, clock, evaluate));
                Ok(())
            }
            Backend::Disk(disk) => {
                let job = move |context: &mut WriteContext<'_>| -> (bool, Completion) {
                    // A panic affects only this write: it changed only `context`, which is not stored.
                    let failed = "the write failed unexpectedly, and nothing was stored";
                    let answer = catch_unwind(AssertUnwindSafe(|| evaluate(context)))
                        .unwrap_or_else(|_| Err(EngineError::internal(failed)));
                    let store = answer.is_ok();
                    (store, Box::new(move |stored: Result<(), EngineError>| done(stored.and(answer))))
                };
                disk.submit(Box::new(job), self.priority)
            }
        }
    }

    fn write_in_memory<T>(
        &self,
        storage: &RwLock<Memory>,
        state: &Mutex<State>,
        clock: &Clock,
        evaluate: impl FnOnce(&mut WriteContext<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, mut changes) = {
            let memory = storage.read().unwrap_or_else(PoisonError::into_inner);
            let mut context = WriteContext::new(&*memory, &state, clock());
            let answer = evaluate(&mut context)?;
            (answer, context.changes)
        };
        storage.write().unwrap_or_else(PoisonError::into_inner).apply(std::mem::take(&mut changes.batch));
        state.apply(changes);
        *self.shared.catalog.write().unwrap_or_else(PoisonError::into_inner) = state.catalog.clone();
        Ok(answer)
    }

    /// Checks a request on the caller's thread and returns its evaluation for the writer's thread. The evaluation
    /// repeats the check if tables have changed.
    pub(super) fn prepared<I, P, T>(
        &self,
        input: I,
        prepare: impl Fn(&Catalog, &I) -> Result<P, EngineError> + Send + 'static,
        execute: impl FnOnce(P, &mut WriteContext<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<impl FnOnce(&mut WriteContext<'_>) -> Result<T, EngineError> + Send + 'static, EngineError>
    where
        I: Send + 'static,
        P: Send + 'static,
        T: Send + 'static,
    {
        let catalog = self.catalog();
        let plan = prepare(&catalog, &input)?;
        Ok(move |context: &mut WriteContext<'_>| {
            let current = Arc::ptr_eq(&catalog, &context.state.catalog);
            let plan = if current { plan } else { prepare(&context.state.catalog, &input)? };
            execute(plan, context)
        })
    }
}
