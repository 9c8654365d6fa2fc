//! What several pages of accounts share: the address to redirect to afterwards, and the wait before the next attempt.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::accounts::AccountError;
use crate::web::pages::PageContext;
use crate::web::respond::see_other;

#[derive(Deserialize)]
pub(super) struct NextQuery {
    #[serde(default)]
    pub(super) next: String,
}

/// Returns the address of a page that redirects to `next` afterwards.
pub(super) fn with_next(context: &PageContext, path: &str, next: &str) -> String {
    let query = if next.is_empty() { None } else { serde_urlencoded::to_string([("next", next)]).ok() };
    query.map_or_else(|| context.url(path), |query| format!("{}?{query}", context.url(path)))
}

/// Redirects to `next` if it is a local path, otherwise to the start page.
pub(super) fn redirect_to_next(context: &PageContext, next: &str, fragment: bool) -> Response {
    see_other(context, local_path(&context.base, next).unwrap_or("/"), fragment)
}

/// Returns the part of a local path after our prefix, or `None` if a browser could resolve the address to another host.
/// Browsers treat `//host` and `/\host` as other hosts, and drop control characters before they parse an address.
pub(super) fn local_path<'a>(base: &str, next: &'a str) -> Option<&'a str> {
    let path = next.strip_prefix(base)?;
    let plain = next.len() <= 2_000 && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let local = path.starts_with('/') && !path.starts_with("//") && !next.starts_with("//");
    (plain && local).then_some(path)
}

/// Why a person must wait before the next attempt, and how long.
pub(super) struct Delay {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) seconds: u64,
}

impl Delay {
    /// Returns the delay that an error requires.
    ///
    /// # Errors
    /// The error itself, if it requires no delay.
    pub(super) fn of(error: AccountError) -> Result<Self, AccountError> {
        match error {
            AccountError::TooManyAttempts(throttled) => Ok(Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                message: throttled.to_string(),
                seconds: throttled.seconds,
            }),
            AccountError::Busy => Ok(Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: "Too many people are signing in right now. Try again in a few seconds.".to_owned(),
                seconds: BUSY_RETRY_SECONDS,
            }),
            other => Err(other),
        }
    }
}

/// The seconds that a full hashing queue takes to empty.
const BUSY_RETRY_SECONDS: u64 = 2;

pub(super) fn retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_redirect_targets() {
        for (base, next, path) in [
            ("", "/leads", Some("/leads")),
            ("", "/leads?q=a%20b&state=NY", Some("/leads?q=a%20b&state=NY")),
            ("", "/", Some("/")),
            ("", "/leads?next=//evil.example", Some("/leads?next=//evil.example")),
            ("", "", None),
            ("", "leads", None),
            ("", "//evil.example", None),
            ("", "///evil.example", None),
            ("", "/\\evil.example", None),
            ("", "\\/evil.example", None),
            ("", "/leads\\evil", None),
            ("", "/\t/evil.example", None),
            ("", "/\n/evil.example", None),
            ("", "\t//evil.example", None),
            ("", " /leads", None),
            ("", "/leads x", None),
            ("", "/l\u{e9}ads", None),
            ("", "https://evil.example/", None),
            ("", "javascript:alert(1)", None),
            ("", "@evil.example", None),
            ("", "/leads\r\nSet-Cookie: a=b", None),
            ("/prod", "/prod/leads", Some("/leads")),
            ("/prod", "/prod", None),
            ("/prod", "/production", None),
            ("/prod", "/leads", None),
            ("/prod", "/prod//evil.example", None),
            ("/prod", "//evil.example/prod/", None),
        ] {
            assert_eq!(local_path(base, next), path, "{next:?} under {base:?}");
        }
        assert_eq!(local_path("", &format!("/{}", "x".repeat(2_000))), None);
    }
}
