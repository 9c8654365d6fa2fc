//! The command's side: sends its arguments, and does what the server asks.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read, Write};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use super::connection::Connection;
use super::http;
use super::protocol::{Bytes, ClientMessage, MAX_DATA, ServerMessage, receive, send as send_frame};
use crate::console::{Console, Interrupts, Terminal};
use crate::failure::Failure;
use crate::lock::Holder;

/// The address where a server accepts commands.
pub enum ServerAddress {
    /// A Unix socket with this path.
    #[cfg(unix)]
    Socket(PathBuf),
    /// The server's HTTP address.
    Http {
        /// The address of its pages: `http://127.0.0.1:PORT`.
        address: String,
        /// The file with the token.
        token: PathBuf,
    },
}

impl ServerAddress {
    /// Returns where the holder of a lock accepts commands, if it does.
    pub fn of(holder: &Holder) -> Option<Self> {
        #[cfg(unix)]
        if let Some(socket) = &holder.socket {
            return Some(Self::Socket(socket.clone()));
        }
        Some(Self::Http { address: holder.address.clone()?, token: holder.token.clone()? })
    }

    fn connect(&self) -> io::Result<Connection> {
        match self {
            #[cfg(unix)]
            Self::Socket(path) => UnixStream::connect(path).map(Connection::Unix),
            Self::Http { address, token } => http::connect(address, token).map(Connection::Tcp),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(unix)]
            Self::Socket(path) => path.display().fmt(f),
            Self::Http { address, .. } => f.write_str(address),
        }
    }
}

/// Runs a command in a server, and returns its exit code. Forwards `interrupts` to the server.
///
/// # Errors
/// [`Failure::Remote`] if the server cannot be reached or stops before the command ends.
pub async fn send(
    server: ServerAddress,
    words: Vec<OsString>,
    interrupts: Option<Interrupts>,
) -> Result<ExitCode, Failure> {
    let at = server.to_string();
    let failed = |cause: io::Error| Failure::Remote { at: at.clone(), cause };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let run = ClientMessage::Run { version, words: words.clone() };
    let connecting = tokio::task::spawn_blocking(move || {
        let connection = server.connect()?;
        send_frame(&connection, &run).map(|()| connection)
    });
    let connection = connecting.await.map_err(io::Error::other).flatten().map_err(failed)?;
    if let Some(interrupts) = interrupts {
        let connection = connection.try_clone().map_err(failed)?;
        tokio::spawn(forward_signals(interrupts, connection));
    }
    // Files and standard input may block.
    let done = tokio::task::spawn_blocking(move || serve_requests(&connection, words)).await;
    done.map_err(io::Error::other).flatten().map_err(failed)
}

/// Forwards the first signal, and exits at the second.
async fn forward_signals(mut interrupts: Interrupts, connection: Connection) {
    let signal = interrupts.next().await;
    if send_frame(&connection, &ClientMessage::Signal(signal)).is_ok() {
        interrupts.next().await;
    }
    std::process::exit(130);
}

/// Does what the server asks until it reports the end of the command.
fn serve_requests(connection: &Connection, words: Vec<OsString>) -> io::Result<ExitCode> {
    let terminal = Terminal::new();
    let mut files = Files { terminal: &terminal, words, readers: Vec::new(), writers: Vec::new() };
    loop {
        let answer = match receive(connection).map_err(closed)? {
            ServerMessage::Write(Bytes(bytes)) => Some(done(terminal.write(&bytes))),
            ServerMessage::Note(line) => {
                terminal.note(&line);
                None
            }
            ServerMessage::Progress(progress) => {
                terminal.progress(&progress);
                None
            }
            ServerMessage::EndProgress => {
                terminal.end_progress();
                None
            }
            ServerMessage::CloseRead(file) => {
                files.readers.get_mut(file).and_then(Option::take);
                None
            }
            ServerMessage::CloseWrite(file) => {
                files.writers.get_mut(file).and_then(Option::take);
                None
            }
            ServerMessage::End { code, failure } => {
                terminal.end_progress();
                if let Some(failure) = failure {
                    terminal.note(&failure);
                }
                return Ok(ExitCode::from(code));
            }
            request => Some(files.answer(request)),
        };
        if let Some(answer) = answer {
            send_frame(connection, &answer)?;
        }
    }
}

/// Describes a closed connection for people.
fn closed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            io::Error::other("it closed the connection")
        }
        _ => error,
    }
}

/// The files that the server asked for. Only files that the person named are opened, because the data directory may
/// belong to another user.
struct Files<'a> {
    terminal: &'a Terminal,
    words: Vec<OsString>,
    readers: Vec<Option<Box<dyn Read + 'a>>>,
    writers: Vec<Option<Box<dyn Write + 'a>>>,
}

impl<'a> Files<'a> {
    /// Returns the path, if it is an argument or the value of a flag.
    fn named(&self, path: &OsStr) -> io::Result<PathBuf> {
        let is_named = |word: &OsString| {
            let bytes = word.as_encoded_bytes();
            let value = bytes.iter().position(|byte| *byte == b'=').map(|at| &bytes[at + 1..]);
            word == path || (bytes.starts_with(b"--") && value == Some(path.as_encoded_bytes()))
        };
        if self.words.iter().any(is_named) {
            return Ok(PathBuf::from(path));
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the server asked for a file that is not in the command line",
        ))
    }

    fn answer(&mut self, request: ServerMessage) -> ClientMessage {
        match request {
            ServerMessage::Open(path) => {
                let file = self.named(&path).and_then(|path| self.terminal.open(&path));
                opened(&mut self.readers, file)
            }
            ServerMessage::Create(path) => {
                let file = self.named(&path).and_then(|path| self.terminal.create(&path));
                opened(&mut self.writers, file)
            }
            ServerMessage::CreatePrivate(path) => {
                let file = self.named(&path).and_then(|path| self.terminal.create_private(&path));
                opened(&mut self.writers, file)
            }
            ServerMessage::Flush(file) => match self.writers.get_mut(file).and_then(Option::as_mut) {
                Some(file) => done(file.flush()),
                None => ClientMessage::Failed("that file is not open".to_owned()),
            },
            ServerMessage::Read(file) => match self.readers.get_mut(file).and_then(Option::as_mut) {
                Some(file) => data(file),
                None => ClientMessage::Failed("that file is not open".to_owned()),
            },
            ServerMessage::WriteTo(file, Bytes(bytes)) => {
                match self.writers.get_mut(file).and_then(Option::as_mut) {
                    Some(file) => done(file.write_all(&bytes)),
                    None => ClientMessage::Failed("that file is not open".to_owned()),
                }
            }
            ServerMessage::Input => data(&mut self.terminal.input()),
            _ => ClientMessage::Done,
        }
    }
}

/// Stores an open file, and answers with its number.
fn opened<T>(files: &mut Vec<Option<T>>, file: io::Result<T>) -> ClientMessage {
    match file {
        Ok(file) => {
            files.push(Some(file));
            ClientMessage::Opened(files.len() - 1)
        }
        Err(error) => ClientMessage::Failed(error.to_string()),
    }
}

fn data(from: &mut impl Read) -> ClientMessage {
    let mut bytes = vec![0; MAX_DATA];
    match from.read(&mut bytes) {
        Ok(read) => {
            bytes.truncate(read);
            ClientMessage::Data(Bytes(bytes))
        }
        Err(error) => ClientMessage::Failed(error.to_string()),
    }
}

fn done(result: io::Result<()>) -> ClientMessage {
    match result {
        Ok(()) => ClientMessage::Done,
        Err(error) => ClientMessage::Failed(error.to_string()),
    }
}
