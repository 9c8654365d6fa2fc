//! Commands beside a running server, which alone has its data open.
//!
//! The command sends its words over a Unix socket in the data directory to the server, which runs it. What the command
//! would read and write itself, it still does, as the server asks it to: files, standard input and output. So the server
//! opens no file of a command's, and relative paths mean what the person meant.
//!
//! What always holds: the socket is its owner's alone, and whoever connects is the same user; a command whose process is
//! gone is given up.

mod client;
mod protocol;
mod server;

pub use client::send;
pub use server::CommandSocket;
