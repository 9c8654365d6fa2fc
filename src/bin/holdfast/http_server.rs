//! The HTTP server of `holdfast serve`: an accept loop over hyper, with a limit on every resource that a client can
//! use.
//!
//! Invariants:
//! - At most [`Limits::connections`] connections are open. A new one replaces the one that has waited longest for
//!   its client.
//! - At most [`Limits::requests`] requests run. Further requests get 503 immediately.
//! - A client that sends or reads too slowly is disconnected.
//! - A client whose request body is not read still receives the response.

mod body;
mod connection;
mod io;
mod limits;
mod load;
mod service;

pub use limits::Limits;

use std::io as std_io;
use std::net::TcpStream as StdStream;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use holdfast::web::client::PeerAddress;
use http::{HeaderName, StatusCode, header};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use connection::{Connection, Connections};
use io::ClientIo;
use load::Load;
use service::Service;

/// The delay after the system refused a connection because a resource ran out, such as open files.
const BACKOFF: Duration = Duration::from_millis(50);
/// The time between two warnings of the same kind.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

pub struct HttpServer {
    accepting: JoinHandle<()>,
    stop: watch::Sender<bool>,
    shared: Arc<Shared>,
}

/// State that all connections share.
struct Shared {
    router: Router,
    limits: Limits,
    load: Arc<Load>,
    connections: Connections,
    /// One permit per connection.
    permits: Arc<Semaphore>,
}

impl HttpServer {
    pub fn start(listener: TcpListener, router: Router, limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            router,
            load: Arc::new(Load::new(limits.requests)),
            connections: Connections::new(),
            permits: Arc::new(Semaphore::new(limits.connections)),
            limits,
        });
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Self { accepting, stop, shared }
    }

    /// Waits until the accept loop ends by itself, which only a bug can cause.
    pub async fn ended(&mut self) -> std_io::Error {
        match (&mut self.accepting).await {
            Ok(()) => std_io::Error::other("it accepts no more connections"),
            Err(error) => std_io::Error::other(error),
        }
    }

    /// Stops accepting connections, and lets running requests finish. Cuts off requests that still run after
    /// `grace`. Returns whether everything finished.
    pub async fn stop(self, grace: Duration) -> bool {
        // A server whose loop has ended has no receiver, and nothing to stop.
        let _ = self.stop.send(true);
        let all = u32::try_from(self.shared.limits.connections).unwrap_or(u32::MAX);
        let finished = timeout(grace, self.shared.permits.acquire_many(all)).await.is_ok();
        self.shared.connections.close_all();
        finished
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut warned = Warned::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop(&mut stopped) => return,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Some(permit) = acquire_permit(&shared, &mut warned).await {
                    start(&shared, stream, permit, stopped.clone());
                }
            }
            Err(error) if is_per_connection(&error) => {}
            Err(error) => {
                warned.warn(|| tracing::warn!(%error, "cannot accept a connection"));
                // The system is out of a resource. Closing a waiting connection frees some of it.
                shared.connections.close_longest_waiting();
                sleep(BACKOFF).await;
            }
        }
    }
}

async fn stop(stopped: &mut watch::Receiver<bool>) {
    // A dropped sender also means stop.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Returns whether an error is about one connection, whose client went away. The next accept succeeds.
fn is_per_connection(error: &std_io::Error) -> bool {
    use std_io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionRefused | K::ConnectionReset | K::Interrupted)
}

/// Returns a permit for a new connection. If none is free, closes the connection that waits longest for its client.
/// If no connection waits, returns `None`.
async fn acquire_permit(shared: &Shared, warned: &mut Warned) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(&shared.permits).try_acquire_owned() {
        return Some(permit);
    }
    let limit = shared.limits.connections;
    warned.warn(|| {
        tracing::warn!(
            limit,
            "the connection limit is reached; closing the connections that have waited longest"
        )
    });
    if !shared.connections.close_longest_waiting() {
        return None;
    }
    // The task of the closed connection drops its permit as soon as it runs.
    Arc::clone(&shared.permits).acquire_owned().await.ok()
}

fn start(
    shared: &Arc<Shared>,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    stopped: watch::Receiver<bool>,
) {
    // Responses are written in one piece, so waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let entry = shared.connections.enter();
        serve(&shared, stream, &entry.connection, stopped).await;
        drop((entry, permit));
    });
}

/// Serves one connection until it ends.
async fn serve(
    shared: &Shared,
    stream: TcpStream,
    connection: &Arc<Connection>,
    mut stopped: watch::Receiver<bool>,
) {
    let peer = stream.peer_addr().ok().map(|address| PeerAddress(address.ip()));
    let io = TokioIo::new(ClientIo::new(stream, Arc::clone(connection), shared.limits));
    let service = Service::new(shared, Arc::clone(connection), peer);
    let service = service_fn(move |request| service.clone().answer(request));
    let mut builder = Builder::new();
    // This limit applies until the first byte of a head. After that, the stream enforces a stricter one.
    builder.timer(TokioTimer::new()).header_read_timeout(shared.limits.idle);
    let mut served = pin!(builder.serve_connection(io, service).with_upgrades());
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection was cut off");
                }
                return;
            }
            () = connection.closed() => return,
            () = stop(&mut stopped), if !stopping => {
                stopping = true;
                if connection.reads_head() {
                    return;
                }
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Returns the socket of an upgraded connection, for blocking use. Fails with `InvalidData` if the client sent data
/// before the upgrade was answered.
pub fn into_std(upgraded: Upgraded) -> std_io::Result<StdStream> {
    let parts = upgraded.downcast::<TokioIo<ClientIo>>();
    let parts = parts.map_err(|_| std_io::Error::other("the connection is not this server's"))?;
    if !parts.read_buf.is_empty() {
        return Err(std_io::Error::new(
            std_io::ErrorKind::InvalidData,
            "the client did not wait for the upgrade",
        ));
    }
    let stream = parts.io.into_inner().into_tcp().into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Returns a problem document of the server itself.
pub fn problem(status: StatusCode, name: &str, title: &str, detail: &str) -> Response {
    let document = json!({
        "type": format!("urn:holdfast:problem:{name}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
    });
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, document.to_string()).into_response()
}

/// The time of the last warning.
#[derive(Default)]
struct Warned(Option<Instant>);

impl Warned {
    /// Logs a warning unless it did so recently: a flood of connections must not become a flood of log lines.
    fn warn(&mut self, warning: impl FnOnce()) {
        if self.0.is_none_or(|last| last.elapsed() >= WARNING_INTERVAL) {
            self.0 = Some(Instant::now());
            warning();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use std::future::pending;
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::task::spawn_blocking;

    use super::*;

    /// Starts a server whose handlers never answer. `request` is its time limit per request.
    async fn silent(request: Duration) -> (HttpServer, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let minute = Duration::from_secs(60);
        let limits =
            Limits { connections: 8, requests: 8, header: minute, body: minute, idle: minute, request };
        let router = Router::new().fallback(async || pending::<&'static str>().await);
        (HttpServer::start(listener, router, limits), address)
    }

    /// Returns everything that the server sends on one connection.
    async fn answer(address: SocketAddr, method: &str) -> String {
        answer_to(address, &format!("{method} / HTTP/1.1")).await
    }

    /// Returns the answer to a request that starts with these lines.
    async fn answer_to(address: SocketAddr, lines: &str) -> String {
        let head = format!("{lines}\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let request = spawn_blocking(move || {
            let mut stream = StdStream::connect(address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        request.await.unwrap()
    }

    #[tokio::test]
    async fn a_hanging_handler_times_out_and_only_reads_are_called_safe_to_repeat() {
        let (_server, address) = silent(Duration::from_millis(50)).await;
        let read = answer(address, "GET").await;
        assert!(read.starts_with("HTTP/1.1 503 ") && read.contains("retry-after: 2"), "{read}");
        assert!(read.contains("urn:holdfast:problem:busy"), "{read}");
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let write = answer(address, method).await;
            assert!(write.starts_with("HTTP/1.1 504 "), "{write}");
            assert!(write.contains("urn:holdfast:problem:outcome-unknown"), "{write}");
            assert!(write.contains("it may be done twice"), "{write}");
        }
        let keyed = answer_to(address, "POST /api/leads HTTP/1.1\r\nIdempotency-Key: k").await;
        assert!(keyed.contains("again with the same Idempotency-Key; it won't be done twice"), "{keyed}");
        let page = answer_to(address, "POST /leads HTTP/1.1\r\nIdempotency-Key: k").await;
        assert!(page.contains("it may be done twice"), "pages ignore the key: {page}");
    }

    #[tokio::test]
    async fn stop_waits_for_running_requests_and_then_cuts_them_off() {
        let (server, _) = silent(Duration::from_secs(60)).await;
        assert!(server.stop(Duration::from_secs(60)).await, "nothing runs");

        let (server, address) = silent(Duration::from_secs(60)).await;
        let running = tokio::spawn(answer(address, "GET"));
        while server.shared.load.running() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!server.stop(Duration::from_millis(50)).await, "a request runs");
        assert_eq!(running.await.unwrap(), "", "its connection is closed");
    }
}
