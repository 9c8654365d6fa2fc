//! Creates and reads cookies.

use std::time::Duration;

use axum_extra::extract::cookie::{Cookie, SameSite};
use jiff::SignedDuration;

use super::keys::CookieKeys;
pub(super) use crate::web::request::cookies_named;

/// How cookies are signed and named.
#[derive(Debug, Clone)]
pub struct CookiePolicy {
    /// The keys that sign cookies.
    pub keys: CookieKeys,
    /// Whether cookies have the `Secure` attribute. True if people use HTTPS.
    pub secure: bool,
    /// The port in the names of cookies. It separates servers on the same host, because browsers send a host's cookies
    /// to all of its ports.
    pub port: Option<u16>,
}

/// Returns a cookie's name with the port of a local server.
pub(super) fn with_port(policy: &CookiePolicy, name: &str) -> String {
    policy.port.map_or_else(|| name.to_owned(), |port| format!("{name}-{port}"))
}

/// Creates a cookie that only this server reads and that forms of other sites do not send.
pub(super) fn cookie_named(
    name: String,
    policy: &CookiePolicy,
    value: String,
    max_age: SignedDuration,
) -> Cookie<'static> {
    let max_age = Duration::try_from(max_age).unwrap_or_default();
    Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(policy.secure)
        .max_age(max_age.try_into().unwrap_or_default())
        .build()
}
