//! Helper processes that never outlive the test run, however it ends.
//!
//! A shell watchdog starts each process and reads from a pipe of this process. When this process ends, even by
//! SIGKILL, the pipe closes and the watchdog kills the process.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Descriptor 3 is the pipe. The shell replaces itself with the command, so its process id stays the same.
const WATCHDOG: &str = r#"exec 3<&0; (read -r _ <&3; kill -9 "$$") & exec "$@" 3<&- </dev/null"#;

/// All started processes, ended by [`end_all`].
static STARTED: Mutex<Vec<Arc<Mutex<Child>>>> = Mutex::new(Vec::new());

/// The folder for everything that tests build, install or draw: cargo's target folder.
pub fn target() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).to_owned()
}

/// A TCP port that was free a moment ago.
///
/// # Errors
/// A loopback socket cannot be bound.
pub fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// A started process. Clones are the same process.
///
/// It owns its child and does not find it by its process id, because a long run reuses ids.
#[derive(Clone, Debug)]
pub struct Process {
    child: Arc<Mutex<Child>>,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with the watchdog. Its output goes to the log called `name`, which must be unique within
    /// the run.
    ///
    /// # Errors
    /// The log cannot be created, or the shell cannot be started.
    pub fn start(name: &str, command: &Command) -> io::Result<Self> {
        let logs = target().join("tmp");
        std::fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let mut watched = Command::new("sh");
        watched.args(["-c", WATCHDOG, name]).arg(command.get_program()).args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => watched.env(variable, value),
                None => watched.env_remove(variable),
            };
        }
        watched.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
        watched.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let child = Arc::new(Mutex::new(watched.spawn()?));
        locked(&STARTED).push(child.clone());
        Ok(Self { child, log })
    }

    /// Its exit status, or `None` while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        locked(&self.child).try_wait().ok().flatten()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        locked(&self.child).id()
    }

    /// Sends a signal by its name: `TERM`, `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        assert!(self.ended().is_none(), "{name} was not delivered: the process has ended");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} was not delivered");
    }

    /// Kills it, if it still runs.
    pub fn end(&self) {
        locked(&STARTED).retain(|child| !Arc::ptr_eq(child, &self.child));
        kill(&self.child);
    }

    /// Its output so far, of both streams.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last line of its output.
    pub fn last_line(&self) -> String {
        let written = self.output();
        let last = written.lines().rfind(|line| !line.trim().is_empty());
        last.unwrap_or("it printed nothing").to_owned()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill(child: &Mutex<Child>) {
    let mut child = locked(child);
    // It may have ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// The first executable file called `name` on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Ends all processes. It is called once, after the last case.
pub fn end_all() {
    for child in locked(&STARTED).drain(..) {
        kill(&child);
    }
}
