//! Headers that protect: which writes are refused because another site sent them, and what every answer carries.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use super::error::WebError;
use crate::base::identity::{SignedIn, Via};

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every answer carries.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// What every answer carries where people come over https: their browsers use nothing else for a year.
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the protecting headers (one more where people come over https), and "no-store" where an answer does not say how it may be kept: pages show people's
/// data.
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

/// Refuses a write that another site made a browser send. A token is not sent by browsers on their own, so requests
/// with one pass. (The method is that of "Cross-Site Request Forgery Prevention", OWASP Cheat Sheet Series: fetch
/// metadata first, the origin where a browser sends none.)
///
/// # Errors
/// [`WebError::CrossSite`].
pub fn refuse_cross_site(request: &Request, who: Option<&SignedIn>) -> Result<(), WebError> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let by_token = who.is_some_and(|who| matches!(who.via, Via::Token(_)));
    if safe || by_token || is_same_origin(request.uri(), request.headers()) {
        return Ok(());
    }
    // Nobody's credentials are at stake: a program without a session, told to sign in by the route.
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
