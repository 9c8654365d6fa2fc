//! The layer that compresses answers with gzip, for hosts that do not: the local server, API Gateway before Lambda, and
//! hosts of `wasi:http`.
//!
//! Invariants:
//! - **An answer that may show a secret is never compressed** ([`Routes::with_secrets`](super::routes::Routes)). The length
//!   of a compressed page depends on how much of the request's text repeats the secret, so anyone who sees lengths could
//!   guess it bit by bit (the BREACH attack).
//! - An answer with an entity tag is not compressed. Our tags are the version of a record, which programs send back in
//!   `If-Match`, and RFC 9110 requires that a strong tag differs between encodings. Such answers are one record.
//! - Only text that is in memory is compressed, so nothing has to wait for the end of a stream. Assets have their
//!   encoding already.

use std::io::{self, Write as _};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;

use super::encoding::Encoding;
use crate::base::blocking::BlockingPool;

/// The smallest body that is compressed. A smaller one fits in one packet anyway.
const MIN_BYTES: u64 = 1_024;
/// The largest body that is compressed on the spot, which takes about a millisecond.
const MAX_INLINE: usize = 128 * 1_024;
/// The level of gzip: higher levels take much longer and save little.
const LEVEL: u32 = 5;

/// The content types of text, apart from `text/…`.
const TEXT: [&str; 4] =
    ["application/json", "application/problem+json", "application/javascript", "image/svg+xml"];

/// Marks an answer that may show a secret.
#[derive(Debug, Clone, Copy)]
struct ShowsSecret;

/// Marks an answer that may show a secret.
pub async fn mark_secret(mut response: Response) -> Response {
    response.extensions_mut().insert(ShowsSecret);
    response
}

/// Marks an answer that takes the place of another one, if that one is marked: the page of a failure repeats addresses.
pub(super) fn keep_mark(of: &Response, answer: &mut Response) {
    if let Some(mark) = of.extensions().get::<ShowsSecret>() {
        answer.extensions_mut().insert(*mark);
    }
}

/// Compresses the answer if that is safe, useful and accepted by the client.
pub async fn compress(State(blocking): State<BlockingPool>, request: Request, next: Next) -> Response {
    let encoding = Encoding::best(request.headers(), &[Encoding::Gzip]);
    let mut response = next.run(request).await;
    if !is_compressible(&response) {
        return response;
    }
    // Caches must keep the forms apart, also if this client accepts only the uncompressed one.
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    match encoding {
        Encoding::Gzip => compressed(&blocking, response).await,
        Encoding::Brotli | Encoding::Identity => response,
    }
}

fn is_compressible(response: &Response) -> bool {
    const NEVER: [HeaderName; 3] = [header::CONTENT_ENCODING, header::CONTENT_RANGE, header::ETAG];
    let headers = response.headers();
    let has_body = !response.status().is_informational()
        && !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
        );
    has_body
        && is_text(headers)
        && response.extensions().get::<ShowsSecret>().is_none()
        && !NEVER.iter().any(|name| headers.contains_key(name))
        && response.body().size_hint().exact().is_some_and(|bytes| bytes >= MIN_BYTES)
}

fn is_text(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    (kind.starts_with("text/") && kind != "text/event-stream") || TEXT.contains(&kind)
}

async fn compressed(blocking: &BlockingPool, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(plain) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let smaller = if plain.len() <= MAX_INLINE {
        gzip(&plain)
    } else {
        let plain = plain.clone();
        blocking.run(move || gzip(&plain)).await.unwrap_or_default()
    };
    let Some(smaller) = smaller else { return Response::from_parts(parts, Body::from(plain)) };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(parts, Body::from(smaller))
}

/// Returns the compressed bytes, unless they are hardly fewer. Lambda encodes compressed bodies in base64, which adds a
/// third, and has a limit for the result.
fn gzip(plain: &Bytes) -> Option<Vec<u8>> {
    let all = || -> io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::new(LEVEL));
        encoder.write_all(plain)?;
        encoder.finish()
    };
    // Writing to memory does not fail.
    all().ok().filter(|smaller| smaller.len() < plain.len() / 4 * 3)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use std::io::Read as _;

    use axum::Router;
    use axum::middleware::{from_fn_with_state, map_response};
    use axum::routing::get;
    use flate2::read::GzDecoder;
    use futures_util::{FutureExt as _, stream};
    use http::Method;
    use tower::ServiceExt as _;

    use super::*;

    fn text() -> String {
        "a page repeats its words, ".repeat(200)
    }

    fn of(content_type: &'static str, body: impl Into<Body>) -> Response {
        Response::builder().header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()
    }

    fn with(name: &'static str, value: &'static str) -> Response {
        let mut response = of("text/html; charset=utf-8", text());
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        response
    }

    fn answer(name: &str) -> Response {
        let mut state = 1_u32;
        let noise = (0..4_000).map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            char::from(33 + (state >> 8) as u8 % 94)
        });
        let mut response = match name {
            "csv" => of("text/csv; charset=utf-8", text()),
            "json" => of("application/json", text()),
            "problem" => of("application/problem+json", text()),
            "svg" => of("image/svg+xml", text()),
            "large" => of("text/csv", text().repeat(100)),
            "png" => of("image/png", text()),
            "short" => of("text/html", "x".repeat(1_023)),
            "noise" => of("text/plain", noise.collect::<String>()),
            "events" => of("text/event-stream", text()),
            "stream" => {
                let parts = stream::iter([Ok::<_, io::Error>(text()), Ok(text())]);
                of("text/csv", Body::from_stream(parts))
            }
            "tag" => with("etag", "\"7\""),
            "encoded" => with("content-encoding", "br"),
            "range" => with("content-range", "bytes 0-1/9"),
            _ => of("text/html; charset=utf-8", text()),
        };
        *response.status_mut() = match name {
            "missing" => StatusCode::NOT_FOUND,
            "part" => StatusCode::PARTIAL_CONTENT,
            "nothing" => StatusCode::NO_CONTENT,
            "same" => StatusCode::NOT_MODIFIED,
            _ => StatusCode::OK,
        };
        response.headers_mut().append(header::VARY, HeaderValue::from_static("HX-Request"));
        response
    }

    fn ask(method: Method, path: &str, accept: Option<&str>) -> Response {
        let plain = Router::new()
            .route("/secret", get(async || answer("secret")))
            .layer(map_response(mark_secret))
            .route("/{name}", get(async |path: axum::extract::Path<String>| answer(&path)))
            .layer(from_fn_with_state(BlockingPool::here(), compress));
        let mut request = Request::builder().method(method).uri(path);
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT_ENCODING, accept);
        }
        plain.oneshot(request.body(Body::empty()).unwrap()).now_or_never().unwrap().unwrap()
    }

    fn header_of<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
        response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    fn body(response: Response) -> Bytes {
        to_bytes(response.into_body(), usize::MAX).now_or_never().unwrap().unwrap()
    }

    #[test]
    fn text_is_compressed_and_reads_the_same() {
        for path in ["/page", "/csv", "/json", "/problem", "/svg", "/large", "/missing"] {
            let plain = ask(Method::GET, path, None);
            assert_eq!(header_of(&plain, "content-encoding"), [""; 0], "{path}");
            assert_eq!(header_of(&plain, "vary"), ["HX-Request", "Accept-Encoding"], "{path}");
            let response = ask(Method::GET, path, Some("br, gzip"));
            assert_eq!(header_of(&response, "content-encoding"), ["gzip"], "{path}");
            assert_eq!(header_of(&response, "vary"), ["HX-Request", "Accept-Encoding"], "{path}");
            assert_eq!(response.status(), plain.status());
            let length = header_of(&response, "content-length")[0].parse::<usize>().unwrap();
            let (smaller, plain) = (body(response), body(plain));
            assert_eq!(smaller.len(), length, "{path}");
            assert!(smaller.len() < plain.len() / 4, "{path}: {} of {}", smaller.len(), plain.len());
            let mut read = Vec::new();
            GzDecoder::new(&smaller[..]).read_to_end(&mut read).unwrap();
            assert!(read == plain, "{path} reads the same");
        }
    }

    #[test]
    fn secrets_tags_streams_and_what_is_not_text_stay_plain() {
        for path in [
            "/secret", "/png", "/short", "/noise", "/events", "/stream", "/tag", "/range", "/part",
            "/nothing", "/same",
        ] {
            let response = ask(Method::GET, path, Some("gzip"));
            assert_eq!(header_of(&response, "content-encoding"), [""; 0], "{path}");
        }
        assert_eq!(header_of(&ask(Method::GET, "/encoded", Some("gzip")), "content-encoding"), ["br"]);
        assert_eq!(header_of(&ask(Method::GET, "/tag", Some("gzip")), "etag"), ["\"7\""]);
        assert_eq!(header_of(&ask(Method::GET, "/page", Some("gzip;q=0")), "content-encoding"), [""; 0]);
    }

    #[test]
    fn the_headers_of_head_are_those_of_get() {
        for path in ["/page", "/tag", "/secret", "/short"] {
            let headers = |method| {
                let response = ask(method, path, Some("gzip"));
                let names = ["content-encoding", "content-length", "vary", "etag"];
                names.map(|name| header_of(&response, name).join(", "))
            };
            assert_eq!(headers(Method::HEAD), headers(Method::GET), "{path}");
        }
    }
}
