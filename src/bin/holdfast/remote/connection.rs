//! The connection between a command and the server.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A blocking connection that carries the protocol's frames.
pub enum Connection {
    #[cfg(unix)]
    Unix(UnixStream),
    /// TCP, after an HTTP upgrade.
    Tcp(TcpStream),
}

macro_rules! either {
    ($connection:expr, $stream:ident => $does:expr) => {
        match $connection {
            #[cfg(unix)]
            Connection::Unix($stream) => $does,
            Connection::Tcp($stream) => $does,
        }
    };
}

impl Connection {
    /// Returns a second handle of the same connection.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
        }
    }

    /// Ends both directions, for all handles. Data that was already sent can still be read.
    pub fn shutdown(&self) {
        // The connection may have ended already.
        let _ = either!(self, stream => stream.shutdown(Shutdown::Both));
    }

    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        either!(self, stream => stream.set_read_timeout(limit))
    }
}

impl Read for &Connection {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => (&mut &*stream).read(into))
    }
}

impl Write for &Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => (&mut &*stream).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, stream => (&mut &*stream).flush())
    }
}
