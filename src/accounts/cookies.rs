//! How cookies are made and read.

use std::time::Duration;

use axum_extra::extract::cookie::{Cookie, SameSite};
use http::{HeaderMap, header};
use jiff::SignedDuration;

use super::keys::CookieKeys;

/// How session cookies are made.
#[derive(Debug, Clone)]
pub struct CookiePolicy {
    /// The keys that encrypt them.
    pub keys: CookieKeys,
    /// Whether they carry `Secure`: true wherever people come over https.
    pub secure: bool,
    /// The port that their name carries, of a server beside which others may run under the same host name: browsers send
    /// a host's cookies to all of its ports.
    pub port: Option<u16>,
}

/// A cookie's name with the port of a local server.
pub(super) fn with_port(policy: &CookiePolicy, name: &str) -> String {
    policy.port.map_or_else(|| name.to_owned(), |port| format!("{name}-{port}"))
}

/// The values of the cookies of this name. Other applications' cookies are not looked at, whatever bytes are in them.
pub(super) fn cookies_named<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(header::COOKIE).iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';')).filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.trim_ascii_start().strip_prefix(b"=")?;
        str::from_utf8(value.trim_ascii()).ok()
    })
}

/// A cookie that only this server reads, and that other sites' forms do not send.
pub(super) fn cookie_named(
    name: String,
    policy: &CookiePolicy,
    value: String,
    lasts: SignedDuration,
) -> Cookie<'static> {
    let lasts = Duration::try_from(lasts).unwrap_or_default();
    Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(policy.secure)
        .max_age(lasts.try_into().unwrap_or_default())
        .build()
}
