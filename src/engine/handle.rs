//! The engine's handle: it opens the engine, reads, and has the writer judge and store writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;

use super::disk::{Disk, Finish, Priority, Published};
use super::error::{EngineError, internal};
use super::state::{Clock, State, Writing};
use super::storage::{Memory, OpenError, Read};
use super::stream::LogEnd;
use super::tables::Catalog;
use super::tokens::Tokens;

/// The engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
    priority: Priority,
}

pub(super) struct Shared {
    /// The tables as they are committed.
    catalog: Published,
    /// Held while a table is changed: the changes that take many writes come one after another.
    change_tables: Mutex<()>,
    pub(super) backend: Backend,
}

pub(super) enum Backend {
    Memory { storage: RwLock<Memory>, state: Mutex<State>, clock: Clock },
    Disk(Disk),
}

impl Engine {
    /// An empty engine in memory, without threads, that takes its time from `clock`.
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
        let shared = Arc::new(Shared { catalog, change_tables: Mutex::new(()), backend });
        Self { shared, priority: Priority::Request }
    }

    /// The engine on a data file, which is created with its directory if it is not there. It takes its time from
    /// `clock`. The file is this process's until the last clone is dropped.
    ///
    /// # Errors
    /// [`OpenError`], which says in one line what is wrong with the file.
    pub fn open(
        path: &Path,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let (disk, catalog) = Disk::open(path, Arc::new(clock))?;
        Ok(Self::new(catalog, Backend::Disk(disk)))
    }

    /// The same engine, for background work. While requests write, its writes share one commit a second; otherwise they
    /// are done at once.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { priority: Priority::Background, ..self.clone() }
    }

    /// How many clones of the engine there are, with this one.
    pub fn clones(&self) -> usize {
        Arc::strong_count(&self.shared)
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        self.shared.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change_tables(&self) -> Result<MutexGuard<'_, ()>, EngineError> {
        self.check_waiting()?;
        Ok(self.shared.change_tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses to wait for a write on the writer's own thread: it would wait for ever.
    fn check_waiting(&self) -> Result<(), EngineError> {
        match &self.shared.backend {
            Backend::Disk(disk) if disk.is_writer() => {
                Err(internal("a callback of a write cannot wait for another write"))
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

    /// As [`read`](Self::read); all that is read is of one state.
    pub(super) fn read_one_state<T>(
        &self,
        read: impl FnOnce(&dyn Read) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        match &self.shared.backend {
            Backend::Memory { .. } => self.read(read),
            Backend::Disk(disk) => disk.read_one_state(|connection| read(connection)),
        }
    }

    /// Judges a write, stores it, and returns once it is on disk.
    pub(super) fn write<T: Send + 'static>(
        &self,
        judge: impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        self.check_waiting()?;
        let (answered, answer) = std::sync::mpsc::sync_channel(1);
        self.submit(judge, move |answer| drop(answered.send(answer)))?;
        answer.recv().map_err(|_| internal("the engine's writer has stopped"))?
    }

    /// Queues a write. `done` gets the answer once it is on disk, in memory at once.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        judge: impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
        done: impl FnOnce(Result<T, EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        match &self.shared.backend {
            Backend::Memory { storage, state, clock } => {
                done(self.write_in_memory(storage, state, clock, judge));
                Ok(())
            }
            Backend::Disk(disk) => {
                let job = move |writing: &mut Writing<'_>| -> (bool, Finish) {
                    // A judgment that panics fails alone: it changed nothing but `writing`, which is not stored.
                    let answer = catch_unwind(AssertUnwindSafe(|| judge(writing))).unwrap_or_else(|_| {
                        Err(internal("the write failed unexpectedly; nothing of it is stored"))
                    });
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
        judge: impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, mut changes) = {
            let memory = storage.read().unwrap_or_else(PoisonError::into_inner);
            let mut writing = Writing::new(&*memory, &state, clock());
            let answer = judge(&mut writing)?;
            (answer, writing.changes)
        };
        storage.write().unwrap_or_else(PoisonError::into_inner).apply(std::mem::take(&mut changes.batch));
        state.adopt(changes);
        *self.shared.catalog.write().unwrap_or_else(PoisonError::into_inner) = state.catalog.clone();
        Ok(answer)
    }

    /// Checks a request here, and judges it where writes are.
    pub(super) fn prepared_write<I, P, T>(
        &self,
        input: I,
        prepare: impl Fn(&Catalog, &I) -> Result<P, EngineError> + Send + 'static,
        execute: impl FnOnce(P, &mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError>
    where
        I: Send + 'static,
        P: Send + 'static,
        T: Send + 'static,
    {
        self.write(self.prepared(input, prepare, execute)?)
    }

    /// The judgment of a request that is checked here, and again if tables changed before it is judged.
    pub(super) fn prepared<I, P, T>(
        &self,
        input: I,
        prepare: impl Fn(&Catalog, &I) -> Result<P, EngineError> + Send + 'static,
        execute: impl FnOnce(P, &mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError> + Send + 'static, EngineError>
    where
        I: Send + 'static,
        P: Send + 'static,
        T: Send + 'static,
    {
        let catalog = self.catalog();
        let plan = prepare(&catalog, &input)?;
        Ok(move |writing: &mut Writing<'_>| {
            let current = Arc::ptr_eq(&catalog, &writing.state.catalog);
            let plan = if current { plan } else { prepare(&writing.state.catalog, &input)? };
            execute(plan, writing)
        })
    }
}
