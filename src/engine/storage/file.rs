//! The data file: created, locked, and recognized when it is opened.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use super::StorageError;

/// Marks a file as ours (`PRAGMA application_id`): "HFen".
const APPLICATION: i32 = 0x4846_656E;
/// In the header row of every data file.
const MAGIC: &str = "holdfast data";
/// The format that this program writes, and the newest that it reads. Format 1 differs in two ways: its items table has
/// rowids, and its items are not compressed.
const FORMAT: i64 = 2;
/// How long a connection waits for another's lock. Only opening and closing hold one that long.
const BUSY: Duration = Duration::from_secs(10);
const PAGE_SIZE: u64 = 4096;
/// The most memory of a writing connection's pages, in SQLite's notation: 16 MiB. SQLite looks through all of them at
/// nearly each commit (it renumbers pages past the end of the file while it balances a tree, and drops those at the end),
/// which took a quarter of the writer's time with 64 MiB. Other pages usually come from the system's cache.
const WRITER_CACHE: i32 = -16_384;
/// The same for each reading one, which forgets its pages at each commit: 8 MiB.
const READER_CACHE: i32 = -8_192;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 64;
/// Pages in the write-ahead log after which the writer makes the checkpoint itself. Each time costs a stall; more pages
/// make a start after a kill slower, because the log is read then: 30,000 took 105 ms.
const CHECKPOINT_BACKSTOP: u32 = 16_000;
/// Bytes of the write-ahead log that are kept when it begins anew.
const LOG_BYTES: u32 = 32 * 1024 * 1024;

const SCHEMA: &str = "
CREATE TABLE header(id INTEGER PRIMARY KEY CHECK (id = 1), magic TEXT NOT NULL, format INTEGER NOT NULL);
CREATE TABLE meta(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE items(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE entries(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE log(key INTEGER PRIMARY KEY, value BLOB NOT NULL);
";

/// Why a data file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{}: another process uses this data file", .0.display())]
    InUse(PathBuf),
    /// It is some other program's file.
    #[error("{}: this is not a data file of Holdfast", .0.display())]
    Foreign(PathBuf),
    /// A newer version of the program wrote it.
    #[error("{}: a newer version of Holdfast wrote this data file (format {found}, this version reads {FORMAT})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// Its end is missing.
    #[error("{}: the data file is truncated: restore it from a backup", .0.display())]
    Truncated(PathBuf),
    /// Its contents are not what was written.
    #[error("{}: the data file is damaged: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// The operating system or SQLite refuses it.
    #[error("{}: cannot open the data file: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

/// A data file that this process holds.
#[derive(Debug)]
pub struct DataFile {
    /// Where it is, without symbolic links: SQLite puts its other files beside it.
    path: PathBuf,
    /// Where the caller says it is.
    named: PathBuf,
    /// Holds the lock. It is closed after all connections: closing any handle of the file earlier would drop SQLite's
    /// own locks.
    lock: File,
}

impl DataFile {
    /// Opens a data file, or creates it with its directory, and locks it for this process.
    ///
    /// # Errors
    /// [`OpenError`], which says in one line what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed =
            |error: io::Error| OpenError::Failed { path: path.to_owned(), reason: error.to_string() };
        let named = path;
        let path = fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
        check_log(named, &path)?;
        create(&path).map_err(failed)?;
        let path = fs::canonicalize(path).map_err(failed)?;
        let lock = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                // Closing this handle would drop the locks of SQLite, if it is this process that has the file open.
                std::mem::forget(lock);
                return Err(OpenError::InUse(named.to_owned()));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let file = Self { path, named: named.to_owned(), lock };
        file.prepare()?;
        Ok(file)
    }

    fn prepare(&self) -> Result<(), OpenError> {
        let path = || self.named.clone();
        let opened = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::Foreign(path()),
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(path()),
            _ => OpenError::Failed { path: path(), reason: error.to_string() },
        };
        let connection = connect(&self.path).map_err(opened)?;
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(opened)?;
        let application: i32 =
            connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(opened)?;
        if tables == 0 && application == 0 {
            initialize(&connection).map_err(opened)?;
        } else if application != APPLICATION {
            return Err(OpenError::Foreign(path()));
        }
        let header = connection.query_row("SELECT magic, format FROM header", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        });
        let unreadable = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseBusy | ErrorCode::OutOfMemory) => {
                opened(error)
            }
            _ => OpenError::Damaged(path()),
        };
        let format = match header.optional().map_err(unreadable)? {
            Some((magic, _)) if magic != MAGIC => Err(OpenError::Foreign(path())),
            Some((_, found)) if found > FORMAT => Err(OpenError::Newer { path: path(), found }),
            Some((_, found)) => Ok(found),
            None => Err(OpenError::Damaged(path())),
        }?;
        if self.is_short(&connection).map_err(opened)? {
            return Err(OpenError::Truncated(path()));
        }
        // A copy that another program made may have another mode. Without the log, answers would come before syncs.
        if write_ahead(&connection).map_err(opened)? {
            if format != FORMAT {
                connection.execute("UPDATE header SET format = ?1", [FORMAT]).map_err(opened)?;
            }
            return Ok(());
        }
        let reason = "SQLite cannot keep a write-ahead log in this directory".to_owned();
        Err(OpenError::Failed { path: path(), reason })
    }

    /// Whether the file has fewer pages than it says, and no write-ahead log that could hold them.
    fn is_short(&self, connection: &Connection) -> Result<bool, rusqlite::Error> {
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let expected = u64::try_from(pages).unwrap_or(0) * PAGE_SIZE;
        Ok(length(&log_of(&self.path)) == 0 && length(&self.path) < expected)
    }

    /// A connection that reads and writes.
    ///
    /// # Errors
    /// [`StorageError`] if SQLite refuses.
    pub fn writer(&self) -> Result<Connection, StorageError> {
        let connection = connect(&self.path)?;
        connection.execute_batch(&format!(
            "PRAGMA wal_autocheckpoint={CHECKPOINT_BACKSTOP}; PRAGMA journal_size_limit={LOG_BYTES};"
        ))?;
        Ok(connection)
    }

    /// A connection that only reads.
    ///
    /// # Errors
    /// [`StorageError`] if SQLite refuses.
    pub fn reader(&self) -> Result<Connection, StorageError> {
        let connection = connect(&self.path)?;
        connection.execute_batch(&format!("PRAGMA query_only=ON; PRAGMA cache_size={READER_CACHE}"))?;
        Ok(connection)
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        // Closing it would not do while a child process that was just started still has the handle too.
        let _ = self.lock.unlock();
    }
}

/// Gives back what the write-ahead log takes after the disk was full, so that writing goes on once there is space. It
/// waits for no reader.
pub fn shrink_log(connection: &Connection) {
    let _ = connection.busy_timeout(Duration::ZERO);
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = connection.busy_timeout(BUSY);
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(&format!(
        "PRAGMA synchronous=FULL; PRAGMA cache_size={WRITER_CACHE}; PRAGMA mmap_size=0;"
    ))?;
    Ok(connection)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// The write-ahead log of a data file.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    log.into()
}

/// Refuses a write-ahead log without its data file. SQLite would remove it, and begin anew.
fn check_log(named: &Path, path: &Path) -> Result<(), OpenError> {
    let log = log_of(path);
    if length(path) > 0 || length(&log) == 0 {
        return Ok(());
    }
    let reason = format!(
        "it is missing or empty, but {} holds changes of it: restore both, or remove that file to begin anew",
        log.display()
    );
    Err(OpenError::Failed { path: named.to_owned(), reason })
}

/// Turns the write-ahead log on, and says whether it is.
fn write_ahead(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("PRAGMA journal_mode=WAL", [], |row| Ok(row.get::<_, String>(0)? == "wal"))
}

fn initialize(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!("PRAGMA page_size={PAGE_SIZE}; PRAGMA auto_vacuum=INCREMENTAL;"))?;
    write_ahead(connection)?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute("INSERT INTO header VALUES (1, ?1, ?2)", params![MAGIC, FORMAT])?;
    transaction.execute_batch(&format!("PRAGMA application_id={APPLICATION}"))?;
    transaction.commit()
}

/// Creates the file and its directory, readable by their owner alone, unless they exist.
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
    fn the_lock_ends_with_the_file_also_where_a_child_process_has_its_handle() {
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
