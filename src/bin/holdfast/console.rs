//! A command's input and output: the terminal and files of this process, or of another process whose command the
//! server runs.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read, Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::files::{private_file, sync_name};
use crate::signals::Signals;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    /// The total; 0 if it is unknown.
    pub of: u64,
    pub words: String,
}

impl Progress {
    /// Returns progress without a known total.
    pub fn of_words(words: String) -> Self {
        Self { done: 0, of: 0, words }
    }
}

/// The input and output of a command.
pub trait Console {
    /// Writes to standard output.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;

    /// Writes a line to standard error.
    fn note(&self, line: &str);

    /// Shows progress: on one line of a terminal, otherwise as a line every ten seconds.
    fn progress(&self, progress: &Progress);

    /// Clears what [`progress`](Self::progress) shows.
    fn end_progress(&self);

    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + '_>>;

    /// Creates a new file. Never overwrites an existing one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + '_>>;

    /// Creates a new file that only its owner can read. The file is on disk once it is flushed.
    fn create_private(&self, path: &Path) -> io::Result<Box<dyn Write + '_>>;

    /// Returns standard input.
    fn input(&self) -> Box<dyn Read + '_>;

    /// Sends the signals that ask the command to stop to the returned channel, instead of ending the process.
    fn signals(&self) -> Result<Interrupts, Failure>;
}

impl dyn Console + '_ {
    /// Writes a line to standard output. A closed pipe does not stop the command.
    pub fn print(&self, line: &str) {
        let _ = self.write(format!("{line}\n").as_bytes());
    }
}

/// Writes a line to this process's standard output.
pub fn print(line: &str) {
    let terminal: &dyn Console = &Terminal::new();
    terminal.print(line);
}

/// The signals that ask a command to stop, by name.
pub struct Interrupts(mpsc::UnboundedReceiver<String>);

impl Interrupts {
    pub fn from(channel: mpsc::UnboundedReceiver<String>) -> Self {
        Self(channel)
    }

    pub async fn next(&mut self) -> String {
        match self.0.recv().await {
            Some(name) => name,
            // The sender is gone.
            None => std::future::pending().await,
        }
    }
}

/// The time between two progress lines if standard error is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The terminal and files of this process.
pub struct Terminal {
    shown: RefCell<Shown>,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines(Instant),
}

impl Terminal {
    pub fn new() -> Self {
        Self { shown: RefCell::new(Shown::Nothing) }
    }
}

/// Creates a progress bar, or a spinner if the total is unknown.
fn bar(of: u64) -> ProgressBar {
    let (bar, template) = match of {
        0 => (ProgressBar::new_spinner(), "{spinner} {msg}"),
        of => (ProgressBar::new(of), "{wide_bar} {percent}%  {msg}  {eta} left"),
    };
    // An invalid template leaves the default bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A new file that gets its name, and is on disk, once it is flushed. Without a flush, nothing is left of it.
struct Synced {
    file: File,
    part: PathBuf,
    path: PathBuf,
}

impl Synced {
    fn create(path: &Path) -> io::Result<Self> {
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file already exists"));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".part-{}", std::process::id()));
        let part = PathBuf::from(part);
        let file = private_file().create_new(true).open(&part)?;
        Ok(Self { file, part, path: path.to_owned() })
    }
}

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        // Unlike a rename, a hard link never overwrites a file.
        match std::fs::hard_link(&self.part, &self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // Some file systems do not support hard links.
                std::fs::rename(&self.part, &self.path)
            }
            linked => linked,
        }?;
        sync_name(&self.path)
    }
}

impl Drop for Synced {
    fn drop(&mut self) {
        // After a rename the file no longer exists.
        let _ = std::fs::remove_file(&self.part);
    }
}

impl Console for Terminal {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    }

    fn note(&self, line: &str) {
        // A closed pipe does not stop the command.
        let _ = writeln!(stderr(), "{line}");
    }

    fn progress(&self, progress: &Progress) {
        let Progress { done, of, words } = progress;
        let mut shown = self.shown.borrow_mut();
        if matches!(*shown, Shown::Nothing) {
            let watched = stderr().is_terminal();
            *shown = if watched { Shown::Bar(bar(*of)) } else { Shown::Lines(Instant::now()) };
        }
        match &mut *shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                if *of > 0 {
                    bar.set_length(*of);
                    bar.set_position(*done);
                }
                bar.set_message(words.clone());
                bar.tick();
            }
            Shown::Lines(last) if last.elapsed() < LINE_INTERVAL => {}
            Shown::Lines(last) => {
                *last = Instant::now();
                match done.saturating_mul(100).checked_div(*of) {
                    Some(percent) => self.note(&format!("{percent} %: {words}")),
                    None => self.note(words),
                }
            }
        }
    }

    fn end_progress(&self) {
        if let Shown::Bar(bar) = self.shown.replace(Shown::Nothing) {
            bar.finish_and_clear();
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + '_>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn create_private(&self, path: &Path) -> io::Result<Box<dyn Write + '_>> {
        Ok(Box::new(Synced::create(path)?))
    }

    fn input(&self) -> Box<dyn Read + '_> {
        Box::new(stdin().lock())
    }

    fn signals(&self) -> Result<Interrupts, Failure> {
        let mut signals = Signals::listen().map_err(Failure::Runtime)?;
        let (send, receive) = mpsc::unbounded_channel();
        tokio::spawn(async move { while send.send(signals.next().await.to_owned()).is_ok() {} });
        Ok(Interrupts::from(receive))
    }
}
