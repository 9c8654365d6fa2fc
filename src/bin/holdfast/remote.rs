//! Runs commands in the server that has their data open.
//!
//! The command sends its arguments to the server, which runs it. The command's own process still does all input and
//! output, on request of the server: files, standard input and standard output. So the server opens no file of a
//! command, and relative paths mean what the person meant.
//!
//! There are two ways to reach the server. The first is a Unix socket in the data directory. If the system or the
//! file system has no such sockets, the command asks the server's own port for an HTTP upgrade and sends a token
//! that is kept in the data directory. Both carry the same protocol.
//!
//! Invariants: only their owner can access the socket and the token. A client of the socket runs as the same user,
//! and a client of the port has read the token. A command whose process is gone is canceled.

mod client;
mod connection;
mod console;
mod http;
mod protocol;
mod runner;
mod server;
#[cfg(unix)]
mod socket;

pub use client::{ServerAddress, send};
pub use server::CommandServer;
