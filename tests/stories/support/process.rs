//! Helper processes that never outlive the test run, however it ends.
//!
//! A process is started behind a small shell watchdog that reads from a pipe we hold. When this
//! process ends, even by SIGKILL, the pipe closes and the watchdog kills what it watches.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Descriptor 3 is the pipe; the shell becomes the command itself, so its process id stays.
const WATCHDOG: &str = r#"exec 3<&0; (read -r _ <&3; kill -9 "$$") & exec "$@" 3<&- </dev/null"#;

/// Everything started so far, ended by [`end_all`].
static STARTED: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// The folder for what tests build, install or draw: cargo's target folder.
pub fn target() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).to_owned()
}

/// The log that the process called `name` writes, both streams together.
pub fn log(name: &str) -> PathBuf {
    target().join("tmp").join(format!("{name}.log"))
}

/// A TCP port that was free a moment ago.
///
/// # Errors
/// Those of binding a loopback socket.
pub fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Starts `program` with `arguments` in `folder`, watched, its output in [`log`]`(name)`.
///
/// # Errors
/// Those of creating the log and of starting the shell.
pub fn start(name: &str, program: &Path, arguments: &[String], folder: &Path) -> io::Result<u32> {
    std::fs::create_dir_all(target().join("tmp"))?;
    let output = File::create(log(name))?;
    let child = Command::new("sh")
        .args(["-c", WATCHDOG, name])
        .arg(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let id = child.id();
    STARTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(child);
    Ok(id)
}

/// Whether the process `id`, started here, has ended by itself.
pub fn has_ended(id: u32) -> bool {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    let child = started.iter_mut().find(|child| child.id() == id);
    child.is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
}

/// The last line of the log that the process called `name` has written.
pub fn last_words(name: &str) -> String {
    let written = std::fs::read_to_string(log(name)).unwrap_or_default();
    let last = written.lines().rfind(|line| !line.trim().is_empty());
    last.unwrap_or("it said nothing").to_owned()
}

/// The first executable file called `name` on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Ends everything that was started; called once, when the last story has been told.
pub fn end_all() {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for mut child in started.drain(..) {
        // A child that has already ended cannot be killed again, which is what was wanted.
        let _ = child.kill();
        let _ = child.wait();
    }
}
