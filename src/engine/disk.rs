//! The engine on a data file: one writer with group commit, parallel readers, and background checkpoints.
//!
//! Invariants:
//! - Writes are evaluated one after another, and each sees the result of all earlier writes.
//! - Each group is one SQLite transaction. It contains the writes that arrived during the sync of the previous group.
//! - Every answer, including an error, is sent after its group is on disk.
//! - If a group cannot be stored, all its writes fail and change nothing.
//! - While requests write, background writes run once a second.

#![allow(clippy::disallowed_methods, reason = "the threads of the data file are the engine's own")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::codec;
use super::error::{EngineError, ErrorCode};
use super::state::{Changes, Clock, State, WriteContext};
use super::storage::sqlite::{self, SqliteRead};
use super::storage::{DataFile, OpenError, StorageError, shrink_log};
use super::stream::LogEnd;
use super::tables::Catalog;
use super::tokens::Fingerprint;

mod queue;
#[cfg(test)]
mod tests;

pub(super) use self::queue::{Completion, Priority};
use self::queue::{Job, PushError, Queue, Schedule};

const MAX_READERS: usize = 8;
/// The delay between a commit and the checkpoint that follows it.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(200);

/// The tables as they are on disk.
pub(super) type Published = Arc<RwLock<Arc<Catalog>>>;

/// A data file with its threads. The threads end when this is dropped.
pub(super) struct Disk {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    checkpoints: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    // Must be closed last.
    file: Arc<DataFile>,
}

impl Disk {
    /// Opens or creates a data file and starts its threads. This takes the same time for any amount of data.
    pub(super) fn open(path: &Path, clock: Clock) -> Result<(Self, Published), OpenError> {
        let failed = |reason: String| OpenError::Failed { path: path.to_owned(), reason };
        let open_error = |error: StorageError| match error {
            StorageError::Damaged => OpenError::Damaged(path.to_owned()),
            other => failed(other.to_string()),
        };
        let file = Arc::new(DataFile::open(path)?);
        let connection = file.writer().map_err(open_error)?;
        sqlite::sample(&connection, &mut |key, sealed| codec::unseal(key, sealed).is_ok())
            .map_err(open_error)?;
        let state = State::load(&SqliteRead(&connection)).map_err(open_error)?;
        let published: Published = Arc::new(RwLock::new(state.catalog.clone()));
        let queue = Arc::new(Queue::default());
        let jobs = queue.clone();
        let (committed, commits) = sync_channel(1);
        let checkpointer = file.writer().map_err(open_error)?;
        let mut writer = Writer::new(connection, state, clock, published.clone(), committed, file.clone());
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let spawned = |error: std::io::Error| failed(error.to_string());
        let writer = named("engine-writer").spawn(move || writer.run(&jobs)).map_err(spawned)?;
        let file_of_checkpoints = file.clone();
        let checkpoints = named("engine-checkpoint")
            .spawn(move || checkpoint(file_of_checkpoints, checkpointer, commits))
            .map_err(spawned)?;
        let disk = Self {
            queue,
            writer: Some(writer),
            checkpoints: Some(checkpoints),
            readers: Mutex::new(Vec::new()),
            file,
        };
        Ok((disk, published))
    }

    pub(super) fn submit(&self, job: Job, priority: Priority) -> Result<(), EngineError> {
        self.queue.push(job, priority).map_err(|error| match error {
            PushError::Full => {
                EngineError::new(ErrorCode::Throttling, "The queue of writes is full. Try again later.")
            }
            PushError::Closed => EngineError::internal("the engine's writer has stopped"),
        })
    }

    /// Whether the current thread is the writer's, which must not wait for a write.
    pub(super) fn is_writer(&self) -> bool {
        let own: ThreadId = std::thread::current().id();
        self.writer.as_ref().is_some_and(|writer| writer.thread().id() == own)
    }

    /// Reads with a separate connection, in parallel with the writer and other readers.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&SqliteRead<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.file.reader()?,
        };
        let answer = read(&SqliteRead(&connection));
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // An open transaction would block checkpoints, so its connection is closed.
        if readers.len() < MAX_READERS && connection.is_autocommit() {
            readers.push(connection);
        }
        answer
    }

    /// Same as [`read`](Self::read), but all reads see one snapshot.
    pub(super) fn read_snapshot<T>(
        &self,
        read: impl FnOnce(&SqliteRead<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.read(|connection| {
            connection.0.execute_batch("BEGIN").map_err(StorageError::from)?;
            let answer = read(connection);
            // If the commit fails, `read` does not keep the connection.
            let _ = connection.0.execute_batch("COMMIT");
            answer
        })
    }

    /// Copies the committed data to an existing empty file.
    pub(super) fn copy(&self, to: &Path) -> Result<(), StorageError> {
        let not_text = || StorageError::Failed("the name of the copy is not valid Unicode".to_owned());
        let to = to.to_str().ok_or_else(not_text)?;
        self.file.writer()?.execute("VACUUM INTO ?1", [to])?;
        Ok(())
    }

    /// Returns the problems that SQLite's integrity check finds.
    pub(super) fn integrity(&self) -> Result<Vec<String>, EngineError> {
        self.read(|connection| Ok(sqlite::integrity(connection.0)?))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.queue.close();
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // A callback of a write may drop the last handle on the writer's thread. That thread cannot wait for itself or
        // for the checkpoint thread, which ends after it.
        if self.is_writer() {
            return;
        }
        for thread in [self.writer.take(), self.checkpoints.take()].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}

/// Drops the queued writes when the writer ends for any reason, so that their callers get an answer.
struct AbandonOnDrop<'a>(&'a Queue);

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

struct Writer {
    connection: Connection,
    state: State,
    log_on_disk: LogEnd,
    clock: Clock,
    published: Published,
    /// Wakes the checkpoint thread at each commit.
    committed: SyncSender<()>,
    /// The completions of the group's evaluated writes.
    completions: Vec<Completion>,
    tokens: Vec<Fingerprint>,
    frees_space: bool,
    /// Keeps the lock until the connection is closed.
    _file: Arc<DataFile>,
}

impl Writer {
    fn new(
        connection: Connection,
        state: State,
        clock: Clock,
        published: Published,
        committed: SyncSender<()>,
        file: Arc<DataFile>,
    ) -> Self {
        Self {
            connection,
            log_on_disk: state.log,
            state,
            clock,
            published,
            committed,
            completions: Vec::new(),
            tokens: Vec::new(),
            frees_space: false,
            _file: file,
        }
    }

    fn run(&mut self, queue: &Queue) {
        let _abandon = AbandonOnDrop(queue);
        let mut schedule = Schedule::default();
        while let Some(mut group) = queue.next_group(&mut schedule, &Instant::now) {
            self.run_group(&mut || queue.next(&mut group));
            schedule.finish_group(group, Instant::now());
        }
    }

    /// Commits a group of writes and answers them. If that fails or panics, the next group starts from the state on
    /// disk.
    fn run_group(&mut self, next: &mut dyn FnMut() -> Option<Job>) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.commit_group(next)))
            .unwrap_or_else(|_| Err(StorageError::Failed("the writer failed unexpectedly".to_owned())));
        if let Err(error) = &outcome {
            self.recover(error);
        }
        self.tokens.clear();
        self.frees_space = false;
        let answer = outcome.map_err(EngineError::from);
        for complete in self.completions.drain(..) {
            // A panic in a callback affects only its caller.
            let _ = catch_unwind(AssertUnwindSafe(|| complete(answer.clone())));
        }
    }

    /// Evaluates, stores and syncs a group of writes.
    fn commit_group(&mut self, next: &mut dyn FnMut() -> Option<Job>) -> Result<(), StorageError> {
        let Some(first) = next() else { return Ok(()) };
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            // The write is not stored. It is evaluated to register its callback, so that the caller gets the error.
            self.evaluate(first);
            return Err(error.into());
        }
        let mut job = Some(first);
        let mut stores = false;
        while let Some(next_job) = job {
            if let Some(changes) = self.evaluate(next_job) {
                self.store(changes)?;
                stores = true;
            }
            job = next();
        }
        if !stores {
            // The previous group synced the state that these writes were evaluated against.
            return Ok(self.connection.execute_batch("ROLLBACK")?);
        }
        if self.frees_space {
            sqlite::release_free_pages(&self.connection)?;
        }
        self.connection.execute_batch("COMMIT")?;
        self.log_on_disk = self.state.log;
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = self.state.catalog.clone();
        // If the channel is full, the checkpoint thread has a pending signal already.
        let _ = self.committed.try_send(());
        Ok(())
    }

    /// Evaluates a write and returns its changes if it succeeds. The caller is answered together with the group.
    fn evaluate(&mut self, job: Job) -> Option<Changes> {
        let read = SqliteRead(&self.connection);
        let mut context = WriteContext::new(&read, &self.state, (self.clock)());
        let (succeeds, complete) = job(&mut context);
        let changes = context.changes;
        self.completions.push(complete);
        succeeds.then_some(changes)
    }

    fn store(&mut self, changes: Changes) -> Result<(), StorageError> {
        // SQLite rolls back by itself after some errors, including read errors. Without a transaction, each
        // statement would then be committed immediately.
        if self.connection.is_autocommit() {
            return Err(StorageError::Failed("the transaction was rolled back".to_owned()));
        }
        sqlite::apply(&self.connection, &changes.batch)?;
        self.frees_space |= changes.frees_space;
        self.tokens.extend(changes.token.as_ref().map(|(token, _)| *token));
        self.state.apply(changes);
        Ok(())
    }

    /// Restores the state on disk after a group that could not be stored.
    fn recover(&mut self, error: &StorageError) {
        let _ = self.connection.execute_batch("ROLLBACK");
        for token in &self.tokens {
            self.state.tokens.remove(token);
        }
        self.state.log = LogEnd::load(&SqliteRead(&self.connection)).unwrap_or(self.log_on_disk);
        self.state.catalog = self.published.read().unwrap_or_else(PoisonError::into_inner).clone();
        if matches!(error, StorageError::Full) {
            shrink_log(&self.connection);
        }
    }
}

/// Moves committed pages into the data file, once for several commits, and sleeps while there are no commits. The file
/// is dropped after the connection.
fn checkpoint(_file: Arc<DataFile>, connection: Connection, commits: Receiver<()>) {
    while commits.recv().is_ok() {
        let due = Instant::now() + CHECKPOINT_DELAY;
        loop {
            match commits.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        // If the checkpoint fails, the log still contains everything, and the next commit triggers another attempt.
        let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}
