//! The data directory: the engine's file, the keys of session cookies and of stored secrets, and the lock. Only its owner can read it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use holdfast::accounts::data_keys::DataKeys;
use holdfast::accounts::keys::{CookieKeys, KeyRing, Keys, SecretKey};
use holdfast::base::rng::Rng;

use crate::failure::Failure;
use crate::files::{create_private_directory, private_file, write_private};
use crate::lock::{Held, Lock, Locked};

const COPY_PREFIX: &str = ".holdfast-copy-";
/// Enough for the files that SQLite keeps next to an open file, and for the lock.
const RESERVED_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// The directory need not exist yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("holdfast.store")
    }

    /// Returns the file of the engine that earlier versions used.
    pub fn former_database(&self) -> PathBuf {
        self.0.join("holdfast.db")
    }

    /// Returns all files that contain data or belong to it, except the data key: a copy of that may be here before a
    /// backup is restored.
    pub fn files(&self) -> [PathBuf; 4] {
        [self.database(), self.database_log(), self.former_database(), self.cookie_key()]
    }

    /// Returns whether this engine or the former one has left data in the directory.
    pub fn has_data(&self) -> bool {
        [self.database(), self.database_log(), self.former_database()].iter().any(|file| file.exists())
    }

    /// Returns the log that SQLite keeps next to the engine's file while the file is open.
    pub fn database_log(&self) -> PathBuf {
        self.0.join("holdfast.store-wal")
    }

    /// Returns the file with the token that commands send over HTTP.
    pub fn command_token(&self) -> PathBuf {
        self.0.join("holdfast.token")
    }

    fn cookie_key(&self) -> PathBuf {
        self.0.join("cookie.key")
    }

    /// Returns the file with the key that encrypts secrets in the data.
    pub fn data_key(&self) -> PathBuf {
        self.0.join("data.key")
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
    pub fn reserve_space(&self) -> io::Result<()> {
        let path = self.spare();
        if path.exists() {
            return Ok(());
        }
        let mut file = private_file().create(true).truncate(true).open(&path)?;
        let taken = file.write_all(&[0; RESERVED_BYTES]).and_then(|()| file.sync_all());
        taken.inspect_err(|_| drop(fs::remove_file(&path)))
    }

    /// Runs some work that needs disk space. If it fails and there is reserved space, frees that and tries again.
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

    pub fn lock_file(&self) -> PathBuf {
        self.0.join("holdfast.lock")
    }

    /// Returns the process that uses the directory, without touching anything.
    pub fn holder(&self) -> Option<Held> {
        Lock::peek(&self.lock_file())
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

    /// Creates the directory if it does not exist, and takes its lock. Fails if another process holds it.
    pub fn lock_alone(&self) -> Result<Lock, Failure> {
        create_private_directory(&self.0).map_err(Failure::file("make the data directory", &self.0))?;
        self.warn_if_others_have_access();
        let file = self.lock_file();
        match Lock::take(&file).map_err(Failure::file("lock", file))? {
            Locked::Ours(lock) => Ok(lock),
            Locked::Theirs(held) => Err(Failure::DataHeld { directory: self.0.clone(), held }),
        }
    }

    /// Returns the session cookie keys from `cookie.key`, which is created if it is missing.
    pub fn cookie_keys(&self, _held: &Lock, rng: &Rng) -> Result<CookieKeys, Failure> {
        let keys = keys(&self.cookie_key(), "Remove it to get a new one", rng);
        keys.map_err(Failure::file("use the cookie key", self.cookie_key()))
    }

    /// Returns the keys of secrets in the data from `data.key`, which is created if it is missing.
    pub fn data_keys(&self, _held: &Lock, rng: &Rng) -> Result<DataKeys, Failure> {
        let remedy = "Put a copy of it there; only with a new one, everyone sets up two-factor sign-in again";
        let keys = keys(&self.data_key(), remedy, rng);
        keys.map_err(Failure::file("use the data key", self.data_key()))
    }
}

/// Returns the key in a file, which is created if it is missing.
fn keys<K: SecretKey>(path: &Path, remedy: &str, rng: &Rng) -> io::Result<Keys<K>> {
    let key = read_key(path, remedy).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => make_key(path, remedy, rng),
        _ => Err(error),
    });
    Ok(Keys::fixed(KeyRing::of(key?, None)))
}

fn read_key<K: SecretKey>(path: &Path, remedy: &str) -> io::Result<K> {
    let secret = fs::read_to_string(path)?;
    K::from_secret(secret.trim_end())
        .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, format!("it {fault} {remedy}")))
}

fn make_key<K: SecretKey>(path: &Path, remedy: &str, rng: &Rng) -> io::Result<K> {
    let secret = STANDARD_NO_PAD.encode(rng.bytes::<64>());
    write_private(path, &secret)?;
    read_key(path, remedy)
}
