//! The server's side: a socket at which commands come in, and what stands for their terminals.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use clap::Parser as _;
use holdfast::app::Entropy;
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc as channels, oneshot};
use tokio::task::JoinHandle;

use super::protocol::{Bytes, CHUNK, ClientMessage, ServerMessage, receive, send};
use crate::cli::{Cli, Command};
use crate::console::{Console, Interrupts, Progress};
use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::table::{Host, Served};

/// So many commands run at once, besides consumers.
const AT_ONCE: usize = 16;
/// So many connections are open at once.
const CONNECTIONS: usize = 256;
/// The longest path of a socket, in bytes: some systems take 104, with the zero at its end.
const LONGEST_PATH: usize = 100;
/// How long a command may take to send its words.
const PATIENCE: Duration = Duration::from_secs(10);

/// The open commands. Whoever closes it ends the commands that came in.
pub struct CommandSocket {
    socket: PathBuf,
    /// Where it stands if it cannot stand in the data directory.
    own_directory: Option<PathBuf>,
    connections: Connections,
    listening: JoinHandle<()>,
}

/// The connections of the commands that run, by the numbers of their descriptors; none once the socket is closed.
#[derive(Clone)]
struct Connections(Arc<Mutex<Option<HashMap<RawFd, UnixStream>>>>);

impl Connections {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(HashMap::new()))))
    }

    fn locked(&self) -> MutexGuard<'_, Option<HashMap<RawFd, UnixStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a connection until the guard is dropped, which also ends it.
    fn enter<'a>(&'a self, stream: &'a UnixStream) -> io::Result<Entered<'a>> {
        let copy = stream.try_clone()?;
        match self.locked().as_mut() {
            Some(open) if open.len() < CONNECTIONS => drop(open.insert(stream.as_raw_fd(), copy)),
            Some(_) => return Err(io::Error::other("there are too many connections")),
            None => return Err(io::Error::other("the server is ending")),
        }
        Ok(Entered { connections: self, stream })
    }

    /// Ends all connections, and lets none in any more.
    fn close(&self) {
        for stream in self.locked().take().into_iter().flat_map(HashMap::into_values) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

struct Entered<'a> {
    connections: &'a Connections,
    stream: &'a UnixStream,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.connections.locked().as_mut() {
            open.remove(&self.stream.as_raw_fd());
        }
        // What was sent already can still be read.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl CommandSocket {
    /// Opens the socket in a data directory whose lock the caller holds. The commands work on what the server
    /// has open.
    ///
    /// # Errors
    /// [`Failure::File`] with what the system said.
    pub fn open(data: &DataDirectory, served: Served) -> Result<Self, Failure> {
        Self::at(data.path(), served).map_err(Failure::file("take commands in", data.path()))
    }

    fn at(directory: &Path, served: Served) -> io::Result<Self> {
        let (socket, own_directory) = path_in(&fs::canonicalize(directory)?)?;
        match fs::remove_file(&socket) {
            // What a process that was killed has left.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        let owner = fs::metadata(&socket)?.uid();
        let connections = Connections::new();
        let listening = tokio::spawn(listen(listener, owner, connections.clone(), served));
        Ok(Self { socket, own_directory, connections, listening })
    }

    /// Where it is.
    pub fn socket(&self) -> Option<&Path> {
        Some(&self.socket)
    }

    /// Closes it. Commands that run are given up.
    pub fn close(self) {
        self.listening.abort();
        let _ = fs::remove_file(&self.socket);
        if let Some(own) = &self.own_directory {
            let _ = fs::remove_dir(own);
        }
        self.connections.close();
    }
}

/// The socket's path: in the data directory, or where that has too long a name, in a new directory for temporary files.
fn path_in(directory: &Path) -> io::Result<(PathBuf, Option<PathBuf>)> {
    let path = directory.join("holdfast.socket");
    if path.as_os_str().len() <= LONGEST_PATH {
        return Ok((path, None));
    }
    let name = format!("holdfast-{}", Entropy::of_system().uuid());
    let directory = std::env::temp_dir().join(name);
    DirBuilder::new().mode(0o700).create(&directory)?;
    Ok((directory.join("socket"), Some(directory)))
}

async fn listen(listener: UnixListener, owner: u32, connections: Connections, served: Served) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a command could not come in");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // The system's administrator could read the files as well.
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0) {
            tracing::warn!("somebody else's command was turned away");
            continue;
        }
        let stream = stream.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
        let Ok(stream) = stream else { continue };
        let (connections, served, handle) = (connections.clone(), served.clone(), Handle::current());
        let turns = turns.clone();
        tokio::task::spawn_blocking(move || {
            let entered = connections.enter(&stream);
            if let Err(error) = entered.and_then(|_open| handle_connection(&stream, &served, &turns, &handle))
            {
                tracing::debug!(%error, "a command was given up");
            }
        });
    }
}

/// Runs one command to its end, or until its process is gone.
fn handle_connection(
    stream: &UnixStream,
    served: &Served,
    turns: &Semaphore,
    handle: &Handle,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let ClientMessage::Run { version, words } = receive(stream)? else {
        return Err(io::Error::other("it did not begin with its words"));
    };
    stream.set_read_timeout(None)?;
    if version != env!("CARGO_PKG_VERSION") {
        let running = env!("CARGO_PKG_VERSION");
        let failure = format!(
            "holdfast: the server that runs is of version {running}, and this command of {version}; use that version, or start the server again"
        );
        return send(stream, &ServerMessage::End { code: 1, failure: Some(failure) });
    }
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => return send(stream, &ServerMessage::End { code: 2, failure: Some(error.to_string()) }),
    };
    if cli.command.as_ref().and_then(Command::local_data).is_none() {
        let failure = Some("holdfast: this is no command on the data of a server".to_owned());
        return send(stream, &ServerMessage::End { code: 2, failure });
    }
    // A consumer runs until it is stopped, and there may be as many as the topic has partitions.
    let consumes = matches!(cli.command, Some(Command::Consume(_)));
    let turn = if consumes { None } else { Some(turns.try_acquire()) };
    if let Some(Err(_)) = turn {
        let failure =
            Some(format!("holdfast: {AT_ONCE} commands run beside this server already; wait for one"));
        return send(stream, &ServerMessage::End { code: 1, failure });
    }
    let end = run(stream, cli, served, handle)?;
    send(stream, &end)
}

fn run(stream: &UnixStream, cli: Cli, served: &Served, handle: &Handle) -> io::Result<ServerMessage> {
    // One question is asked at a time, and has one answer.
    let (hand_over, answers) = mpsc::sync_channel(1);
    let (interrupt, interrupts) = channels::unbounded_channel();
    let (left, gone) = oneshot::channel();
    let hearing = stream.try_clone()?;
    let listener = std::thread::Builder::new().name("command".to_owned()).spawn(move || {
        while let Ok(said) = receive(&hearing) {
            let taken = match said {
                ClientMessage::Signal(name) => interrupt.send(name).is_ok(),
                // More than one answer to a question is none.
                said => hand_over.try_send(said).is_ok(),
            };
            if !taken {
                break;
            }
        }
        let _ = left.send(());
    })?;
    let console =
        Remote { stream, answers, interrupts: RefCell::new(Some(interrupts)), shown: RefCell::new(None) };
    let host = Host::Server(served);
    let outcome = handle.block_on(async {
        tokio::select! {
            outcome = crate::obey(cli, &host, &console) => Some(outcome),
            _ = gone => None,
        }
    });
    drop(console);
    let Some(outcome) = outcome else { return Err(io::Error::other("its process is gone")) };
    let end = match outcome {
        Ok(()) => ServerMessage::End { code: 0, failure: None },
        Err(failure) => {
            ServerMessage::End { code: failure.exit_code(), failure: Some(format!("holdfast: {failure}")) }
        }
    };
    drop(listener);
    Ok(end)
}

/// The terminal and files of the command's process.
struct Remote<'a> {
    stream: &'a UnixStream,
    answers: mpsc::Receiver<ClientMessage>,
    interrupts: RefCell<Option<channels::UnboundedReceiver<String>>>,
    /// When progress was shown last.
    shown: RefCell<Option<Instant>>,
}

impl Remote<'_> {
    /// Between two frames of progress.
    const BETWEEN: Duration = Duration::from_millis(100);

    fn ask(&self, ask: &ServerMessage) -> io::Result<ClientMessage> {
        send(self.stream, ask)?;
        let gone = |_| io::Error::other("the command's process is gone");
        match self.answers.recv().map_err(gone)? {
            ClientMessage::Failed(words) => Err(io::Error::other(words)),
            said => Ok(said),
        }
    }

    fn number(&self, ask: &ServerMessage) -> io::Result<usize> {
        match self.ask(ask)? {
            ClientMessage::Opened(number) => Ok(number),
            _ => Err(io::Error::other("the command did not say which file it opened")),
        }
    }
}

impl Console for Remote<'_> {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(CHUNK) {
            self.ask(&ServerMessage::Write(Bytes(chunk.to_vec())))?;
        }
        Ok(())
    }

    fn note(&self, line: &str) {
        // If the client is gone, the command is cancelled anyway.
        let _ = send(self.stream, &ServerMessage::Note(line.to_owned()));
    }

    fn progress(&self, progress: &Progress) {
        let now = Instant::now();
        if self.shown.borrow().is_some_and(|last| now.duration_since(last) < Self::BETWEEN) {
            return;
        }
        self.shown.replace(Some(now));
        let _ = send(self.stream, &ServerMessage::Progress(progress.clone()));
    }

    fn end_progress(&self) {
        let _ = send(self.stream, &ServerMessage::EndProgress);
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + '_>> {
        let number = self.number(&ServerMessage::Open(path.as_os_str().to_owned()))?;
        Ok(Box::new(RemoteFile {
            console: self,
            next: ServerMessage::Read(number),
            close: Some(ServerMessage::CloseRead(number)),
            rest: Vec::new(),
            read: 0,
        }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + '_>> {
        let number = self.number(&ServerMessage::Create(path.as_os_str().to_owned()))?;
        Ok(Box::new(RemoteNewFile { console: self, number }))
    }

    fn create_private(&self, path: &Path) -> io::Result<Box<dyn Write + '_>> {
        let number = self.number(&ServerMessage::CreatePrivate(path.as_os_str().to_owned()))?;
        Ok(Box::new(RemoteNewFile { console: self, number }))
    }

    fn input(&self) -> Box<dyn Read + '_> {
        Box::new(RemoteFile {
            console: self,
            next: ServerMessage::Input,
            close: None,
            rest: Vec::new(),
            read: 0,
        })
    }

    fn signals(&self) -> Result<Interrupts, Failure> {
        let interrupts = self.interrupts.take();
        interrupts
            .map(Interrupts::from)
            .ok_or_else(|| Failure::Runtime(io::Error::other("the command hears its signals already")))
    }
}

/// A file of the command's process, or its standard input.
struct RemoteFile<'a> {
    console: &'a Remote<'a>,
    next: ServerMessage,
    close: Option<ServerMessage>,
    rest: Vec<u8>,
    read: usize,
}

impl Read for RemoteFile<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.rest.len() {
            let ClientMessage::Data(Bytes(bytes)) = self.console.ask(&self.next)? else {
                return Err(io::Error::other("the command did not say what is in its file"));
            };
            (self.rest, self.read) = (bytes, 0);
        }
        let read = (&self.rest[self.read..]).read(into)?;
        self.read += read;
        Ok(read)
    }
}

impl Drop for RemoteFile<'_> {
    fn drop(&mut self) {
        if let Some(close) = &self.close {
            // A process that is gone has closed it.
            let _ = send(self.console.stream, close);
        }
    }
}

/// A new file of the command's process.
struct RemoteNewFile<'a> {
    console: &'a Remote<'a>,
    number: usize,
}

impl Write for RemoteNewFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = &bytes[..bytes.len().min(CHUNK)];
        self.console.ask(&ServerMessage::WriteTo(self.number, Bytes(some.to_vec())))?;
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.console.ask(&ServerMessage::Flush(self.number)).map(drop)
    }
}

impl Drop for RemoteNewFile<'_> {
    fn drop(&mut self) {
        // A process that is gone has closed it.
        let _ = send(self.console.stream, &ServerMessage::CloseWrite(self.number));
    }
}
