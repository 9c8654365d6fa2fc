//! Under which names the server answers.
//!
//! A page of another origin may have its own name resolved to this computer (DNS rebinding) and would then read the
//! workspace with the person's cookies. So a request for a name that is not the server's is turned away.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{StatusCode, header};

/// The names that always mean this computer.
pub const OWN: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The names of a server.
pub struct Hosts {
    names: Vec<String>,
    /// The path that is also answered under the server's IP addresses, if any.
    probe: Option<String>,
}

impl Hosts {
    /// Those that mean this computer, and further ones.
    pub fn local(further: &[String]) -> Self {
        let own = OWN.iter().map(|name| (*name).to_owned());
        Self { names: own.chain(lowercase(further)).collect(), probe: None }
    }

    /// These alone; none where none is given. Load balancers and containers ask for `probe` under an IP address, which no
    /// page can have for its name.
    #[cfg(feature = "aws")]
    pub fn alone(names: &[String], probe: String) -> Option<Self> {
        let names: Vec<_> = lowercase(names).collect();
        (!names.is_empty()).then_some(Self { names, probe: Some(probe) })
    }

    /// Lets the router answer under these names, and turn all others away.
    pub fn guard(self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::new(self), check))
    }

    fn admit(&self, request: &Request) -> bool {
        let Some(host) = host(request) else { return false };
        self.names.contains(&host)
            || (self.probe.as_deref() == Some(request.uri().path()) && is_ip_address(&host))
    }
}

/// The names as they are compared. A variable that is set to nothing names nothing.
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

/// The name that a request is for, without its port.
fn host(request: &Request) -> Option<String> {
    let header = || request.headers().get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = request.uri().authority().cloned().or_else(header)?;
    (!authority.as_str().contains('@')).then(|| authority.host().to_ascii_lowercase())
}

fn misdirected(names: &[String]) -> Response {
    let words = format!(
        "This Holdfast answers under {} only. If it has another name, start it with --host NAME.\n",
        names.join(", ")
    );
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::MISDIRECTED_REQUEST, headers, words).into_response()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may end at a surprise")]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(host: Option<&str>) -> u16 {
        status_of(Hosts::local(&["Desk.example".to_owned()]), "/", host).await
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
    async fn a_table_is_served_under_its_own_names_and_probed_under_addresses() {
        let hosts = || Hosts::alone(&["desk.example".to_owned()], "/health".to_owned()).unwrap();
        for (path, host, answered) in [
            ("/leads", "desk.example", 200),
            ("/health", "desk.example:443", 200),
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
            assert!(Hosts::alone(none, "/health".to_owned()).is_none(), "{none:?}");
        }
    }

    #[tokio::test]
    async fn only_its_own_names_are_answered() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:3000",
            "localhost:8080",
            "LocalHost",
            "[::1]:3000",
            "desk.example",
            "DESK.example:1",
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
