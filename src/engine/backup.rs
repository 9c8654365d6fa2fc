//! Copies of the data file while it is used.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::handle::{Backend, Engine};
use super::storage::StorageError;

/// Why there is no backup. Each is one line.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The engine has no data file.
    #[error("an engine in memory has no data file that could be copied")]
    InMemory,
    /// Something is there already. Nothing is overwritten.
    #[error("{}: this file is there already: choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// The operating system or SQLite refuses it. Nothing is left of the copy.
    #[error("{}: cannot write the backup: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

impl Engine {
    /// Copies the data file as it is at one moment to a new file, which is on disk when this returns: a data file that
    /// can be opened. Reading and writing go on meanwhile; only the write-ahead log cannot begin anew before the copy is
    /// done.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no new file.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        let Backend::Disk(disk) = &self.shared.backend else { return Err(BackupError::InMemory) };
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let directory = to.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = fs::canonicalize(directory.unwrap_or(Path::new("."))).map_err(failed(to))?;
        let name =
            to.file_name().ok_or(io::ErrorKind::InvalidFilename).map_err(|kind| failed(to)(kind.into()))?;
        // It gets its name once it is complete.
        let mut part = name.to_owned();
        part.push(".part");
        let part = directory.join(part);
        create(&part)?;
        let copied = copy(disk, &part).and_then(|()| give_name(&part, &directory.join(name)));
        if copied.is_err() {
            let _ = fs::remove_file(&part);
        }
        copied.map_err(failed(to))?;
        sync_directory(&directory).map_err(failed(to))
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(path.to_owned()),
        _ => BackupError::Failed { path: path.to_owned(), reason: error.to_string() },
    }
}

/// Creates an empty file for its owner alone.
fn create(path: &Path) -> Result<(), BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(failed(path))
}

fn copy(disk: &Disk, to: &Path) -> io::Result<()> {
    disk.copy(to).map_err(|error| match error {
        StorageError::Full => io::Error::from(io::ErrorKind::StorageFull),
        other => io::Error::other(other),
    })?;
    OpenOptions::new().write(true).open(to)?.sync_all()
}

/// Renames a file without replacing another.
fn give_name(file: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(file, name) {
        Ok(()) => fs::remove_file(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // The file system has no hard links.
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
