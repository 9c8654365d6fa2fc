//! The host names under which the server answers.
//!
//! A page of another origin can have its own name resolve to this computer (DNS rebinding), and could then read the
//! workspace with the person's cookies. So the server rejects requests for names that are not its own.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{StatusCode, header};

/// Names that always mean this computer.
pub const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The host names of a server.
pub struct Hosts {
    names: Vec<String>,
    /// A path that is also served under the server's IP addresses.
    probe: Option<String>,
}

impl Hosts {
    /// Allows the names of this computer and these additional ones.
    pub fn local(additional: &[String]) -> Self {
        let own = LOOPBACK_NAMES.iter().map(|name| (*name).to_owned());
        Self { names: own.chain(lowercase(additional)).collect(), probe: None }
    }

    /// Allows only these names. Returns `None` if there are none. Load balancers and containers request `probe`
    /// under an IP address, which cannot be the name of a page's origin.
    #[cfg(feature = "aws")]
    pub fn only(names: &[String], probe: String) -> Option<Self> {
        let names: Vec<_> = lowercase(names).collect();
        (!names.is_empty()).then_some(Self { names, probe: Some(probe) })
    }

    /// Restricts the router to these names.
    pub fn guard(self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::new(self), check))
    }

    fn admit(&self, request: &Request) -> bool {
        let Some(host) = host(request) else { return false };
        self.names.contains(&host)
            || (self.probe.as_deref() == Some(request.uri().path()) && is_ip_address(&host))
    }
}

/// Normalizes names for comparison, and drops empty ones.
fn lowercase(names: &[String]) -> impl Iterator<Item = String> {
    names.iter().map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty())
}

fn is_ip_address(host: &str) -> bool {
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    in_brackets.map_or(host.parse::<Ipv4Addr>().is_ok(), |host| host.parse::<Ipv6Addr>().is_ok())
}

async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    if hosts.admit(&request) { next.run(request).await } else { misdirected(&hosts.names) }
}

/// Returns the host name of a request, without its port.
fn host(request: &Request) -> Option<String> {
    let header = || request.headers().get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = request.uri().authority().cloned().or_else(header)?;
    (!authority.as_str().contains('@')).then(|| authority.host().to_ascii_lowercase())
}

fn misdirected(names: &[String]) -> Response {
    let text = format!(
        "This server answers at {} only. To add a name, start it with --host NAME.\n",
        names.join(", ")
    );
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::MISDIRECTED_REQUEST, headers, text).into_response()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(host: Option<&str>) -> u16 {
        status_of(Hosts::local(&["Holdfast.example".to_owned()]), "/", host).await
    }

    async fn status_of(hosts: Hosts, path: &str, host: Option<&str>) -> u16 {
        let router = hosts.guard(Router::new().fallback(get(async || "here")));
        let mut request = http::Request::builder().uri(path);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    }

    #[cfg(feature = "aws")]
    #[tokio::test]
    async fn a_table_is_served_under_configured_names_and_probed_under_ip_addresses() {
        let hosts = || Hosts::only(&["holdfast.example".to_owned()], "/health".to_owned()).unwrap();
        for (path, host, answered) in [
            ("/leads", "holdfast.example", 200),
            ("/health", "holdfast.example:443", 200),
            ("/health", "10.0.0.7:3000", 200),
            ("/health", "[2001:db8::7]:3000", 200),
            ("/health", "evil.example", 421),
            ("/leads", "10.0.0.7:3000", 421),
            ("/leads", "localhost", 421),
            ("/health/", "10.0.0.7", 421),
        ] {
            assert_eq!(status_of(hosts(), path, Some(host)).await, answered, "{host} {path}");
        }
        for none in [&[][..], &["".to_owned()], &[" ".to_owned()]] {
            assert!(Hosts::only(none, "/health".to_owned()).is_none(), "{none:?}");
        }
    }

    #[tokio::test]
    async fn only_allowed_host_names_are_answered() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:3000",
            "localhost:8080",
            "LocalHost",
            "[::1]:3000",
            "holdfast.example",
            "HOLDFAST.example:1",
        ] {
            assert_eq!(status(Some(host)).await, 200, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:3000",
            "127.0.0.2",
            "0.0.0.0:3000",
            "http://127.0.0.1",
            "evil.example@127.0.0.1",
            "",
        ] {
            let answered = status(Some(host)).await;
            assert_eq!(answered, 421, "{host}");
        }
        assert_eq!(status(None).await, 421);
    }
}
