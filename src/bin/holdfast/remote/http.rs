//! Commands over HTTP, for systems and file systems without Unix sockets.
//!
//! A command sends `POST /commands` to the server's own port, asks for an upgrade to [`PROTOCOL`], and shows the token
//! that the server has written to the data directory. Then the connection carries frames, as the Unix socket does. A page
//! in a browser cannot do the same: it does not know the token, and no browser lets a page ask for an upgrade to another
//! protocol.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast::base::rng::Rng;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use subtle::ConstantTimeEq as _;

use super::connection::Connection;
use super::server::Runner;
use crate::data::{DataDirectory, write_private};
use crate::http_server::{into_std, problem};

/// Where commands come in.
const PATH: &str = "/commands";
/// The protocol after the upgrade: the frames of [`super::protocol`].
const PROTOCOL: &str = "holdfast-commands/1";
/// The longest answer to the request for an upgrade, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;
/// How long the server may take to connect and to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The token, and the file that keeps it while the server runs.
pub struct HttpEntrance {
    token: Arc<str>,
    file: PathBuf,
}

impl HttpEntrance {
    /// Makes a token of 256 random bits and writes it to the data directory.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(data: &DataDirectory) -> io::Result<Self> {
        let file = fs::canonicalize(data.path())?.join(data.command_token().file_name().unwrap_or_default());
        let token = URL_SAFE_NO_PAD.encode(Rng::of_system().bytes::<32>());
        write_private(&file, &token)?;
        Ok(Self { token: token.into(), file })
    }

    /// Removes the token of a server that was killed. A server with a socket needs none.
    ///
    /// # Errors
    /// What the system said.
    #[cfg(unix)]
    pub fn remove_token(data: &DataDirectory) -> io::Result<()> {
        match fs::remove_file(data.command_token()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The path of the token's file.
    pub fn token(&self) -> &Path {
        &self.file
    }

    /// The router with the route for commands before it.
    pub fn mount(&self, router: Router, runner: Runner) -> Router {
        router.layer(from_fn_with_state((Arc::clone(&self.token), runner), take_in))
    }

    /// Removes the token.
    pub fn close(self) {
        // The next server writes another, so one that stays opens nothing.
        let _ = fs::remove_file(self.file);
    }
}

/// `POST /commands`: answers 101 and hands the connection to the runner, or refuses. Everything else passes.
async fn take_in(
    State((token, runner)): State<(Arc<str>, Runner)>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || request.uri().path() != PATH {
        return next.run(request).await;
    }
    if !shows(request.headers(), &token) {
        return unauthorized();
    }
    let asks = request.headers().get(header::UPGRADE).is_some_and(|protocol| protocol == PROTOCOL);
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().filter(|_| asks);
    let Some(upgrade) = upgrade else { return upgrade_required() };
    tokio::spawn(async move {
        match upgrade.await.map_err(io::Error::other).and_then(into_std) {
            Ok(stream) => runner.start(Connection::Tcp(stream)),
            Err(error) => tracing::debug!(%error, "a command could not come in"),
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, PROTOCOL)];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.and_then(|value| value.strip_prefix(b"Bearer "));
    shown.is_some_and(|shown| shown.ct_eq(token.as_bytes()).into())
}

fn unauthorized() -> Response {
    let detail = "Send the token of the data directory: Authorization: Bearer ….";
    let mut response = problem(StatusCode::UNAUTHORIZED, "command-token", "This is not the token", detail);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn upgrade_required() -> Response {
    let detail = "Ask for it over HTTP/1.1: Connection: Upgrade, Upgrade: holdfast-commands/1.";
    let status = StatusCode::UPGRADE_REQUIRED;
    let mut response = problem(status, "upgrade-required", "Commands need another protocol", detail);
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response
}

/// Connects to the server at `http://ADDRESS:PORT`, and asks it for the upgrade with the token in a file.
///
/// # Errors
/// What the system said, and `Other` if the server refuses.
pub fn connect(address: &str, token: &Path) -> io::Result<TcpStream> {
    let host = address.strip_prefix("http://").unwrap_or(address);
    let server: SocketAddr = host.parse().map_err(|_| io::Error::other("its address cannot be read"))?;
    // The directory may belong to another user, who must not have this process connect to other computers.
    if !server.ip().is_loopback() {
        return Err(io::Error::other("its address is not on this computer"));
    }
    let token = fs::read_to_string(token)?;
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\n\
         Upgrade: {PROTOCOL}\r\nContent-Length: 0\r\n\r\n",
        token.trim_end()
    );
    stream.write_all(head.as_bytes())?;
    let answer = read_head(&mut stream)?;
    match answer.split(' ').nth(1) {
        Some("101") => {}
        Some("401") => return Err(io::Error::other("it has another token than the data directory")),
        status => {
            let status = status.unwrap_or("nothing");
            return Err(io::Error::other(format!("it does not take commands in and answers {status}")));
        }
    }
    stream.set_read_timeout(None)?;
    Ok(stream)
}

/// The head of an answer, up to the empty line. The frames that follow stay in the stream.
fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_HEAD {
            return Err(io::Error::other("its answer is too long"));
        }
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may end at a surprise")]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_taken() {
        for (value, taken) in [
            (Some("Bearer k7-Wm2xQ"), true),
            (Some("Bearer k7-Wm2x"), false),
            (Some("Bearer k7-Wm2xQ "), false),
            (Some("Bearer "), false),
            (Some("Basic k7-Wm2xQ"), false),
            (Some("k7-Wm2xQ"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            assert_eq!(shows(&headers, "k7-Wm2xQ"), taken, "{value:?}");
        }
    }

    #[test]
    fn the_frames_behind_the_head_stay_in_the_stream() {
        let mut stream = &b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n\0\0\0\x02{}"[..];
        assert!(read_head(&mut stream).unwrap().starts_with("HTTP/1.1 101 "));
        assert_eq!(stream, b"\0\0\0\x02{}");
        assert!(read_head(&mut &b"HTTP/1.1 200 OK\r\n"[..]).is_err(), "it ends too early");
        assert!(read_head(&mut io::repeat(b'x')).is_err(), "it never ends");
    }

    #[test]
    fn a_command_connects_to_this_computer_alone() {
        for address in ["http://192.0.2.1:3000", "http://example.com:3000", "http://127.0.0.1", "nothing"] {
            let refused = connect(address, Path::new("no-such-file")).unwrap_err();
            assert!(refused.to_string().starts_with("its address "), "{address}: {refused}");
        }
    }
}
