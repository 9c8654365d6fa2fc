//! Under which names the local server answers.
//!
//! A page of another origin may have its own name resolved to this computer (DNS rebinding) and would then read the desk
//! with the person's cookies. So a request for a name that is not the server's is turned away.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::uri::Authority;
use http::{StatusCode, header};

/// The names that always mean this computer.
pub const OWN: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Lets the router answer under these names, and turn all others away.
pub fn only(own: &[&str], names: &[String], router: Router) -> Router {
    let names = names.iter().map(|name| name.to_ascii_lowercase());
    let all: Vec<String> = own.iter().map(|name| (*name).to_owned()).chain(names).collect();
    router.layer(from_fn_with_state(Arc::<[String]>::from(all), check))
}

async fn check(State(names): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let asked = host(&request);
    match asked {
        Some(host) if names.contains(&host) => next.run(request).await,
        _ => misdirected(&names),
    }
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
        let router = only(&OWN, &["Desk.example".to_owned()], Router::new().route("/", get(async || "here")));
        let mut request = http::Request::builder().uri("/");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
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
