//! Security: rejects writes from other sites, and adds security headers to every response.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use super::error::WebError;
use crate::base::identity::{SignedIn, Via};

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every response.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// The additional header of every response over HTTPS. Browsers then use only HTTPS for a year.
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the security headers, one more over HTTPS, and `no-store` unless the response sets its own caching, because
/// pages show personal data.
pub async fn protect(State(https): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Rejects a write that another site made a browser send. Requests with a token pass, because browsers do not send
/// tokens on their own. Source of the method: "Cross-Site Request Forgery Prevention", OWASP Cheat Sheet Series
/// (fetch metadata first, the origin if a browser sends none).
pub fn refuse_cross_site(request: &Request, who: Option<&SignedIn>) -> Result<(), WebError> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let by_token = who.is_some_and(|who| matches!(who.via, Via::Token(_)));
    if safe || by_token || is_same_origin(request.uri(), request.headers()) {
        return Ok(());
    }
    // A program without a session has no credentials to abuse; the route tells it to sign in.
    let from_browser = request.headers().contains_key("sec-fetch-site")
        || request.headers().contains_key(header::ORIGIN)
        || request.headers().contains_key(header::COOKIE);
    if who.is_none() && !from_browser { Ok(()) } else { Err(WebError::CrossSite) }
}

fn is_same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let host = text("host").or_else(|| uri.authority().map(|authority| authority.as_str()));
    let origin = text("origin").and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}
