//! The data file: creation, locking and recognition.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use super::StorageError;

/// Identifies our files (`PRAGMA application_id`): "HFen".
const APPLICATION_ID: i32 = 0x4846_656E;
/// The text in the header row of every data file.
const MAGIC: &str = "holdfast data";
/// The format that this program writes, and the newest that it reads. Format 1 differs in two ways: its items
/// table has rowids, and its items are not compressed.
const FORMAT: i64 = 2;
/// How long a connection waits for a lock of another connection. Only opening and closing hold a lock that
/// long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const PAGE_SIZE: u64 = 4096;
/// The maximum cache of a writing connection, in SQLite's notation: 16 MiB. SQLite visits all cached pages at
/// nearly every commit (it renumbers pages past the end of the file while it balances a tree, and drops those
/// at the end). With 64 MiB this took a quarter of the writer's time. Other pages usually come from the
/// operating system's cache.
const WRITER_CACHE: i32 = -16_384;
/// The maximum cache of a reading connection: 8 MiB. SQLite discards it at each commit.
const READER_CACHE: i32 = -8_192;
const CACHED_STATEMENTS: usize = 64;
/// The number of pages in the write-ahead log after which the writer makes a checkpoint itself. Each such
/// checkpoint stalls writes. A larger number makes a start after a kill slower, because the log is read then:
/// 30,000 pages took 105 ms.
const CHECKPOINT_BACKSTOP: u32 = 16_000;
/// The number of bytes of the write-ahead log that are kept when the log is reset: more than it has at the checkpoint of
/// the writer. A log that is cut and grows again under load stalls writes for some 25 ms each time.
const LOG_BYTES: u32 = 80 * 1024 * 1024;

const SCHEMA: &str = "
CREATE TABLE header(id INTEGER PRIMARY KEY CHECK (id = 1), magic TEXT NOT NULL, format INTEGER NOT NULL);
CREATE TABLE meta(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE items(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE entries(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE log(key INTEGER PRIMARY KEY, value BLOB NOT NULL);
";

/// The reason why a data file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the file open.
    #[error("{}: another process uses this data file", .0.display())]
    InUse(PathBuf),
    /// The file belongs to another program.
    #[error("{}: this is not a Holdfast data file", .0.display())]
    Foreign(PathBuf),
    /// A newer version of the program wrote the file.
    #[error("{}: a newer version of Holdfast wrote this data file (format {found}, this version reads {FORMAT})", path.display())]
    Newer {
        /// The data file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
    },
    /// The end of the file is missing.
    #[error("{}: the data file is truncated: restore it from a backup", .0.display())]
    Truncated(PathBuf),
    /// The contents of the file are damaged.
    #[error("{}: the data file is damaged: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// The operating system or SQLite returned an error.
    #[error("{}: cannot open the data file: {reason}", path.display())]
    Failed {
        /// The data file.
        path: PathBuf,
        /// The error message.
        reason: String,
    },
}

/// A data file that this process has locked.
#[derive(Debug)]
pub struct DataFile {
    /// The path without symbolic links, because SQLite puts its other files next to it.
    path: PathBuf,
    /// The path that the caller gave.
    given: PathBuf,
    /// Holds the lock. It must be closed after all connections: closing any handle of the file earlier would
    /// drop SQLite's own locks.
    lock: File,
}

impl DataFile {
    /// Opens a data file and locks it for this process. Creates the file and its directory if they do not
    /// exist.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed =
            |error: io::Error| OpenError::Failed { path: path.to_owned(), reason: error.to_string() };
        let given = path;
        let path = fs::canonicalize(given).unwrap_or_else(|_| given.to_owned());
        check_log(given, &path)?;
        create(&path).map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        let lock = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                // If this process has the file open already, closing this handle would drop SQLite's locks.
                std::mem::forget(lock);
                return Err(OpenError::InUse(given.to_owned()));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let file = Self { path, given: given.to_owned(), lock };
        file.prepare()?;
        Ok(file)
    }

    fn open_error(&self, error: rusqlite::Error) -> OpenError {
        let path = self.given.clone();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::Foreign(path),
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(path),
            _ => OpenError::Failed { path, reason: error.to_string() },
        }
    }

    fn prepare(&self) -> Result<(), OpenError> {
        let path = || self.given.clone();
        let open_error = |error| self.open_error(error);
        let connection = connect(&self.path).map_err(open_error)?;
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(open_error)?;
        let application: i32 =
            connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(open_error)?;
        if tables == 0 && application == 0 {
            initialize(&connection).map_err(open_error)?;
        } else if application != APPLICATION_ID {
            return Err(OpenError::Foreign(path()));
        }
        let format = self.format(&connection)?;
        if self.is_truncated(&connection).map_err(open_error)? {
            return Err(OpenError::Truncated(path()));
        }
        // A copy that another program made may use another journal mode. Without the write-ahead log, answers
        // would precede syncs.
        if enable_wal(&connection).map_err(open_error)? {
            if format != FORMAT {
                connection.execute("UPDATE header SET format = ?1", [FORMAT]).map_err(open_error)?;
            }
            return Ok(());
        }
        let reason = "SQLite cannot keep a write-ahead log in this directory".to_owned();
        Err(OpenError::Failed { path: path(), reason })
    }

    /// Checks the header row and returns the format of the file.
    fn format(&self, connection: &Connection) -> Result<i64, OpenError> {
        let path = || self.given.clone();
        let header = connection.query_row("SELECT magic, format FROM header", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        });
        let header_error = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseBusy | ErrorCode::OutOfMemory) => {
                self.open_error(error)
            }
            _ => OpenError::Damaged(path()),
        };
        match header.optional().map_err(header_error)? {
            Some((magic, _)) if magic != MAGIC => Err(OpenError::Foreign(path())),
            Some((_, found)) if found > FORMAT => Err(OpenError::Newer { path: path(), found }),
            Some((_, found)) => Ok(found),
            None => Err(OpenError::Damaged(path())),
        }
    }

    /// Whether the file has fewer pages than its header says, and no write-ahead log that could contain them.
    fn is_truncated(&self, connection: &Connection) -> Result<bool, rusqlite::Error> {
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let expected = u64::try_from(pages).unwrap_or(0) * PAGE_SIZE;
        Ok(file_length(&log_path(&self.path)) == 0 && file_length(&self.path) < expected)
    }

    pub fn writer(&self) -> Result<Connection, StorageError> {
        let connection = connect(&self.path)?;
        connection.execute_batch(&format!(
            "PRAGMA wal_autocheckpoint={CHECKPOINT_BACKSTOP}; PRAGMA journal_size_limit={LOG_BYTES};"
        ))?;
        Ok(connection)
    }

    /// Opens a connection that only reads.
    pub fn reader(&self) -> Result<Connection, StorageError> {
        let connection = connect(&self.path)?;
        connection.execute_batch(&format!("PRAGMA query_only=ON; PRAGMA cache_size={READER_CACHE}"))?;
        Ok(connection)
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        // Closing the handle does not release the lock while a new child process has a copy of the handle.
        let _ = self.lock.unlock();
    }
}

/// Shrinks the write-ahead log after the disk was full, so that writes can resume when there is space. Does
/// not wait for readers.
pub fn shrink_log(connection: &Connection) {
    let _ = connection.busy_timeout(Duration::ZERO);
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = connection.busy_timeout(BUSY_TIMEOUT);
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.execute_batch(&format!(
        "PRAGMA synchronous=FULL; PRAGMA cache_size={WRITER_CACHE}; PRAGMA mmap_size=0;"
    ))?;
    Ok(connection)
}

fn file_length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn log_path(path: &Path) -> PathBuf {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    log.into()
}

/// Rejects a write-ahead log without its data file. SQLite would delete the log and start over.
fn check_log(given: &Path, path: &Path) -> Result<(), OpenError> {
    let log = log_path(path);
    if file_length(path) > 0 || file_length(&log) == 0 {
        return Ok(());
    }
    let reason = format!(
        "it is missing or empty, but {} contains changes to it: restore both, or remove that file to start over",
        log.display()
    );
    Err(OpenError::Failed { path: given.to_owned(), reason })
}

/// Turns the write-ahead log on and returns whether that succeeded.
fn enable_wal(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("PRAGMA journal_mode=WAL", [], |row| Ok(row.get::<_, String>(0)? == "wal"))
}

fn initialize(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!("PRAGMA page_size={PAGE_SIZE}; PRAGMA auto_vacuum=INCREMENTAL;"))?;
    enable_wal(connection)?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute("INSERT INTO header VALUES (1, ?1, ?2)", params![MAGIC, FORMAT])?;
    transaction.execute_batch(&format!("PRAGMA application_id={APPLICATION_ID}"))?;
    transaction.commit()
}

/// Creates the file and its directory unless they exist. Only their owner can access them.
fn create(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|directory| !directory.exists()) {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(directory)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            #[cfg(unix)]
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_file_releases_the_lock_even_if_a_child_process_has_the_handle() {
        let directory = std::env::temp_dir().join(format!("holdfast-lock-{}", std::process::id()));
        let path = directory.join("data.holdfast");
        let file = DataFile::open(&path).unwrap();
        let inherited = file.lock.try_clone().unwrap();
        assert!(matches!(DataFile::open(&path), Err(OpenError::InUse(_))));
        drop(file);
        DataFile::open(&path).unwrap();
        drop(inherited);
        fs::remove_dir_all(directory).unwrap();
    }
}
