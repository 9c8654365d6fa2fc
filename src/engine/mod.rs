//! The embedded engine: DynamoDB's semantics for what the product sends, over ordered bytes, in this process.
//!
//! Invariants:
//! - Writes are judged one after another, each against the state that all before it left. A transaction happens as a
//!   whole or not at all.
//! - On disk, nothing is answered, refusals included, before the state that it was judged against is synced.
//! - A request's parameters and expressions are checked by the caller; the one writer only judges and stores.
//! - What the engine does not support is a `ValidationException` that names it, never a silent difference.
//! - Neither input nor stored bytes can make it panic; damaged bytes are an `InternalServerError`.
//!
//! Differences from DynamoDB that callers may see: indexes are consistent at once, a batch happens as a whole, numbers
//! come back in their shortest form, nothing is throttled unless the queue of writes is full, and client request tokens
//! are forgotten when the process ends.

mod action;
mod backup;
mod capacity;
mod check;
mod codec;
mod ddl;
mod disk;
mod error;
mod expire;
mod expression;
mod index;
mod key;
mod load;
mod number;
mod operations;
mod query;
mod read;
mod readers;
mod storage;
mod stream;
mod tables;
mod transact;
mod write;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use aws_sdk_dynamodb::types::ReturnItemCollectionMetrics;
use jiff::Timestamp;

pub use self::backup::BackupError;
pub use self::check::CheckReport;
pub use self::error::{EngineError, ErrorCode};
pub use self::storage::OpenError;
pub use self::stream::{ChangeKind, StreamPage, StreamRecord};

use self::action::Effects;
use self::disk::{Disk, Priority, Published};
use self::storage::{Batch, Memory, Read, StorageError};
use self::stream::LogEnd;
use self::tables::Catalog;
use self::transact::Tokens;

/// Returns the current time.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    priority: Priority,
}

struct Shared {
    /// The tables as they are committed.
    catalog: Published,
    /// Held while a table is changed: the changes that take many writes come one after another.
    change_tables: Mutex<()>,
    backend: Backend,
}

enum Backend {
    Memory { storage: RwLock<Memory>, state: Mutex<State>, clock: Clock },
    Disk(Disk),
}

/// What the writer knows besides what is stored.
struct State {
    catalog: Arc<Catalog>,
    log: LogEnd,
    tokens: Tokens,
}

impl State {
    fn load(read: &dyn Read) -> Result<Self, StorageError> {
        Ok(Self { catalog: Arc::new(ddl::load(read)?), log: LogEnd::load(read)?, tokens: Tokens::default() })
    }

    /// Takes over what a write that succeeded changes besides what is stored.
    fn adopt(&mut self, changes: Changes) {
        self.log = changes.log;
        if let Some(catalog) = changes.catalog {
            self.catalog = catalog;
        }
        if let Some((token, remembered)) = changes.token {
            self.tokens.remember(token, remembered);
        }
    }
}

/// One write while it is judged: what it sees, and what it changes if it succeeds. Nothing else changes before that, so a
/// judgment that fails, in whatever way, leaves nothing behind.
struct Writing<'a> {
    read: &'a dyn Read,
    state: &'a State,
    now: Timestamp,
    changes: Changes,
}

/// What a write changes if it succeeds.
struct Changes {
    batch: Batch,
    /// Where the stream's log ends after the write.
    log: LogEnd,
    /// The tables after the write, if it changes them.
    catalog: Option<Arc<Catalog>>,
    /// The client request token that the write used, and what is remembered of it.
    token: Option<(transact::Fingerprint, transact::Remembered)>,
    /// Whether the write frees much space, which the data file may give back in small steps.
    frees: bool,
}

impl<'a> Writing<'a> {
    fn new(read: &'a dyn Read, state: &'a State, now: Timestamp) -> Self {
        let changes =
            Changes { batch: Batch::default(), log: state.log, catalog: None, token: None, frees: false };
        Self { read, state, now, changes }
    }

    /// Adds effects to what the write changes, with one row in the stream's log.
    fn commit(&mut self, effects: Effects) {
        let Effects { mut batch, changes, .. } = effects;
        self.changes.log.append(&changes, self.now, &mut batch);
        self.changes.batch.changes.append(&mut batch.changes);
    }
}

/// The failure of a stored value that is not what was written.
fn damaged() -> EngineError {
    storage_error(StorageError::Damaged)
}

fn internal(message: impl Into<String>) -> EngineError {
    EngineError::new(ErrorCode::InternalServer, message)
}

fn storage_error(error: StorageError) -> EngineError {
    let code = match error {
        StorageError::Full => ErrorCode::StorageFull,
        StorageError::Damaged | StorageError::Failed(_) => ErrorCode::InternalServer,
    };
    EngineError::new(code, error.to_string())
}

/// Refuses the parameters that are set.
fn refuse_unsupported(parameters: &[(&str, bool)]) -> Result<(), EngineError> {
    match parameters.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(EngineError::unsupported(name)),
        None => Ok(()),
    }
}

fn wants_metrics(metrics: &Option<ReturnItemCollectionMetrics>) -> bool {
    metrics == &Some(ReturnItemCollectionMetrics::Size)
}

/// A parameter that must be there.
fn required<'a, T>(parameter: &'a Option<T>, name: &str) -> Result<&'a T, EngineError> {
    parameter.as_ref().ok_or_else(|| {
        EngineError::invalid(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
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

    fn catalog(&self) -> Arc<Catalog> {
        self.shared.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change_tables(&self) -> Result<MutexGuard<'_, ()>, EngineError> {
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

    fn read<T>(&self, read: impl FnOnce(&dyn Read) -> Result<T, EngineError>) -> Result<T, EngineError> {
        match &self.shared.backend {
            Backend::Memory { storage, .. } => read(&*storage.read().unwrap_or_else(PoisonError::into_inner)),
            Backend::Disk(disk) => disk.read(|connection| read(connection)),
        }
    }

    /// As [`read`](Self::read); all that is read is of one state.
    fn read_one_state<T>(
        &self,
        read: impl FnOnce(&dyn Read) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        match &self.shared.backend {
            Backend::Memory { .. } => self.read(read),
            Backend::Disk(disk) => disk.read_one_state(|connection| read(connection)),
        }
    }

    /// Judges a write, stores it, and returns once it is on disk.
    fn write<T: Send + 'static>(
        &self,
        judge: impl FnOnce(&mut Writing<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        self.check_waiting()?;
        let (answered, answer) = std::sync::mpsc::sync_channel(1);
        self.submit(judge, move |answer| drop(answered.send(answer)))?;
        answer.recv().map_err(|_| internal("the engine's writer has stopped"))?
    }

    /// Queues a write. `done` gets the answer once it is on disk, in memory at once.
    fn submit<T: Send + 'static>(
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
                let job = move |writing: &mut Writing<'_>| -> (bool, disk::Finish) {
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
    fn prepared_write<I, P, T>(
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
    fn prepared<I, P, T>(
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
