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
    /// The path of its Unix socket.
    #[cfg(unix)]
    Socket(PathBuf),
    /// The address of its pages, `http://127.0.0.1:PORT`, and the file with the token.
    Http { address: String, token: PathBuf },
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
        match receive(connection).map_err(closed)? {
            ServerMessage::Note(line) => terminal.note(&line),
            ServerMessage::Progress(progress) => terminal.progress(&progress),
            ServerMessage::EndProgress => terminal.end_progress(),
            ServerMessage::CloseRead(file) => drop(files.readers.get_mut(file).and_then(Option::take)),
            ServerMessage::CloseWrite(file) => drop(files.writers.get_mut(file).and_then(Option::take)),
            ServerMessage::End { code, failure } => {
                terminal.end_progress();
                if let Some(failure) = failure {
                    terminal.note(&failure);
                }
                return Ok(ExitCode::from(code));
            }
            request => {
                let answer = files.answer(request);
                let answer = answer.unwrap_or_else(|error| ClientMessage::Failed(error.to_string()));
                send_frame(connection, &answer)?;
            }
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

    fn answer(&mut self, request: ServerMessage) -> io::Result<ClientMessage> {
        match request {
            ServerMessage::Write(Bytes(bytes)) => self.terminal.write(&bytes)?,
            ServerMessage::Input => return read(&mut self.terminal.input()),
            ServerMessage::Open(path) => {
                let file = self.terminal.open(&self.named(&path)?)?;
                return Ok(add(&mut self.readers, file));
            }
            ServerMessage::Create(path) => {
                let file = self.terminal.create(&self.named(&path)?)?;
                return Ok(add(&mut self.writers, file));
            }
            ServerMessage::CreatePrivate(path) => {
                let file = self.terminal.create_private(&self.named(&path)?)?;
                return Ok(add(&mut self.writers, file));
            }
            ServerMessage::Read(file) => return read(find(&mut self.readers, file)?),
            ServerMessage::WriteTo(file, Bytes(bytes)) => find(&mut self.writers, file)?.write_all(&bytes)?,
            ServerMessage::Flush(file) => find(&mut self.writers, file)?.flush()?,
            _ => {}
        }
        Ok(ClientMessage::Done)
    }
}

/// Adds an open file, and answers with its number.
fn add<T>(files: &mut Vec<Option<T>>, file: T) -> ClientMessage {
    files.push(Some(file));
    ClientMessage::Opened(files.len() - 1)
}

fn find<T>(files: &mut [Option<T>], number: usize) -> io::Result<&mut T> {
    let file = files.get_mut(number).and_then(Option::as_mut);
    file.ok_or_else(|| io::Error::other("that file is not open"))
}

fn read(from: &mut impl Read) -> io::Result<ClientMessage> {
    let mut bytes = vec![0; MAX_DATA];
    let read = from.read(&mut bytes)?;
    bytes.truncate(read);
    Ok(ClientMessage::Data(Bytes(bytes)))
}
