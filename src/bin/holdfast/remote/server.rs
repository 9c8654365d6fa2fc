//! The server's side: accepts commands and hands them to the runner.

use std::io;
use std::path::Path;

use axum::Router;

use super::http::HttpEndpoint;
use super::runner::Runner;
#[cfg(unix)]
use super::socket::Socket;
use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::table::Served;

/// Accepts commands until it is closed. Closing it cancels running commands.
pub struct CommandServer {
    endpoint: Endpoint,
    runner: Runner,
}

enum Endpoint {
    #[cfg(unix)]
    Socket(Socket),
    Http(HttpEndpoint),
}

impl CommandServer {
    /// Accepts commands for a data directory whose lock the caller holds: over a Unix socket, or over HTTP if there
    /// can be none. Commands work on the data that the server has open.
    pub fn open(data: &DataDirectory, served: Served) -> Result<Self, Failure> {
        let runner = Runner::new(served);
        let endpoint = Endpoint::open(data, &runner);
        let endpoint = endpoint.map_err(Failure::file("accept commands in", data.path()))?;
        Ok(Self { endpoint, runner })
    }

    /// Returns the socket, if commands arrive there.
    pub fn socket(&self) -> Option<&Path> {
        match &self.endpoint {
            #[cfg(unix)]
            Endpoint::Socket(socket) => Some(socket.path()),
            Endpoint::Http(_) => None,
        }
    }

    /// Returns the file with the token, if commands arrive over HTTP.
    pub fn token(&self) -> Option<&Path> {
        match &self.endpoint {
            #[cfg(unix)]
            Endpoint::Socket(_) => None,
            Endpoint::Http(endpoint) => Some(endpoint.token()),
        }
    }

    /// Adds the route for commands in front of the router, if commands arrive over HTTP.
    pub fn mount(&self, router: Router) -> Router {
        match &self.endpoint {
            #[cfg(unix)]
            Endpoint::Socket(_) => router,
            Endpoint::Http(endpoint) => endpoint.mount(router, self.runner.clone()),
        }
    }

    /// Accepts no more commands, and cancels running ones.
    pub fn close(self) {
        match self.endpoint {
            #[cfg(unix)]
            Endpoint::Socket(socket) => socket.close(),
            Endpoint::Http(endpoint) => endpoint.close(),
        }
        self.runner.close();
    }
}

impl Endpoint {
    #[cfg(unix)]
    fn open(data: &DataDirectory, runner: &Runner) -> io::Result<Self> {
        match Socket::open(data, runner.clone()) {
            Ok(socket) => {
                // A server without a socket may have left a token when it was killed.
                HttpEndpoint::remove_token(data)?;
                Ok(Self::Socket(socket))
            }
            // The caller frees disk space and tries again.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
            Err(error) => {
                tracing::info!(%error, "cannot open a socket for commands; accepting them over HTTP");
                HttpEndpoint::open(data).map(Self::Http)
            }
        }
    }

    #[cfg(not(unix))]
    fn open(data: &DataDirectory, _: &Runner) -> io::Result<Self> {
        HttpEndpoint::open(data).map(Self::Http)
    }
}
