//! Who works on a data directory: one process at a time, and whoever comes second is told who the first is.
//!
//! The lock is the operating system's on an open file, so it ends with the process however that ends, and nothing
//! stale is left by a crash. What the file holds is only for reading; it is empty while its holder starts.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use holdfast::web::pages::DisplayTime;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The process that works on the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Where it serves pages, if it is a server.
    pub address: Option<String>,
    /// The Unix socket at which it takes commands, if it does.
    pub socket: Option<PathBuf>,
    /// The file with the token for commands, if it takes them over HTTP at its address.
    pub token: Option<PathBuf>,
    /// Since when it runs.
    pub started_at: Timestamp,
}

/// Somebody else holds the lock: who, if they have said so.
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

/// What came of trying to lock.
#[derive(Debug)]
pub enum Locked {
    /// The lock is ours.
    Ours(Lock),
    /// It is another's.
    Theirs(Held),
}

impl Lock {
    /// How long somebody who is just starting may take to say who they are.
    const PATIENCE: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);

    /// Takes the lock, or finds out who has it.
    ///
    /// # Errors
    /// What the system said of the file.
    pub fn take(path: &Path) -> io::Result<Locked> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // What a process that crashed has left is nobody's any more.
                write(&mut file, "")?;
                Ok(Locked::Ours(Self(file)))
            }
            Err(TryLockError::WouldBlock) => Ok(Locked::Theirs(holder(path))),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Who holds the lock, without taking it or making the file.
    pub fn peek(path: &Path) -> Option<Held> {
        let file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(path)),
            _ => None,
        }
    }

    /// Says who holds the lock.
    ///
    /// # Errors
    /// What the system said of the file.
    pub fn announce(&mut self, holder: &Holder) -> io::Result<()> {
        write(&mut self.0, &serde_json::to_string(holder)?)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays: to remove it would let two processes lock two files of one name.
        let _ = write(&mut self.0, "");
    }
}

fn write(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

/// Who the file says holds it.
fn holder(path: &Path) -> Held {
    for _ in 0..Lock::PATIENCE {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Ok(holder) = serde_json::from_str(&text) {
            return Held(Some(holder));
        }
        sleep(Lock::PAUSE);
    }
    Held(None)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may end at a surprise")]
mod tests {
    use super::*;

    fn someone(address: Option<&str>) -> Holder {
        Holder {
            pid: 4711,
            address: address.map(str::to_owned),
            socket: None,
            token: None,
            started_at: "2026-11-21T22:04:00Z".parse().unwrap(),
        }
    }

    /// A place for a lock file that is removed with the test.
    struct Place(std::path::PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("holdfast-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            Self(directory)
        }

        fn file(&self) -> std::path::PathBuf {
            self.0.join("holdfast.lock")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let place = Place::new("second");
        let Locked::Ours(mut lock) = Lock::take(&place.file()).unwrap() else {
            panic!("nobody else is there")
        };
        lock.announce(&someone(Some("http://127.0.0.1:3000"))).unwrap();

        let Locked::Theirs(held) = Lock::take(&place.file()).unwrap() else { panic!("it is held") };
        let expected = "process 4711 serves it at http://127.0.0.1:3000 since Nov 21, 2026, 5:04 PM EST";
        assert_eq!(held.to_string(), expected);
        assert_eq!(Lock::peek(&place.file()), Some(held));
    }

    #[test]
    fn a_lock_that_was_let_go_is_free_and_says_nothing() {
        let place = Place::new("free");
        let Locked::Ours(mut lock) = Lock::take(&place.file()).unwrap() else {
            panic!("nobody else is there")
        };
        lock.announce(&someone(None)).unwrap();
        drop(lock);

        assert_eq!(Lock::peek(&place.file()), None);
        assert_eq!(std::fs::read_to_string(place.file()).unwrap(), "");
        assert!(matches!(Lock::take(&place.file()).unwrap(), Locked::Ours(_)));
    }

    #[test]
    fn what_a_crash_left_in_the_file_holds_nothing() {
        let place = Place::new("crash");
        std::fs::write(place.file(), serde_json::to_string(&someone(None)).unwrap()).unwrap();
        assert_eq!(Lock::peek(&place.file()), None);
        let locked = Lock::take(&place.file()).unwrap();
        assert!(matches!(locked, Locked::Ours(_)));
        assert_eq!(std::fs::read_to_string(place.file()).unwrap(), "", "nobody is taken for its holder");
    }

    #[test]
    fn looking_makes_no_file() {
        let place = Place::new("looking");
        assert_eq!(Lock::peek(&place.file()), None);
        assert!(!place.file().exists());
    }

    #[test]
    fn a_holder_is_described_by_what_it_does() {
        for (held, expected) in [
            (Held(None), "another process is just starting on it"),
            (
                Held(Some(someone(None))),
                "a command, process 4711, works on it since Nov 21, 2026, 5:04 PM EST",
            ),
        ] {
            assert_eq!(held.to_string(), expected);
        }
    }
}
