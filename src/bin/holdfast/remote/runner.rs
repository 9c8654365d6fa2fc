//! Runs the commands that a server accepts, on the data that it has open.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use clap::Parser as _;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc as channels, oneshot};

use super::connection::Connection;
use super::console::Remote;
use super::protocol::{ClientMessage, ServerMessage, receive, send};
use crate::cli::{Cli, Command};
use crate::table::{Host, Served};

/// The maximum number of concurrent commands, without consumers.
const MAX_COMMANDS: usize = 16;
/// The maximum number of open connections.
const MAX_CONNECTIONS: usize = 256;
/// How long a command may take to send its arguments.
const ARGUMENTS_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs commands. Clones share their limits.
#[derive(Clone)]
pub struct Runner {
    served: Served,
    permits: Arc<Semaphore>,
    connections: Connections,
}

impl Runner {
    pub fn new(served: Served) -> Self {
        Self { served, permits: Arc::new(Semaphore::new(MAX_COMMANDS)), connections: Connections::new() }
    }

    /// Cancels running commands, and accepts no more.
    pub fn close(&self) {
        self.connections.close();
    }

    /// Runs the command of this connection in the background.
    pub fn start(&self, connection: Connection) {
        let (runner, handle) = (self.clone(), Handle::current());
        tokio::task::spawn_blocking(move || {
            let registration = runner.connections.register(&connection);
            if let Err(error) = registration.and_then(|_open| runner.handle_connection(&connection, &handle))
            {
                tracing::debug!(%error, "a command was canceled");
            }
        });
    }

    /// Runs one command until it ends or its process is gone.
    fn handle_connection(&self, connection: &Connection, handle: &Handle) -> io::Result<()> {
        connection.set_read_timeout(Some(ARGUMENTS_TIMEOUT))?;
        let ClientMessage::Run { version, words } = receive(connection)? else {
            return Err(io::Error::other("it did not send its arguments"));
        };
        connection.set_read_timeout(None)?;
        let refuse =
            |code, failure: String| send(connection, &ServerMessage::End { code, failure: Some(failure) });
        if version != env!("CARGO_PKG_VERSION") {
            let running = env!("CARGO_PKG_VERSION");
            let failure = format!(
                "holdfast: the running server has version {running}, and this command {version}; use that version, or restart the server"
            );
            return refuse(1, failure);
        }
        let cli = match Cli::try_parse_from(words) {
            Ok(cli) => cli,
            Err(error) => return refuse(2, error.to_string()),
        };
        if cli.command.as_ref().and_then(Command::local_data).is_none() {
            return refuse(2, "holdfast: this command does not work on a server's data".to_owned());
        }
        // A consumer runs until it is stopped, and there can be one per partition of the topic.
        let consumes = matches!(cli.command, Some(Command::Consume(_)));
        let permit = if consumes { None } else { Some(self.permits.try_acquire()) };
        if let Some(Err(_)) = permit {
            let failure =
                format!("holdfast: this server already runs {MAX_COMMANDS} commands; wait until one ends");
            return refuse(1, failure);
        }
        let end = run(connection, cli, &self.served, handle)?;
        send(connection, &end)
    }
}

fn run(connection: &Connection, cli: Cli, served: &Served, handle: &Handle) -> io::Result<ServerMessage> {
    // The server asks one question at a time, and each has one answer.
    let (answer_sender, answers) = mpsc::sync_channel(1);
    let (interrupt, interrupts) = channels::unbounded_channel();
    let (left, gone) = oneshot::channel();
    let receiver = connection.try_clone()?;
    let listener = std::thread::Builder::new().name("command".to_owned()).spawn(move || {
        while let Ok(message) = receive(&receiver) {
            let delivered = match message {
                ClientMessage::Signal(name) => interrupt.send(name).is_ok(),
                // A second answer to one question is an error.
                message => answer_sender.try_send(message).is_ok(),
            };
            if !delivered {
                break;
            }
        }
        let _ = left.send(());
    })?;
    let console = Remote::new(connection, answers, interrupts);
    let host = Host::Server(served);
    let outcome = handle.block_on(async {
        tokio::select! {
            outcome = crate::execute(cli, &host, &console) => Some(outcome),
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

/// The connections of running commands, by number; `None` once they are closed.
#[derive(Clone)]
struct Connections {
    open: Arc<Mutex<Option<HashMap<u64, Connection>>>>,
    next: Arc<AtomicU64>,
}

impl Connections {
    fn new() -> Self {
        Self { open: Arc::new(Mutex::new(Some(HashMap::new()))), next: Arc::default() }
    }

    fn locked(&self) -> MutexGuard<'_, Option<HashMap<u64, Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a connection until the guard is dropped, which also ends the connection.
    fn register<'a>(&'a self, connection: &'a Connection) -> io::Result<Registration<'a>> {
        let copy = connection.try_clone()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        match self.locked().as_mut() {
            Some(open) if open.len() < MAX_CONNECTIONS => drop(open.insert(number, copy)),
            Some(_) => return Err(io::Error::other("there are too many connections")),
            None => return Err(io::Error::other("the server is ending")),
        }
        Ok(Registration { connections: self, connection, number })
    }

    /// Ends all connections, and admits no more.
    fn close(&self) {
        for connection in self.locked().take().into_iter().flat_map(HashMap::into_values) {
            connection.shutdown();
        }
    }
}

struct Registration<'a> {
    connections: &'a Connections,
    connection: &'a Connection,
    number: u64,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.connections.locked().as_mut() {
            open.remove(&self.number);
        }
        self.connection.shutdown();
    }
}
