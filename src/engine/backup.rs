//! Backups of the data file while the engine uses it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::handle::{Backend, Engine};
use super::storage::StorageError;

/// The reason why a backup failed. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The engine has no data file.
    #[error("an in-memory engine has no data file to back up")]
    InMemory,
    /// The target exists already. The engine does not overwrite it.
    #[error("{}: this file already exists: choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// The operating system or SQLite returned an error. No partial copy remains.
    #[error("{}: cannot write the backup: {reason}", path.display())]
    Failed {
        /// The backup file.
        path: PathBuf,
        /// The error message.
        reason: String,
    },
}

impl Engine {
    /// Copies a snapshot of the data file to a new file. When this method returns, the copy is on disk and
    /// can be opened as a data file. Reads and writes continue during the copy, but the write-ahead log
    /// cannot be reset until the copy is done.
    ///
    /// # Errors
    /// [`BackupError`]. No new file exists in that case.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        let Backend::Disk(disk) = &self.shared.backend else { return Err(BackupError::InMemory) };
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let directory = to.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = fs::canonicalize(directory.unwrap_or(Path::new("."))).map_err(backup_error(to))?;
        let name = to
            .file_name()
            .ok_or(io::ErrorKind::InvalidFilename)
            .map_err(|kind| backup_error(to)(kind.into()))?;
        // The copy gets its final name only when it is complete.
        let mut temporary = name.to_owned();
        temporary.push(".part");
        let temporary = directory.join(temporary);
        create(&temporary)?;
        let copied = copy(disk, &temporary).and_then(|()| rename_new(&temporary, &directory.join(name)));
        if copied.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        copied.map_err(backup_error(to))?;
        sync_directory(&directory).map_err(backup_error(to))
    }
}

fn backup_error(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(path.to_owned()),
        _ => BackupError::Failed { path: path.to_owned(), reason: error.to_string() },
    }
}

/// Creates an empty file that only its owner can access.
fn create(path: &Path) -> Result<(), BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(backup_error(path))
}

fn copy(disk: &Disk, to: &Path) -> io::Result<()> {
    disk.copy(to).map_err(|error| match error {
        StorageError::Full => io::Error::from(io::ErrorKind::StorageFull),
        other => io::Error::other(other),
    })?;
    OpenOptions::new().write(true).open(to)?.sync_all()
}

/// Renames a file without replacing an existing one.
fn rename_new(file: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(file, name) {
        Ok(()) => fs::remove_file(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // The file system does not support hard links.
        Err(_) => fs::rename(file, name),
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}
