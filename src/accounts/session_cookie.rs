//! A browser's session in a signed cookie. [`sessions`](super::sessions) keeps the session itself.
//!
//! An unreadable cookie, for example one signed with an unknown key, is ignored and never an error. A cookie signed with
//! the previous key is replaced.

use std::str::FromStr;

use axum::response::IntoResponse as _;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::cookies::{CookiePolicy, cookie_named, cookies_named, with_port};
use super::device::Device;
use super::domain::{Secret, SessionLimits};
use super::keys::{CookieKey, KeyRing};
use crate::base::identity::AccountId;
use crate::base::values::Invalid;
use crate::web::context::Renewal;

/// How long the cookie of a session of version 0.1 lasts.
pub(super) const FORMER_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The session that a cookie names. The cookie contains `<account>.<secret>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionCookie {
    pub(super) account: AccountId,
    pub(super) secret: Secret,
}

impl SessionCookie {
    fn value(&self) -> String {
        format!("{}.{}", self.account, self.secret.reveal())
    }
}

/// A session of version 0.1, which was not in the table. Its cookie contains `<account>.<epoch>.<start in seconds>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormerSession {
    pub(super) account: AccountId,
    pub(super) epoch: u64,
    pub(super) began: Timestamp,
    /// The secret of the session that replaces it. It follows from the signed cookie, so that several requests with one
    /// cookie create one session.
    pub(super) successor: Secret,
}

impl FormerSession {
    /// Returns the end of the cookie.
    pub(super) fn cookie_ends_at(&self) -> Timestamp {
        self.began.saturating_add(FORMER_LIFETIME).unwrap_or(Timestamp::MAX)
    }

    /// Returns the end of the session: that of its cookie, or earlier if sessions last for less time now.
    pub(super) fn ends_at(&self, limits: SessionLimits) -> Timestamp {
        let absolute = self.began.saturating_add(limits.absolute).unwrap_or(Timestamp::MAX);
        absolute.min(self.cookie_ends_at())
    }

    /// Returns the cookie of the session that replaces it.
    pub(super) fn successor(&self) -> SessionCookie {
        SessionCookie { account: self.account, secret: self.successor.clone() }
    }
}

/// What a session's cookie contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CookieContent {
    Session(SessionCookie),
    Former(FormerSession),
}

impl CookieContent {
    /// Returns the session in the table that the cookie names.
    pub(super) fn session(self) -> SessionCookie {
        match self {
            Self::Session(session) => session,
            Self::Former(former) => former.successor(),
        }
    }

    /// Parses the content of a cookie whose signature was checked. `signed` is the content with its signature.
    fn parse(content: &str, signed: &str) -> Result<Self, Invalid> {
        let read = || {
            let (account, rest) = content.split_once('.')?;
            let account = account.parse().ok()?;
            if let Ok(secret) = Secret::from_str(rest) {
                return Some(Self::Session(SessionCookie { account, secret }));
            }
            let (epoch, began) = rest.split_once('.')?;
            let (epoch, began) = (epoch.parse().ok()?, Timestamp::from_second(began.parse().ok()?).ok()?);
            let random = Sha256::new().chain_update("holdfast session of\n").chain_update(signed).finalize();
            let successor = Secret::new(random.into());
            Some(Self::Former(FormerSession { account, epoch, began, successor }))
        };
        read().ok_or_else(|| Invalid::new("This isn't a session."))
    }

    /// Whether the session may still last at this time. The table decides about the end of current sessions.
    fn may_last(&self, now: Timestamp) -> bool {
        match self {
            Self::Session(_) => true,
            Self::Former(former) => now < former.cookie_ends_at(),
        }
    }
}

/// Returns the cookie name that is part of the signature. The `__Host-` prefix binds a `Secure` cookie to this host,
/// its path and HTTPS.
fn signed_name(policy: &CookiePolicy) -> &'static str {
    if policy.secure { "__Host-holdfast" } else { "holdfast" }
}

/// Returns the cookie's name. The port in it separates two servers on one computer. The port is not signed, so a
/// session continues on another port.
fn cookie_name(policy: &CookiePolicy) -> String {
    with_port(policy, signed_name(policy))
}

pub(super) fn cookie(policy: &CookiePolicy, value: String, max_age: SignedDuration) -> Cookie<'static> {
    cookie_named(cookie_name(policy), policy, value, max_age)
}

/// Returns the session's cookie, signed with this key.
pub(super) fn signed(
    policy: &CookiePolicy,
    key: &CookieKey,
    session: &SessionCookie,
    lasts: SignedDuration,
) -> CookieJar {
    let value = key.sign(signed_name(policy), &session.value());
    CookieJar::new().add(cookie(policy, value, lasts.max(SignedDuration::ZERO)))
}

/// The content of a cookie that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OpenedCookie {
    pub(super) content: CookieContent,
    /// Whether a newer key replaced the one that signed the cookie.
    pub(super) is_outdated: bool,
}

pub(super) fn open(
    policy: &CookiePolicy,
    keys: &KeyRing,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<OpenedCookie> {
    let name = cookie_name(policy);
    // Another application may have set a cookie of this name for the whole domain. Ours is the one that we signed.
    let open_with = |key: &CookieKey| {
        cookies_named(headers, &name).find_map(|value| {
            let content = key.verify(signed_name(policy), value)?;
            let content = CookieContent::parse(content, value).ok()?;
            content.may_last(now).then_some(content)
        })
    };
    // A cookie signed with the current key is never outdated, even if the signing instance's clock is ahead of ours.
    let current = open_with(keys.current()).map(|content| OpenedCookie { content, is_outdated: false });
    let previous = || {
        let content = keys.previous().and_then(open_with)?;
        Some(OpenedCookie { content, is_outdated: keys.has_taken_over(now) })
    };
    current.or_else(previous)
}

pub(super) fn renewal_from(policy: &CookiePolicy, jars: (CookieJar, CookieJar)) -> Renewal {
    let cookies = (jars, ()).into_response().headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    Renewal { name: cookie_name(policy), cookies }
}

/// Returns the cookies of the session and the device, signed with the key that signs now.
pub(super) fn renewed(
    policy: &CookiePolicy,
    keys: &KeyRing,
    session: &SessionCookie,
    lasts: SignedDuration,
    headers: &HeaderMap,
    now: Timestamp,
) -> (CookieJar, CookieJar) {
    let jar = CookieJar::new();
    let device = match Device::open(policy, keys, headers, now) {
        Some(device) => jar.add(device.cookie(policy, keys, now)),
        None => jar,
    };
    (signed(policy, keys.signing(now), session, lasts), device)
}

#[cfg(test)]
mod tests;
