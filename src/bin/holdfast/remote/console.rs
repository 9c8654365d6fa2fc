//! The console of a command that the server runs: it forwards to the terminal and files of the command's process.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc as channels;

use super::connection::Connection;
use super::protocol::{Bytes, ClientMessage, MAX_DATA, ServerMessage, send};
use crate::console::{Console, Interrupts, Progress};
use crate::failure::Failure;

/// The terminal and files of the command's process.
pub struct Remote<'a> {
    connection: &'a Connection,
    answers: mpsc::Receiver<ClientMessage>,
    interrupts: RefCell<Option<channels::UnboundedReceiver<String>>>,
    /// When progress was last sent.
    shown: RefCell<Option<Instant>>,
}

impl<'a> Remote<'a> {
    /// The time between two frames of progress.
    const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

    /// Creates the console of a connection. The client's answers and signals arrive on these channels.
    pub fn new(
        connection: &'a Connection,
        answers: mpsc::Receiver<ClientMessage>,
        interrupts: channels::UnboundedReceiver<String>,
    ) -> Self {
        Self { connection, answers, interrupts: RefCell::new(Some(interrupts)), shown: RefCell::new(None) }
    }

    fn ask(&self, request: &ServerMessage) -> io::Result<ClientMessage> {
        send(self.connection, request)?;
        let gone = |_| io::Error::other("the command's process is gone");
        match self.answers.recv().map_err(gone)? {
            ClientMessage::Failed(words) => Err(io::Error::other(words)),
            answer => Ok(answer),
        }
    }

    /// Returns the number of the opened file.
    fn ask_for_file(&self, request: &ServerMessage) -> io::Result<usize> {
        match self.ask(request)? {
            ClientMessage::Opened(number) => Ok(number),
            _ => Err(io::Error::other("the command did not return the number of the file")),
        }
    }

    fn reader(&self, next: ServerMessage, close: Option<ServerMessage>) -> Box<dyn Read + '_> {
        Box::new(RemoteFile { console: self, next, close, rest: Vec::new(), read: 0 })
    }

    fn writer(&self, number: usize) -> Box<dyn Write + '_> {
        Box::new(RemoteNewFile { console: self, number })
    }
}

impl Console for Remote<'_> {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        for data in bytes.chunks(MAX_DATA) {
            self.ask(&ServerMessage::Write(Bytes(data.to_vec())))?;
        }
        Ok(())
    }

    fn note(&self, line: &str) {
        // If the client is gone, the command is canceled anyway.
        let _ = send(self.connection, &ServerMessage::Note(line.to_owned()));
    }

    fn progress(&self, progress: &Progress) {
        let now = Instant::now();
        if self.shown.borrow().is_some_and(|last| now.duration_since(last) < Self::PROGRESS_INTERVAL) {
            return;
        }
        self.shown.replace(Some(now));
        let _ = send(self.connection, &ServerMessage::Progress(progress.clone()));
    }

    fn end_progress(&self) {
        let _ = send(self.connection, &ServerMessage::EndProgress);
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + '_>> {
        let number = self.ask_for_file(&ServerMessage::Open(path.into()))?;
        Ok(self.reader(ServerMessage::Read(number), Some(ServerMessage::CloseRead(number))))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + '_>> {
        self.ask_for_file(&ServerMessage::Create(path.into())).map(|number| self.writer(number))
    }

    fn create_private(&self, path: &Path) -> io::Result<Box<dyn Write + '_>> {
        self.ask_for_file(&ServerMessage::CreatePrivate(path.into())).map(|number| self.writer(number))
    }

    fn input(&self) -> Box<dyn Read + '_> {
        self.reader(ServerMessage::Input, None)
    }

    fn signals(&self) -> Result<Interrupts, Failure> {
        let interrupts = self.interrupts.take();
        interrupts
            .map(Interrupts::from)
            .ok_or_else(|| Failure::Runtime(io::Error::other("the command listens for signals already")))
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
                return Err(io::Error::other("the command did not send its file"));
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
            // If the process is gone, the file is closed already.
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
        let some = &bytes[..bytes.len().min(MAX_DATA)];
        self.console.ask(&ServerMessage::WriteTo(self.number, Bytes(some.to_vec())))?;
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.console.ask(&ServerMessage::Flush(self.number)).map(drop)
    }
}

impl Drop for RemoteNewFile<'_> {
    fn drop(&mut self) {
        // If the process is gone, the file is closed already.
        let _ = send(self.console.connection, &ServerMessage::CloseWrite(self.number));
    }
}
