//! The engine on a data file: one writer with group commit, readers in parallel, checkpoints beside them.
//!
//! Invariants: writes are judged one after another, each against what all before it left, in one SQLite transaction for
//! each group; a group is what came while the group before it was synced. No write is answered, and none is refused,
//! before its group is on disk. If a group cannot be stored, all its writes fail and nothing of them remains.

#![allow(clippy::disallowed_methods, reason = "the threads of the data file are the engine's own")]

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::error::{EngineError, ErrorCode};
use super::storage::sqlite::{self, DataFile, SqliteRead};
use super::storage::{Batch, OpenError, StorageError};
use super::tables::Catalog;
use super::{Clock, State, Writing, storage_error};

/// Writes that wait at most. Beyond it, writes are throttled.
const QUEUE: usize = 1024;
/// Writes that share one sync at most.
const GROUP: usize = 64;
/// Read connections that are kept open.
const READERS: usize = 8;
/// How long after a commit a checkpoint begins.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(200);

/// Answers a write once its group is on disk, or failed.
type Finish = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// Judges one write: whether it is to be stored, and who waits for it.
pub(super) type Job = Box<dyn FnOnce(&mut Writing<'_>) -> (bool, Finish) + Send>;

/// The tables as they are on disk.
pub(super) type Published = Arc<RwLock<Arc<Catalog>>>;

/// A data file with its threads. They end when it is dropped.
pub(super) struct Disk {
    queue: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    checkpoints: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    // The last to be closed.
    file: Arc<DataFile>,
}

impl Disk {
    /// Opens or creates a data file, and starts its threads. Takes the same time however much is stored.
    pub(super) fn open(path: &Path, clock: Clock) -> Result<(Self, Published), OpenError> {
        let failed = |reason: String| OpenError::Failed { path: path.to_owned(), reason };
        let refused = |error: StorageError| match error {
            StorageError::Damaged => OpenError::Damaged(path.to_owned()),
            other => failed(other.to_string()),
        };
        let file = Arc::new(DataFile::open(path)?);
        let connection = file.writer().map_err(refused)?;
        let state = State::load(&SqliteRead(&connection)).map_err(refused)?;
        let published: Published = Arc::new(RwLock::new(state.catalog.clone()));
        let (queue, jobs) = sync_channel(QUEUE);
        let (committed, commits) = channel();
        let file_of_checkpoints = file.clone();
        let checkpointer = file.writer().map_err(refused)?;
        let mut writer = Writer {
            connection,
            state,
            clock,
            published: published.clone(),
            committed,
            done: Vec::new(),
            tokens: Vec::new(),
            frees: false,
            _file: file.clone(),
        };
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let spawned = |error: std::io::Error| failed(error.to_string());
        let writer = named("engine-writer").spawn(move || writer.run(&jobs)).map_err(spawned)?;
        let checkpoints = named("engine-checkpoint")
            .spawn(move || {
                let _file = file_of_checkpoints;
                checkpoint(&checkpointer, &commits);
            })
            .map_err(spawned)?;
        let disk = Self {
            queue: Some(queue),
            writer: Some(writer),
            checkpoints: Some(checkpoints),
            readers: Mutex::new(Vec::new()),
            file,
        };
        Ok((disk, published))
    }

    /// Queues a write.
    ///
    /// # Errors
    /// `ThrottlingException` if the queue is full.
    pub(super) fn submit(&self, job: Job) -> Result<(), EngineError> {
        let stopped = || EngineError::new(ErrorCode::InternalServer, "the engine's writer has stopped");
        match self.queue.as_ref().ok_or_else(stopped)?.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                Err(EngineError::new(ErrorCode::Throttling, "The queue of writes is full. Try again later."))
            }
            Err(TrySendError::Disconnected(_)) => Err(stopped()),
        }
    }

    /// Reads with a connection of its own, beside the writer and other readers.
    ///
    /// # Errors
    /// What `read` returns, or `InternalServerError` if there is no connection.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&SqliteRead<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.file.reader().map_err(storage_error)?,
        };
        let answer = read(&SqliteRead(&connection));
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(connection);
        }
        answer
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.queue = None;
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let threads = [self.writer.take(), self.checkpoints.take()];
        for thread in threads.into_iter().flatten() {
            // The last owner may be a callback of the writer itself, which cannot wait for its own end.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

struct Writer {
    connection: Connection,
    state: State,
    clock: Clock,
    published: Published,
    /// Wakes the thread that makes checkpoints, at each commit.
    committed: Sender<()>,
    /// The writes of the group, judged.
    done: Vec<Finish>,
    /// The tokens that the group used.
    tokens: Vec<super::transact::Fingerprint>,
    /// Whether the group frees much space.
    frees: bool,
    /// Keeps the lock until the connection is closed.
    _file: Arc<DataFile>,
}

impl Writer {
    fn run(&mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let outcome = self.group(first, jobs);
            if outcome.is_err() {
                self.recover(&outcome);
            }
            let answer = outcome.map_err(storage_error);
            for finish in self.done.drain(..) {
                finish(answer.clone());
            }
            self.tokens.clear();
        }
    }

    /// Judges and stores a group of writes, and syncs it.
    fn group(&mut self, first: Job, jobs: &Receiver<Job>) -> Result<(), StorageError> {
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            // The write is not stored, and its caller gets the reason.
            let mut nothing = Batch::default();
            self.judge(first, &mut nothing);
            return Err(error.into());
        }
        let mut next = Some(first);
        while let Some(job) = next {
            let mut batch = Batch::default();
            if self.judge(job, &mut batch) {
                sqlite::apply(&self.connection, &batch)?;
            }
            next = if self.done.len() < GROUP { jobs.try_recv().ok() } else { None };
        }
        if std::mem::take(&mut self.frees) {
            sqlite::give_back(&self.connection)?;
        }
        self.connection.execute_batch("COMMIT")?;
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = self.state.catalog.clone();
        let _ = self.committed.send(());
        Ok(())
    }

    fn judge(&mut self, job: Job, batch: &mut Batch) -> bool {
        let mut writing = Writing {
            read: &SqliteRead(&self.connection),
            state: &mut self.state,
            now: (self.clock)(),
            batch: Batch::default(),
            catalog: None,
            token: None,
            frees: false,
        };
        let (store, finish) = job(&mut writing);
        let Writing { batch: changes, catalog, token, frees, .. } = writing;
        self.frees |= frees;
        self.done.push(finish);
        self.tokens.extend(token);
        if store {
            *batch = changes;
            if let Some(catalog) = catalog {
                self.state.catalog = catalog;
            }
        }
        store
    }

    /// Goes back to what is on disk after a group that could not be stored.
    fn recover(&mut self, outcome: &Result<(), StorageError>) {
        let _ = self.connection.execute_batch("ROLLBACK");
        for token in &self.tokens {
            self.state.tokens.forget(token);
        }
        if let Ok(end) = super::stream::LogEnd::load(&SqliteRead(&self.connection)) {
            self.state.log = end;
        }
        self.state.catalog = self.published.read().unwrap_or_else(PoisonError::into_inner).clone();
        if matches!(outcome, Err(StorageError::Full)) {
            sqlite::shrink_log(&self.connection);
        }
    }
}

/// Moves committed pages into the data file, some time after each commit, and sleeps while there are none.
fn checkpoint(connection: &Connection, commits: &Receiver<()>) {
    while commits.recv().is_ok() {
        loop {
            match commits.recv_timeout(CHECKPOINT_DELAY) {
                Ok(()) => {
                    // Commits go on: one checkpoint for each delay.
                    std::thread::sleep(CHECKPOINT_DELAY);
                    while commits.try_recv().is_ok() {}
                    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
