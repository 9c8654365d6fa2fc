//! Commands beside a running server, which alone has its data open.
//!
//! The command sends its words to the server, which runs it. What the command would read and write itself, it still
//! does, as the server asks it to: files, standard input and output. So the server opens no file of a command's, and
//! relative paths mean what the person meant.
//!
//! There are two ways to the server. The first is a Unix socket in the data directory. Where the system or the file
//! system has no such sockets, the command asks the server's own port for an upgrade of an HTTP connection and shows a
//! token that is kept in the data directory. Both carry the same protocol.
//!
//! What always holds: the socket and the token are their owner's alone. Whoever connects to the socket is the same user,
//! and whoever connects to the port has read the token. A command whose process is gone is canceled.

mod client;
mod connection;
mod console;
mod http;
mod protocol;
mod server;
#[cfg(unix)]
mod socket;

pub use client::{ServerAddress, send};
pub use server::CommandServer;
