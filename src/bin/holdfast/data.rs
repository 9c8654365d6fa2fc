//! The data directory: the engine's file, the session cookie key, and the lock. Only its owner can read it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use holdfast::accounts::keys::{CookieKey, CookieKeys, KeyRing, cookie_key};
use holdfast::base::rng::Rng;

use crate::failure::Failure;
use crate::lock::{Held, Lock, Locked};

/// The prefix of the names of copies.
const COPY_PREFIX: &str = ".holdfast-copy-";
/// Enough for the files that SQLite keeps next to an open file, and for the lock.
const RESERVED_BYTES: usize = 256 * 1024;

/// A data directory.
#[derive(Debug, Clone)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// Returns the directory at this path. It need not exist yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of the engine's file.
    pub fn database(&self) -> PathBuf {
        self.0.join("holdfast.store")
    }

    /// Returns the path of the file of the engine that earlier versions used.
    pub fn former_database(&self) -> PathBuf {
        self.0.join("holdfast.db")
    }

    /// Returns the paths of all files that contain data or keys.
    pub fn files(&self) -> [PathBuf; 4] {
        [self.database(), self.database_log(), self.former_database(), self.cookie_key()]
    }

    /// Returns whether this engine or the former one has left data in the directory.
    pub fn has_data(&self) -> bool {
        [self.database(), self.database_log(), self.former_database()].iter().any(|file| file.exists())
    }

    /// Returns the path of the log that SQLite keeps next to the engine's file while the file is open.
    pub fn database_log(&self) -> PathBuf {
        self.0.join("holdfast.store-wal")
    }

    /// Returns the path of the token that commands send over HTTP.
    pub fn command_token(&self) -> PathBuf {
        self.0.join("holdfast.token")
    }

    fn cookie_key(&self) -> PathBuf {
        self.0.join("cookie.key")
    }

    /// Returns a new path for a temporary copy of the data.
    pub fn copy(&self, rng: &Rng) -> PathBuf {
        self.0.join(format!("{COPY_PREFIX}{}", rng.uuid()))
    }

    /// Removes copies that a killed process left behind. The caller holds the lock, so no copy is in use.
    pub fn remove_copies(&self, _held: &Lock) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let is_ours = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            let id =
                name.to_str().and_then(|name| name.strip_prefix(COPY_PREFIX)?.get(..36).map(str::to_owned));
            id.is_some_and(|id| id.parse::<uuid::Uuid>().is_ok())
                && entry.file_type().is_ok_and(|kind| kind.is_file())
        };
        for entry in entries.filter(is_ours) {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(%error, "cannot remove an old copy of the data: {}", entry.path().display());
            }
        }
    }

    /// Reserves disk space that a later start on a full disk can free: opening the data needs a little.
    ///
    /// # Errors
    /// Returns the system's error.
    pub fn reserve_space(&self) -> io::Result<()> {
        let path = self.spare();
        if path.exists() {
            return Ok(());
        }
        let mut file = private_file(&path)?;
        let taken = file.write_all(&[0; RESERVED_BYTES]).and_then(|()| file.sync_all());
        taken.inspect_err(|_| drop(fs::remove_file(&path)))
    }

    /// Runs some work that needs disk space. If it fails and there is reserved space, frees that and tries again.
    ///
    /// # Errors
    /// Returns the error of the last attempt.
    pub fn with_reserved_space<T, E>(
        &self,
        mut work: impl FnMut() -> Result<T, E>,
        may_need_space: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        match work() {
            Err(error) if may_need_space(&error) && fs::remove_file(self.spare()).is_ok() => work(),
            done => done,
        }
    }

    fn spare(&self) -> PathBuf {
        self.0.join("holdfast.spare")
    }

    /// Returns the path of the lock file.
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("holdfast.lock")
    }

    /// Returns the process that uses the directory, without touching anything.
    pub fn holder(&self) -> Option<Held> {
        Lock::peek(&self.lock_file())
    }

    /// Creates the directory if it does not exist, and takes its lock.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub fn lock(&self) -> Result<Locked, Failure> {
        create_private_directory(&self.0).map_err(Failure::file("make the data directory", &self.0))?;
        self.warn_if_others_have_access();
        let file = self.lock_file();
        Lock::take(&file).map_err(Failure::file("lock", file))
    }

    /// Warns if other users can enter the directory. An existing directory keeps its mode; the files in it are private
    /// either way.
    #[cfg(unix)]
    fn warn_if_others_have_access(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&self.0).map(|found| found.permissions().mode() & 0o077).unwrap_or_default();
        if mode != 0 {
            let path = self.0.display();
            tracing::warn!(
                "other users of this computer can access {path}; restrict it with: chmod 700 '{path}'"
            );
        }
    }

    #[cfg(not(unix))]
    fn warn_if_others_have_access(&self) {}

    /// Takes the lock, or fails if another process holds it.
    ///
    /// # Errors
    /// [`Failure::DataHeld`], [`Failure::File`].
    pub fn lock_alone(&self) -> Result<Lock, Failure> {
        match self.lock()? {
            Locked::Ours(lock) => Ok(lock),
            Locked::Theirs(held) => Err(self.held(held)),
        }
    }

    /// Returns the failure that another process uses the directory.
    pub fn held(&self, held: Held) -> Failure {
        Failure::DataHeld { directory: self.0.clone(), held }
    }

    /// Returns the session cookie keys from `cookie.key`, which is created if it is missing.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub fn cookie_keys(&self, _held: &Lock, rng: &Rng) -> Result<CookieKeys, Failure> {
        let path = self.cookie_key();
        let key = read_key(&path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => make_key(&path, rng),
            _ => Err(error),
        });
        let key = key.map_err(Failure::file("use the cookie key", path))?;
        Ok(CookieKeys::fixed(KeyRing::of(key, None)))
    }
}

fn read_key(path: &Path) -> io::Result<CookieKey> {
    let secret = fs::read_to_string(path)?;
    cookie_key(secret.trim_end()).map_err(|fault| {
        io::Error::new(io::ErrorKind::InvalidData, format!("it {fault} Remove it to get a new one"))
    })
}

fn make_key(path: &Path, rng: &Rng) -> io::Result<CookieKey> {
    let secret = STANDARD_NO_PAD.encode(rng.bytes::<64>());
    write_private(path, &secret)?;
    read_key(path)
}

/// Writes a file that only its owner can read, and replaces an existing one. A crash leaves a complete file or none.
///
/// # Errors
/// Returns the system's error.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // An existing file would keep its permissions.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private_file(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_name(path)
}

/// Syncs the directory of a file, so that the file's new name survives a power failure. Some file systems cannot do
/// that and do not need to.
///
/// # Errors
/// Returns the system's error.
pub fn sync_name(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let here = directory.as_os_str().is_empty();
        let directory = File::open(if here { Path::new(".") } else { directory })?;
        match directory.sync_all() {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {}
            synced => synced?,
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
