//! The Unix socket for commands.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast::base::rng::Rng;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use super::connection::Connection;
use super::runner::Runner;
use crate::data::DataDirectory;
use crate::files::remove_if_exists;

/// The longest path of a socket, in bytes: some systems allow 104, including the terminating zero.
const MAX_PATH: usize = 100;

/// An open socket.
pub struct Socket {
    path: PathBuf,
    /// The directory of the socket, if it cannot be in the data directory.
    own_directory: Option<PathBuf>,
    listening: JoinHandle<()>,
}

impl Socket {
    /// Opens the socket of a data directory. Passes accepted commands to the runner.
    pub fn open(data: &DataDirectory, runner: Runner) -> io::Result<Self> {
        let (path, own_directory) = path_in(&fs::canonicalize(data.path())?)?;
        // A process that was killed may have left its socket.
        remove_if_exists(&path)?;
        let bound = bind(&path).inspect_err(|_| remove_directory(own_directory.as_deref()));
        let (listener, owner) = bound?;
        let listening = tokio::spawn(listen(listener, owner, runner));
        Ok(Self { path, own_directory, listening })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts no more commands, and removes the socket.
    pub fn close(self) {
        self.listening.abort();
        let _ = fs::remove_file(&self.path);
        remove_directory(self.own_directory.as_deref());
    }
}

/// Binds a socket that only its owner can access. Returns it with its owner.
fn bind(path: &Path) -> io::Result<(UnixListener, u32)> {
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok((listener, fs::metadata(path)?.uid()))
}

/// Removes a directory that was created for the socket. An empty directory that is left behind does no harm.
fn remove_directory(own: Option<&Path>) {
    if let Some(own) = own {
        let _ = fs::remove_dir(own);
    }
}

/// Returns the socket's path: in the data directory, or in a new temporary directory if the path would be too long.
fn path_in(directory: &Path) -> io::Result<(PathBuf, Option<PathBuf>)> {
    let path = directory.join("holdfast.socket");
    if path.as_os_str().len() <= MAX_PATH {
        return Ok((path, None));
    }
    let name = format!("holdfast-{}", Rng::of_system().uuid());
    let directory = std::env::temp_dir().join(name);
    DirBuilder::new().mode(0o700).create(&directory)?;
    Ok((directory.join("socket"), Some(directory)))
}

async fn listen(listener: UnixListener, owner: u32, runner: Runner) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a command");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // The system's administrator could read the files as well.
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0) {
            tracing::warn!("refused a command of another user");
            continue;
        }
        let stream = stream.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
        if let Ok(stream) = stream {
            runner.start(Connection::Unix(stream));
        }
    }
}
