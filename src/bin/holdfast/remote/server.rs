//! The server's side: it takes commands in and runs them on what it has open.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use axum::Router;
use clap::Parser as _;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc as channels, oneshot};

use super::connection::Connection;
use super::console::Remote;
use super::http::HttpEntrance;
use super::protocol::{ClientMessage, ServerMessage, receive, send};
#[cfg(unix)]
use super::socket::Socket;
use crate::cli::{Cli, Command};
use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::table::{Host, Served};

/// So many commands run at once, besides consumers.
const AT_ONCE: usize = 16;
/// So many connections are open at once.
const CONNECTIONS: usize = 256;
/// How long a command may take to send its words.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes commands in until it is closed, which ends those that run.
pub struct CommandServer {
    entrance: Entrance,
    runner: Runner,
}

/// Where commands come in.
enum Entrance {
    #[cfg(unix)]
    Socket(Socket),
    Http(HttpEntrance),
}

impl CommandServer {
    /// Takes commands for a data directory whose lock the caller holds: over a Unix socket, or, where there can be none,
    /// over HTTP. They work on what the server has open.
    ///
    /// # Errors
    /// [`Failure::File`] with what the system said.
    pub fn open(data: &DataDirectory, served: Served) -> Result<Self, Failure> {
        let runner = Runner::new(served);
        let entrance = Entrance::open(data, &runner);
        let entrance = entrance.map_err(Failure::file("take commands in", data.path()))?;
        Ok(Self { entrance, runner })
    }

    /// The path of the socket, if commands come in there.
    pub fn socket(&self) -> Option<&Path> {
        match &self.entrance {
            #[cfg(unix)]
            Entrance::Socket(socket) => Some(socket.path()),
            Entrance::Http(_) => None,
        }
    }

    /// The path of the token, if commands come in over HTTP.
    pub fn token(&self) -> Option<&Path> {
        match &self.entrance {
            #[cfg(unix)]
            Entrance::Socket(_) => None,
            Entrance::Http(entrance) => Some(entrance.token()),
        }
    }

    /// The router with the route for commands before it, if they come in over HTTP.
    pub fn mount(&self, router: Router) -> Router {
        match &self.entrance {
            #[cfg(unix)]
            Entrance::Socket(_) => router,
            Entrance::Http(entrance) => entrance.mount(router, self.runner.clone()),
        }
    }

    /// Takes no more commands in, and cancels those that run.
    pub fn close(self) {
        match self.entrance {
            #[cfg(unix)]
            Entrance::Socket(socket) => socket.close(),
            Entrance::Http(entrance) => entrance.close(),
        }
        self.runner.connections.close();
    }
}

impl Entrance {
    #[cfg(unix)]
    fn open(data: &DataDirectory, runner: &Runner) -> io::Result<Self> {
        match Socket::open(data, runner.clone()) {
            Ok(socket) => {
                // A start without a socket may have left one when it was killed.
                HttpEntrance::remove_token(data)?;
                Ok(Self::Socket(socket))
            }
            // The caller makes room and tries again.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
            Err(error) => {
                tracing::info!(%error, "there is no socket for commands; they come in over HTTP");
                HttpEntrance::open(data).map(Self::Http)
            }
        }
    }

    #[cfg(not(unix))]
    fn open(data: &DataDirectory, _: &Runner) -> io::Result<Self> {
        HttpEntrance::open(data).map(Self::Http)
    }
}

/// Runs the commands that come in. Clones share their limits.
#[derive(Clone)]
pub struct Runner {
    served: Served,
    permits: Arc<Semaphore>,
    connections: Connections,
}

impl Runner {
    fn new(served: Served) -> Self {
        Self { served, permits: Arc::new(Semaphore::new(AT_ONCE)), connections: Connections::new() }
    }

    /// Runs the command on this connection in the background.
    pub fn start(&self, connection: Connection) {
        let (runner, handle) = (self.clone(), Handle::current());
        tokio::task::spawn_blocking(move || {
            let entered = runner.connections.enter(&connection);
            if let Err(error) = entered.and_then(|_open| runner.handle_connection(&connection, &handle)) {
                tracing::debug!(%error, "a command was canceled");
            }
        });
    }

    /// Runs one command to its end, or until its process is gone.
    fn handle_connection(&self, connection: &Connection, handle: &Handle) -> io::Result<()> {
        connection.set_read_timeout(Some(PATIENCE))?;
        let ClientMessage::Run { version, words } = receive(connection)? else {
            return Err(io::Error::other("it did not begin with its words"));
        };
        connection.set_read_timeout(None)?;
        if version != env!("CARGO_PKG_VERSION") {
            let running = env!("CARGO_PKG_VERSION");
            let failure = format!(
                "holdfast: the server that runs is of version {running}, and this command of {version}; use that version, or start the server again"
            );
            return send(connection, &ServerMessage::End { code: 1, failure: Some(failure) });
        }
        let cli = match Cli::try_parse_from(words) {
            Ok(cli) => cli,
            Err(error) => {
                return send(connection, &ServerMessage::End { code: 2, failure: Some(error.to_string()) });
            }
        };
        if cli.command.as_ref().and_then(Command::local_data).is_none() {
            let failure = Some("holdfast: this is no command on the data of a server".to_owned());
            return send(connection, &ServerMessage::End { code: 2, failure });
        }
        // A consumer runs until it is stopped, and there may be as many as the topic has partitions.
        let consumes = matches!(cli.command, Some(Command::Consume(_)));
        let permit = if consumes { None } else { Some(self.permits.try_acquire()) };
        if let Some(Err(_)) = permit {
            let failure =
                Some(format!("holdfast: {AT_ONCE} commands run beside this server already; wait for one"));
            return send(connection, &ServerMessage::End { code: 1, failure });
        }
        let end = run(connection, cli, &self.served, handle)?;
        send(connection, &end)
    }
}

fn run(connection: &Connection, cli: Cli, served: &Served, handle: &Handle) -> io::Result<ServerMessage> {
    // One question is asked at a time, and has one answer.
    let (hand_over, answers) = mpsc::sync_channel(1);
    let (interrupt, interrupts) = channels::unbounded_channel();
    let (left, gone) = oneshot::channel();
    let hearing = connection.try_clone()?;
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
    let console = Remote::new(connection, answers, interrupts);
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

/// The connections of the commands that run, each by a number; none once they are closed.
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

    /// Notes a connection until the guard is dropped, which also ends it.
    fn enter<'a>(&'a self, connection: &'a Connection) -> io::Result<Entered<'a>> {
        let copy = connection.try_clone()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        match self.locked().as_mut() {
            Some(open) if open.len() < CONNECTIONS => drop(open.insert(number, copy)),
            Some(_) => return Err(io::Error::other("there are too many connections")),
            None => return Err(io::Error::other("the server is ending")),
        }
        Ok(Entered { connections: self, connection, number })
    }

    /// Ends all connections, and lets none in any more.
    fn close(&self) {
        for connection in self.locked().take().into_iter().flat_map(HashMap::into_values) {
            connection.shutdown();
        }
    }
}

struct Entered<'a> {
    connections: &'a Connections,
    connection: &'a Connection,
    number: u64,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.connections.locked().as_mut() {
            open.remove(&self.number);
        }
        self.connection.shutdown();
    }
}
