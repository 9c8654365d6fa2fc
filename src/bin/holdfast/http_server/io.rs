//! The stream of a connection, which cuts a slow client off and lets a client that still sends see its answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::connection::Connection;
use super::limits::Limits;

/// How long, and how many bytes, a connection takes of a body that is not read before it closes.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// A client's stream.
pub struct ClientIo {
    tcp: TcpStream,
    connection: Arc<Connection>,
    limits: Limits,
    head: Timer,
    write: Timer,
    linger: Timer,
    /// Whether our direction is closed.
    is_shut: bool,
    /// Bytes taken since.
    taken: usize,
}

/// Runs while something is waited for.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether it has run for so long. It starts with the first call.
    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        self.0.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }

    fn stop(&mut self) {
        self.0 = None;
    }
}

impl ClientIo {
    /// The stream of this connection.
    pub fn new(tcp: TcpStream, connection: Arc<Connection>, limits: Limits) -> Self {
        Self {
            tcp,
            connection,
            limits,
            head: Timer::default(),
            write: Timer::default(),
            linger: Timer::default(),
            is_shut: false,
            taken: 0,
        }
    }

    /// The socket itself.
    pub fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// Notes that bytes were written, or that the client takes none and for how long.
    fn written<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write.stop();
            self.head.stop();
            self.connection.moved();
            return poll;
        }
        ready!(self.write.poll(cx, self.limits.body));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Takes what the client still sends, for a while: to close a socket with unread bytes resets the connection, and the
    /// client would lose the answer.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 16 * 1024];
        while self.taken < LINGER_BYTES {
            let mut into = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.tcp).poll_read(cx, &mut into) {
                Poll::Ready(Ok(())) if !into.filled().is_empty() => self.taken += into.filled().len(),
                Poll::Ready(_) => break,
                Poll::Pending => return self.linger.poll(cx, LINGER),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let poll = Pin::new(&mut self.tcp).poll_read(cx, into);
        if !self.connection.reads_head() {
            self.head.stop();
        }
        if poll.is_ready() {
            if into.filled().len() > before {
                self.connection.received();
            }
            return poll;
        }
        if self.connection.reads_head() {
            let limit = self.limits.header;
            ready!(self.head.poll(cx, limit));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.written(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.tcp).poll_write_vectored(cx, bytes);
        self.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        if self.connection.lingers() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
