//! What stands for the terminal and the files of a command that the server runs.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc as channels;

use super::connection::Connection;
use super::protocol::{Bytes, CHUNK, ClientMessage, ServerMessage, send};
use crate::console::{Console, Interrupts, Progress};
use crate::failure::Failure;

/// The terminal and files of the command's process.
pub struct Remote<'a> {
    connection: &'a Connection,
    answers: mpsc::Receiver<ClientMessage>,
    interrupts: RefCell<Option<channels::UnboundedReceiver<String>>>,
    /// When progress was shown last.
    shown: RefCell<Option<Instant>>,
}

impl<'a> Remote<'a> {
    /// The terminal behind a connection, whose answers and signals come out of these channels.
    pub fn new(
        connection: &'a Connection,
        answers: mpsc::Receiver<ClientMessage>,
        interrupts: channels::UnboundedReceiver<String>,
    ) -> Self {
        Self { connection, answers, interrupts: RefCell::new(Some(interrupts)), shown: RefCell::new(None) }
    }
}

impl Remote<'_> {
    /// Between two frames of progress.
    const BETWEEN: Duration = Duration::from_millis(100);

    fn ask(&self, ask: &ServerMessage) -> io::Result<ClientMessage> {
        send(self.connection, ask)?;
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
        let _ = send(self.connection, &ServerMessage::Note(line.to_owned()));
    }

    fn progress(&self, progress: &Progress) {
        let now = Instant::now();
        if self.shown.borrow().is_some_and(|last| now.duration_since(last) < Self::BETWEEN) {
            return;
        }
        self.shown.replace(Some(now));
        let _ = send(self.connection, &ServerMessage::Progress(progress.clone()));
    }

    fn end_progress(&self) {
        let _ = send(self.connection, &ServerMessage::EndProgress);
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
            let _ = send(self.console.connection, close);
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
        let _ = send(self.console.connection, &ServerMessage::CloseWrite(self.number));
    }
}
