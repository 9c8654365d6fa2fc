//! The engine on a data file: one writer with group commit, readers in parallel, checkpoints beside them.
//!
//! Invariants: writes are judged one after another, each against what all before it left, in one SQLite transaction for
//! each group; a group is what came while the group before it was synced. No write is answered, and none is refused,
//! before its group is on disk. If a group cannot be stored, all its writes fail and nothing of them remains.
//! While requests write, background writes are done once a second.

#![allow(clippy::disallowed_methods, reason = "the threads of the data file are the engine's own")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::codec;
use super::error::{EngineError, ErrorCode, internal, storage_error};
use super::state::{Changes, Clock, State, Writing};
use super::storage::sqlite::{self, SqliteRead};
use super::storage::{DataFile, OpenError, StorageError, shrink_log};
use super::stream::LogEnd;
use super::tables::Catalog;
use super::tokens::Fingerprint;

mod job;
mod queue;
#[cfg(test)]
mod tests;

pub(super) use self::job::Finish;
use self::job::Job;
pub(super) use self::queue::Priority;
use self::queue::{Queue, Refused, Schedule};

/// Read connections that are kept open.
const READERS: usize = 8;
/// How long after a commit a checkpoint begins.
const CHECKPOINT_DELAY: Duration = Duration::from_millis(200);

/// The tables as they are on disk.
pub(super) type Published = Arc<RwLock<Arc<Catalog>>>;

/// A data file with its threads. They end when it is dropped.
pub(super) struct Disk {
    queue: Arc<Queue>,
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
        sqlite::sample(&connection, &mut |key, sealed| codec::unseal(key, sealed).is_ok())
            .map_err(refused)?;
        let state = State::load(&SqliteRead(&connection)).map_err(refused)?;
        let published: Published = Arc::new(RwLock::new(state.catalog.clone()));
        let queue = Arc::new(Queue::default());
        let jobs = queue.clone();
        let (committed, commits) = sync_channel(1);
        let checkpointer = file.writer().map_err(refused)?;
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

    /// Queues a write.
    ///
    /// # Errors
    /// `ThrottlingException` if the queue is full.
    pub(super) fn submit(&self, job: Job, priority: Priority) -> Result<(), EngineError> {
        self.queue.push(job, priority).map_err(|refused| match refused {
            Refused::Full => {
                EngineError::new(ErrorCode::Throttling, "The queue of writes is full. Try again later.")
            }
            Refused::Closed => internal("the engine's writer has stopped"),
        })
    }

    /// Whether this is the writer's thread, which must not wait for a write.
    pub(super) fn is_writer(&self) -> bool {
        let own: ThreadId = std::thread::current().id();
        self.writer.as_ref().is_some_and(|writer| writer.thread().id() == own)
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
        // One that is still in a transaction would hold up checkpoints.
        if readers.len() < READERS && connection.is_autocommit() {
            readers.push(connection);
        }
        answer
    }

    /// As [`read`](Self::read); all that is read is of one state.
    pub(super) fn read_one_state<T>(
        &self,
        read: impl FnOnce(&SqliteRead<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.read(|connection| {
            connection.0.execute_batch("BEGIN").map_err(|error| storage_error(error.into()))?;
            let answer = read(connection);
            // If it fails, the connection is not kept.
            let _ = connection.0.execute_batch("COMMIT");
            answer
        })
    }

    /// Copies what is committed to an empty file that is there.
    pub(super) fn copy(&self, to: &Path) -> Result<(), StorageError> {
        let not_text = || StorageError::Failed("the name of the copy is not valid Unicode".to_owned());
        let to = to.to_str().ok_or_else(not_text)?;
        self.file.writer()?.execute("VACUUM INTO ?1", [to])?;
        Ok(())
    }

    /// What is wrong with the file by SQLite's own check.
    pub(super) fn integrity(&self) -> Result<Vec<String>, EngineError> {
        self.read(|connection| sqlite::integrity(connection.0).map_err(storage_error))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.queue.close();
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // The last owner may be a callback of a write. The writer can wait neither for its own end nor for the
        // checkpoints', which end when it does.
        if self.is_writer() {
            return;
        }
        for thread in [self.writer.take(), self.checkpoints.take()].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}

/// Drops the waiting writes when the writer ends for any reason, so that their callers get an answer.
struct Closing<'a>(&'a Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

struct Writer {
    connection: Connection,
    state: State,
    /// Where the stream's log ends on disk.
    log_on_disk: LogEnd,
    clock: Clock,
    published: Published,
    /// Wakes the thread that makes checkpoints, at each commit.
    committed: SyncSender<()>,
    /// The writes of the group, judged.
    done: Vec<Finish>,
    /// The tokens that the group used.
    tokens: Vec<Fingerprint>,
    /// Whether the group frees much space.
    frees: bool,
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
        let log_on_disk = state.log;
        let (done, tokens) = (Vec::new(), Vec::new());
        Self {
            connection,
            state,
            log_on_disk,
            clock,
            published,
            committed,
            done,
            tokens,
            frees: false,
            _file: file,
        }
    }

    fn run(&mut self, queue: &Queue) {
        let _closing = Closing(queue);
        let mut schedule = Schedule::default();
        while let Some(mut group) = queue.next_group(&mut schedule, &Instant::now) {
            self.step(&mut || queue.next(&mut group));
            schedule.end(group, Instant::now());
        }
    }

    /// Does a group of writes and answers them. Whatever fails or panics, the next group finds what is on disk.
    fn step(&mut self, next: &mut dyn FnMut() -> Option<Job>) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.group(next)))
            .unwrap_or_else(|_| Err(StorageError::Failed("the writer failed unexpectedly".to_owned())));
        if let Err(error) = &outcome {
            self.recover(error);
        }
        self.tokens.clear();
        self.frees = false;
        let answer = outcome.map_err(storage_error);
        for finish in self.done.drain(..) {
            // A callback that panics is its caller's loss alone.
            let _ = catch_unwind(AssertUnwindSafe(|| finish(answer.clone())));
        }
    }

    /// Judges and stores a group of writes, and syncs it.
    fn group(&mut self, next: &mut dyn FnMut() -> Option<Job>) -> Result<(), StorageError> {
        let Some(first) = next() else { return Ok(()) };
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            // The write is not stored, and its caller gets the reason.
            self.judge(first);
            return Err(error.into());
        }
        let mut job = Some(first);
        let mut stores = false;
        while let Some(judged) = job {
            if let Some(changes) = self.judge(judged) {
                self.store(changes)?;
                stores = true;
            }
            job = next();
        }
        if !stores {
            // What they were judged against is on disk since the group before.
            return Ok(self.connection.execute_batch("ROLLBACK")?);
        }
        if self.frees {
            sqlite::give_back(&self.connection)?;
        }
        self.connection.execute_batch("COMMIT")?;
        self.log_on_disk = self.state.log;
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = self.state.catalog.clone();
        // If it was told already and has not yet begun, once is enough.
        let _ = self.committed.try_send(());
        Ok(())
    }

    /// What a write changes if it succeeds. Its caller is answered with the group.
    fn judge(&mut self, job: Job) -> Option<Changes> {
        let read = SqliteRead(&self.connection);
        let mut writing = Writing::new(&read, &self.state, (self.clock)());
        let (succeeds, finish) = job(&mut writing);
        let changes = writing.changes;
        self.done.push(finish);
        succeeds.then_some(changes)
    }

    fn store(&mut self, changes: Changes) -> Result<(), StorageError> {
        // After some failures, also of reads, SQLite rolls back by itself. What is stored then would be stored at once.
        if self.connection.is_autocommit() {
            return Err(StorageError::Failed("the transaction was rolled back".to_owned()));
        }
        sqlite::apply(&self.connection, &changes.batch)?;
        self.frees |= changes.frees;
        self.tokens.extend(changes.token.as_ref().map(|(token, _)| *token));
        self.state.adopt(changes);
        Ok(())
    }

    /// Goes back to what is on disk after a group that could not be stored.
    fn recover(&mut self, error: &StorageError) {
        let _ = self.connection.execute_batch("ROLLBACK");
        for token in &self.tokens {
            self.state.tokens.forget(token);
        }
        self.state.log = LogEnd::load(&SqliteRead(&self.connection)).unwrap_or(self.log_on_disk);
        self.state.catalog = self.published.read().unwrap_or_else(PoisonError::into_inner).clone();
        if matches!(error, StorageError::Full) {
            shrink_log(&self.connection);
        }
    }
}

/// Moves committed pages into the data file, once for all commits of a while, and sleeps while there are none. The file
/// is dropped behind the connection.
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
        // If it fails, the log holds everything, and the next commit tries again.
        let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}
