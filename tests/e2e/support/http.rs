//! A client for the application, over its router or over real HTTP, and an HTTP server for it.
//!
//! The client does not follow redirects and keeps cookies, so that a case sees the same answers as a browser.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tower::{Service, ServiceExt};

pub(super) type Answering = BoxFuture<'static, (StatusCode, HeaderMap, Bytes)>;
pub(super) type Transport = Arc<dyn Fn(Request<Body>) -> Answering + Send + Sync>;

/// An HTTP client without redirects, proxies or TLS.
pub fn plain_client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a plain client can be built")
}

/// One visitor with a cookie jar. Clones are the same visitor.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    headers: HeaderMap,
}

impl Client {
    /// A visitor that calls the router itself, without a socket.
    pub fn over<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = http::Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        Self::with(Arc::new(move |request| {
            let answering = service.clone().oneshot(request);
            Box::pin(async move {
                let response = answering.await.unwrap_or_else(|never| match never {});
                let (parts, body) = response.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await;
                (parts.status, parts.headers, body.expect("the body can be read"))
            })
        }))
    }

    /// A visitor of the server at `base`: `http://127.0.0.1:PORT`.
    pub fn at(base: &str) -> Self {
        let (client, base) = (plain_client(), base.trim_end_matches('/').to_owned());
        Self::with(Arc::new(move |request| {
            let (client, url) = (client.clone(), format!("{base}{}", request.uri()));
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await;
                let sending = client
                    .request(parts.method, &url)
                    .headers(parts.headers)
                    .body(body.expect("the body is in memory"))
                    .send();
                let response = sending.await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
                let (status, headers) = (response.status(), response.headers().clone());
                (status, headers, response.bytes().await.expect("the body can be read"))
            })
        }))
    }

    /// A visitor with another transport.
    pub(super) fn with(transport: Transport) -> Self {
        Self { transport, cookies: Arc::default(), headers: HeaderMap::new() }
    }

    /// Sends this header with every request.
    #[must_use]
    pub fn always(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("the header's value is well formed");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// Sends requests like a browser on Holdfast's own pages.
    #[must_use]
    pub fn same_origin(self) -> Self {
        self.always("sec-fetch-site", "same-origin")
    }

    /// Begins a request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder<'_> {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        let mut request = request.unwrap_or_else(|error| panic!("{path}: {error}"));
        *request.headers_mut() = self.headers.clone();
        RequestBuilder { client: self, request }
    }

    /// GET.
    pub fn get(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::GET, path)
    }

    /// POST.
    pub fn post(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::POST, path)
    }

    /// Uses a sign-in link as the button of its page does.
    pub async fn use_link(&self, path: &str) -> Response {
        self.post(path).header("sec-fetch-site", "same-origin").form(&[("", ""); 0]).send().await
    }

    /// PUT.
    pub fn put(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::PUT, path)
    }

    /// PATCH.
    pub fn patch(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::PATCH, path)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::DELETE, path)
    }

    /// The last value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().get(name).cloned()
    }

    /// Forgets every cookie, like a new visitor.
    pub fn forget_cookies(&self) {
        self.jar().clear();
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the cookies that the answer sets, and drops the expired ones.
    fn keep_cookies(&self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let text = cookie.to_str().expect("a cookie is ASCII");
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let (name, value) = pair.split_once('=').expect("a cookie is name=value");
            let attributes = attributes.to_ascii_lowercase();
            let attribute = |wanted: &str| attributes.split(';').any(|one| one.trim().starts_with(wanted));
            let expired =
                attribute("max-age=0") || attribute("max-age=-") || attribute("expires=thu, 01 jan 1970");
            if expired {
                self.jar().remove(name.trim());
            } else {
                self.jar().insert(name.trim().to_owned(), value.to_owned());
            }
        }
    }
}

/// A request that is being built.
pub struct RequestBuilder<'a> {
    client: &'a Client,
    request: Request<Body>,
}

impl RequestBuilder<'_> {
    /// Sends this header instead of one that is always sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the header's name is well formed");
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("the header's value is well formed");
        self.request.headers_mut().insert(name, value);
        self
    }

    /// Sends a form's fields, URL-encoded.
    #[must_use]
    pub fn form<T: Serialize + ?Sized>(self, fields: &T) -> Self {
        let body = serde_urlencoded::to_string(fields).expect("the fields are pairs");
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends JSON.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let body = serde_json::to_vec(value).expect("the value can be written as JSON");
        self.body("application/json", body)
    }

    /// Sends a form with a file: its field, its name and its content.
    #[must_use]
    pub fn upload(self, fields: &[(&str, &str)], file: (&str, &str, &[u8])) -> Self {
        const BOUNDARY: &str = "a-boundary-that-no-case-writes";
        let mut body = Vec::new();
        let mut part = |disposition: String, content: &[u8]| {
            body.extend(
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").bytes(),
            );
            body.extend(content);
            body.extend(b"\r\n");
        };
        for (name, value) in fields {
            part(format!("name=\"{name}\""), value.as_bytes());
        }
        let (field, name, content) = file;
        part(format!("name=\"{field}\"; filename=\"{name}\""), content);
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        self.body(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    /// Sends these bytes unchanged.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let kind = HeaderValue::from_str(content_type).expect("the content type is well formed");
        self.request.headers_mut().insert(CONTENT_TYPE, kind);
        *self.request.body_mut() = Body::from(body.into());
        self
    }

    /// Sends the request with the visitor's cookies and waits for the complete answer.
    pub async fn send(mut self) -> Response {
        let cookies: Vec<_> =
            (self.client.jar().iter()).map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            let cookies = HeaderValue::from_str(&cookies.join("; ")).expect("cookies are ASCII");
            self.request.headers_mut().insert(COOKIE, cookies);
        }
        let request_line = format!("{} {}", self.request.method(), self.request.uri());
        let (status, headers, body) = (self.client.transport)(self.request).await;
        self.client.keep_cookies(&headers);
        Response { request_line, status, headers, body }
    }
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The request line, for messages.
    request_line: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// Panics with the beginning of the body unless the answer has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let (request_line, got, body) = (&self.request_line, self.status, self.beginning());
        assert!(got.as_u16() == status, "{request_line} answered {got} and not {status}: {body}");
        self
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        let text = std::str::from_utf8(&self.body);
        text.unwrap_or_else(|error| panic!("{} did not answer UTF-8: {error}", self.request_line))
    }

    /// The body as JSON; panics with the body if it cannot be parsed.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        let value = serde_json::from_slice(&self.body);
        value.unwrap_or_else(|error| {
            panic!("{} answered other JSON: {error}: {}", self.request_line, self.beginning())
        })
    }

    /// The value of a header, or an empty text if it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    fn beginning(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(2000).collect()
    }
}

/// The text of a CSV file without the byte order mark at its beginning, which Excel needs.
#[track_caller]
pub fn without_mark(csv: &str) -> &str {
    csv.strip_prefix('\u{feff}').unwrap_or_else(|| panic!("there is no byte order mark: {csv}"))
}

/// A router behind a real socket, for browsers and other programs. It stops when it is dropped.
pub struct Server {
    url: String,
    /// Dropping the sender stops the server.
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Serves `router` on a free port of this computer.
    pub async fn of(router: axum::Router) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a loopback port is free");
        let address = listener.local_addr().expect("the port is known");
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
            // The sender is only dropped, never used.
            let _ = stopped.await;
        });
        tokio::spawn(serving.into_future());
        Self { url: format!("http://{address}"), _stop: stop }
    }

    /// The address of `path`: `http://127.0.0.1:PORT/leads`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}
