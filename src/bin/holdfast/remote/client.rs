//! The command's side: it sends its words, and does what the server asks.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::protocol::{Bytes, CHUNK, ClientMessage, ServerMessage, receive, send as send_frame};
use crate::console::{Console, Interrupts, Terminal};
use crate::failure::Failure;

/// Has the server at this socket run a command, and gives its exit code. `interrupts` are handed on to it.
///
/// # Errors
/// [`Failure::Remote`] if the server cannot be reached or stops before the command is at its end.
pub async fn send(
    socket: &Path,
    words: Vec<OsString>,
    interrupts: Option<Interrupts>,
) -> Result<ExitCode, Failure> {
    let failed = |cause: io::Error| Failure::Remote { socket: socket.to_owned(), cause };
    let stream = UnixStream::connect(socket).map_err(failed)?;
    send_frame(&stream, &ClientMessage::Run { version: env!("CARGO_PKG_VERSION").to_owned(), words })
        .map_err(failed)?;
    if let Some(interrupts) = interrupts {
        let stream = stream.try_clone().map_err(failed)?;
        tokio::spawn(hand_on(interrupts, stream));
    }
    // Files and standard input may keep it waiting.
    let done = tokio::task::spawn_blocking(move || obey(&stream)).await;
    done.map_err(io::Error::other).flatten().map_err(failed)
}

/// Hands the first signal on, and ends at the second.
async fn hand_on(mut interrupts: Interrupts, stream: UnixStream) {
    let signal = interrupts.next().await;
    if send_frame(&stream, &ClientMessage::Signal(signal)).is_ok() {
        interrupts.next().await;
    }
    std::process::exit(130);
}

/// Does what the server asks until it says that the command is at its end.
fn obey(stream: &UnixStream) -> io::Result<ExitCode> {
    let terminal = Terminal::new();
    let mut files = Files { terminal: &terminal, readers: Vec::new(), writers: Vec::new() };
    loop {
        let answer = match receive(stream)? {
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
            ServerMessage::End { code, failure } => {
                terminal.end_progress();
                if let Some(failure) = failure {
                    terminal.note(&failure);
                }
                return Ok(ExitCode::from(code));
            }
            ask => Some(files.answer(ask)),
        };
        if let Some(answer) = answer {
            send_frame(stream, &answer)?;
        }
    }
}

/// The files that the server asked for.
struct Files<'a> {
    terminal: &'a Terminal,
    readers: Vec<Box<dyn Read + 'a>>,
    writers: Vec<Box<dyn Write + 'a>>,
}

impl<'a> Files<'a> {
    fn created(&mut self, file: io::Result<Box<dyn Write + 'a>>) -> ClientMessage {
        match file {
            Ok(file) => {
                self.writers.push(file);
                ClientMessage::Opened(self.writers.len() - 1)
            }
            Err(error) => ClientMessage::Failed(error.to_string()),
        }
    }

    fn answer(&mut self, ask: ServerMessage) -> ClientMessage {
        match ask {
            ServerMessage::Open(path) => match self.terminal.open(&PathBuf::from(path)) {
                Ok(file) => {
                    self.readers.push(file);
                    ClientMessage::Opened(self.readers.len() - 1)
                }
                Err(error) => ClientMessage::Failed(error.to_string()),
            },
            ServerMessage::Create(path) => {
                let file = self.terminal.create(&PathBuf::from(path));
                self.created(file)
            }
            ServerMessage::CreatePrivate(path) => {
                let file = self.terminal.create_private(&PathBuf::from(path));
                self.created(file)
            }
            ServerMessage::Flush(file) => match self.writers.get_mut(file) {
                Some(file) => done(file.flush()),
                None => ClientMessage::Failed("that file is not open".to_owned()),
            },
            ServerMessage::Read(file) => match self.readers.get_mut(file) {
                Some(file) => data(file),
                None => ClientMessage::Failed("that file is not open".to_owned()),
            },
            ServerMessage::WriteTo(file, Bytes(bytes)) => match self.writers.get_mut(file) {
                Some(file) => done(file.write_all(&bytes)),
                None => ClientMessage::Failed("that file is not open".to_owned()),
            },
            ServerMessage::Input => data(&mut self.terminal.input()),
            _ => ClientMessage::Done,
        }
    }
}

fn data(from: &mut impl Read) -> ClientMessage {
    let mut bytes = vec![0; CHUNK];
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
