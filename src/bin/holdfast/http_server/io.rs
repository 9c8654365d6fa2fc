//! The stream of a connection. It disconnects a slow client, and lets a client that still sends receive its
//! response.

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

/// How long, and how many bytes, a connection reads of an unread body before it closes.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

pub struct ClientIo {
    tcp: TcpStream,
    connection: Arc<Connection>,
    limits: Limits,
    head: Timer,
    write: Timer,
    linger: Timer,
    /// Whether the write direction is shut down.
    is_shut: bool,
    /// Bytes read since the shutdown.
    lingered: usize,
}

/// A timer that runs while something is awaited.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Completes once `limit` has passed since the first call.
    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        self.0.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }

    fn stop(&mut self) {
        self.0 = None;
    }
}

impl ClientIo {
    pub fn new(tcp: TcpStream, connection: Arc<Connection>, limits: Limits) -> Self {
        Self {
            tcp,
            connection,
            limits,
            head: Timer::default(),
            write: Timer::default(),
            linger: Timer::default(),
            is_shut: false,
            lingered: 0,
        }
    }

    pub fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// Records that bytes were written, or fails if the client has taken none for too long.
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

    /// Reads what the client still sends, for a while. Closing a socket with unread bytes resets the connection,
    /// and the client would lose the response.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 16 * 1024];
        while self.lingered < LINGER_BYTES {
            let mut into = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.tcp).poll_read(cx, &mut into) {
                Poll::Ready(Ok(())) if !into.filled().is_empty() => self.lingered += into.filled().len(),
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
