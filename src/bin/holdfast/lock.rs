//! The lock of a data directory: one process at a time uses it, and a second process learns which one that is.
//!
//! The lock is the operating system's lock on an open file. It ends with the process, however the process ends, so
//! a crash leaves no stale lock. The file's content is only information; it is empty while its holder starts.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use holdfast::web::pages::DisplayTime;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::files::private_file;

/// The process that uses the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    pub pid: u32,
    /// The address of its pages, if it is a server.
    pub address: Option<String>,
    /// The Unix socket that accepts commands.
    pub socket: Option<PathBuf>,
    /// The file with the token for commands over HTTP.
    pub token: Option<PathBuf>,
    pub started_at: Timestamp,
}

/// Another process holds the lock. Contains the process, if it has announced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held(pub Option<Holder>);

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(holder) = &self.0 else { return f.write_str("another process is just starting on it") };
        match &holder.address {
            Some(address) => write!(f, "process {} serves it at {address}", holder.pid)?,
            None => write!(f, "a command, process {}, works on it", holder.pid)?,
        }
        write!(f, " since {}", DisplayTime::from(holder.started_at).text)
    }
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock(File);

/// The result of taking the lock.
#[derive(Debug)]
pub enum Locked {
    Ours(Lock),
    Theirs(Held),
}

impl Lock {
    /// How often to read the holder from the file, and how long to wait in between: a process that is starting has
    /// not announced itself yet.
    const ATTEMPTS: u32 = 20;
    const ATTEMPT_INTERVAL: Duration = Duration::from_millis(100);

    /// Takes the lock, or returns who has it.
    pub fn take(path: &Path) -> io::Result<Locked> {
        let mut file = private_file().read(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // Clear what a crashed process left.
                write(&mut file, "")?;
                Ok(Locked::Ours(Self(file)))
            }
            Err(TryLockError::WouldBlock) => Ok(Locked::Theirs(holder(path))),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns the holder of the lock, without taking it or creating the file.
    pub fn peek(path: &Path) -> Option<Held> {
        let file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(path)),
            _ => None,
        }
    }

    /// Writes the holder to the lock file.
    pub fn announce(&mut self, holder: &Holder) -> io::Result<()> {
        write(&mut self.0, &serde_json::to_string(holder)?)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file is not removed: otherwise two processes could lock two files of the same name.
        let _ = write(&mut self.0, "");
    }
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

/// Reads the holder from the file.
fn holder(path: &Path) -> Held {
    for _ in 0..Lock::ATTEMPTS {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Ok(holder) = serde_json::from_str(&text) {
            return Held(Some(holder));
        }
        sleep(Lock::ATTEMPT_INTERVAL);
    }
    Held(None)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use super::*;

    fn example_holder(address: Option<&str>) -> Holder {
        Holder {
            pid: 4711,
            address: address.map(str::to_owned),
            socket: None,
            token: None,
            started_at: "2026-11-21T22:04:00Z".parse().unwrap(),
        }
    }

    /// A temporary directory for a lock file.
    struct TempDirectory(std::path::PathBuf);

    impl TempDirectory {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("holdfast-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            Self(directory)
        }

        fn file(&self) -> std::path::PathBuf {
            self.0.join("holdfast.lock")
        }
    }

    impl Drop for TempDirectory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_second_process_learns_the_holder() {
        let directory = TempDirectory::new("second");
        let Locked::Ours(mut lock) = Lock::take(&directory.file()).unwrap() else {
            panic!("the lock is free")
        };
        lock.announce(&example_holder(Some("http://127.0.0.1:3000"))).unwrap();

        let Locked::Theirs(held) = Lock::take(&directory.file()).unwrap() else { panic!("it is held") };
        let expected = "process 4711 serves it at http://127.0.0.1:3000 since Nov 21, 2026, 5:04 PM EST";
        assert_eq!(held.to_string(), expected);
        assert_eq!(Lock::peek(&directory.file()), Some(held));
    }

    #[test]
    fn a_released_lock_is_free_and_its_file_is_empty() {
        let directory = TempDirectory::new("free");
        let Locked::Ours(mut lock) = Lock::take(&directory.file()).unwrap() else {
            panic!("the lock is free")
        };
        lock.announce(&example_holder(None)).unwrap();
        drop(lock);

        assert_eq!(Lock::peek(&directory.file()), None);
        assert_eq!(std::fs::read_to_string(directory.file()).unwrap(), "");
        assert!(matches!(Lock::take(&directory.file()).unwrap(), Locked::Ours(_)));
    }

    #[test]
    fn a_file_left_by_a_crash_is_not_locked() {
        let directory = TempDirectory::new("crash");
        std::fs::write(directory.file(), serde_json::to_string(&example_holder(None)).unwrap()).unwrap();
        assert_eq!(Lock::peek(&directory.file()), None);
        let locked = Lock::take(&directory.file()).unwrap();
        assert!(matches!(locked, Locked::Ours(_)));
        assert_eq!(std::fs::read_to_string(directory.file()).unwrap(), "", "no holder remains");
    }

    #[test]
    fn peeking_creates_no_file() {
        let directory = TempDirectory::new("looking");
        assert_eq!(Lock::peek(&directory.file()), None);
        assert!(!directory.file().exists());
    }

    #[test]
    fn a_holder_is_described_by_its_activity() {
        for (held, expected) in [
            (Held(None), "another process is just starting on it"),
            (
                Held(Some(example_holder(None))),
                "a command, process 4711, works on it since Nov 21, 2026, 5:04 PM EST",
            ),
        ] {
            assert_eq!(held.to_string(), expected);
        }
    }
}
