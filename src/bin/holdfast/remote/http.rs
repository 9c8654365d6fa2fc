//! Commands over HTTP, for systems and file systems without Unix sockets.
//!
//! A command sends `POST /commands` to the server's own port, asks for an upgrade to [`PROTOCOL`], and sends the
//! token that the server has written to the data directory. After that, the connection carries frames, as the Unix
//! socket does. A page in a browser cannot do this: it does not know the token, and browsers do not let pages ask
//! for an upgrade to another protocol.

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
use super::runner::Runner;
use crate::data::DataDirectory;
#[cfg(unix)]
use crate::files::remove_if_exists;
use crate::files::write_private;
use crate::http_server::{into_std, problem};

/// The path for commands.
const PATH: &str = "/commands";
/// The protocol after the upgrade: the frames of [`super::protocol`].
const PROTOCOL: &str = "holdfast-commands/1";
/// The longest response to the upgrade request, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// How long the server may take to connect and to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The token, and the file that keeps it while the server runs.
pub struct HttpEndpoint {
    token: Arc<str>,
    file: PathBuf,
}

impl HttpEndpoint {
    /// Creates a token of 256 random bits and writes it to the data directory.
    pub fn open(data: &DataDirectory) -> io::Result<Self> {
        let file = fs::canonicalize(data.path())?.join(data.command_token().file_name().unwrap_or_default());
        let token = URL_SAFE_NO_PAD.encode(Rng::of_system().bytes::<32>());
        write_private(&file, &token)?;
        Ok(Self { token: token.into(), file })
    }

    /// Removes the token of a server that was killed. A server with a socket needs none.
    #[cfg(unix)]
    pub fn remove_token(data: &DataDirectory) -> io::Result<()> {
        remove_if_exists(&data.command_token())
    }

    pub fn token(&self) -> &Path {
        &self.file
    }

    /// Adds the route for commands in front of the router.
    pub fn mount(&self, router: Router, runner: Runner) -> Router {
        router.layer(from_fn_with_state((Arc::clone(&self.token), runner), accept_command))
    }

    /// Removes the token.
    pub fn close(self) {
        // The next server writes a new token, so a token that is left behind is useless.
        let _ = fs::remove_file(self.file);
    }
}

/// Handles `POST /commands`: answers 101 and passes the connection to the runner, or refuses. Passes everything
/// else on.
async fn accept_command(
    State((token, runner)): State<(Arc<str>, Runner)>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || request.uri().path() != PATH {
        return next.run(request).await;
    }
    if !has_token(request.headers(), &token) {
        return unauthorized();
    }
    let asks = request.headers().get(header::UPGRADE).is_some_and(|protocol| protocol == PROTOCOL);
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().filter(|_| asks);
    let Some(upgrade) = upgrade else { return upgrade_required() };
    tokio::spawn(async move {
        match upgrade.await.map_err(io::Error::other).and_then(into_std) {
            Ok(stream) => runner.start(Connection::Tcp(stream)),
            Err(error) => tracing::debug!(%error, "cannot accept a command"),
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, PROTOCOL)];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let token_sent = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let token_sent = token_sent.and_then(|value| value.strip_prefix(b"Bearer "));
    token_sent.is_some_and(|token_sent| token_sent.ct_eq(token.as_bytes()).into())
}

fn unauthorized() -> Response {
    let detail = "Send the token of the data directory: Authorization: Bearer ….";
    let mut response = problem(StatusCode::UNAUTHORIZED, "command-token", "Incorrect token", detail);
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

/// Connects to the server at `http://ADDRESS:PORT`, and requests the upgrade with the token in a file.
pub fn connect(address: &str, token: &Path) -> io::Result<TcpStream> {
    let host = address.strip_prefix("http://").unwrap_or(address);
    let server: SocketAddr = host.parse().map_err(|_| io::Error::other("its address cannot be read"))?;
    // The data directory may belong to another user, who must not be able to make this process connect to other
    // computers.
    if !server.ip().is_loopback() {
        return Err(io::Error::other("its address is not on this computer"));
    }
    let token = fs::read_to_string(token)?;
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\n\
         Upgrade: {PROTOCOL}\r\nContent-Length: 0\r\n\r\n",
        token.trim_end()
    );
    stream.write_all(head.as_bytes())?;
    let answer = read_head(&mut stream)?;
    match answer.split(' ').nth(1) {
        Some("101") => {}
        Some("401") => return Err(io::Error::other("its token differs from the one in the data directory")),
        status => {
            let status = status.unwrap_or("nothing");
            return Err(io::Error::other(format!("it does not accept commands and answers {status}")));
        }
    }
    stream.set_read_timeout(None)?;
    Ok(stream)
}

/// Reads the head of a response, up to the empty line. The frames that follow stay in the stream.
fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::Error::other("its answer is too long"));
        }
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use super::*;

    #[test]
    fn only_the_complete_token_is_accepted() {
        for (value, accepted) in [
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
            assert_eq!(has_token(&headers, "k7-Wm2xQ"), accepted, "{value:?}");
        }
    }

    #[test]
    fn frames_after_the_head_stay_in_the_stream() {
        let mut stream = &b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n\0\0\0\x02{}"[..];
        assert!(read_head(&mut stream).unwrap().starts_with("HTTP/1.1 101 "));
        assert_eq!(stream, b"\0\0\0\x02{}");
        assert!(read_head(&mut &b"HTTP/1.1 200 OK\r\n"[..]).is_err(), "it ends too early");
        assert!(read_head(&mut io::repeat(b'x')).is_err(), "it never ends");
    }

    #[test]
    fn a_command_connects_only_to_this_computer() {
        for address in ["http://192.0.2.1:3000", "http://example.com:3000", "http://127.0.0.1", "nothing"] {
            let refused = connect(address, Path::new("no-such-file")).unwrap_err();
            assert!(refused.to_string().starts_with("its address "), "{address}: {refused}");
        }
    }
}
