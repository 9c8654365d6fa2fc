//! A browser's session in a signed cookie.
//!
//! An unreadable cookie, for example one signed with an unknown key, is ignored and never an error. A session in a
//! cookie signed with the previous key continues in a new cookie for its remaining time.

use std::str::FromStr;

use axum::response::IntoResponse as _;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};

use super::cookies::{CookiePolicy, cookie_named, cookies_named, with_port};
use super::device::Device;
use super::keys::{CookieKey, KeyRing};
use crate::base::identity::AccountId;
use crate::base::values::Invalid;
use crate::web::context::Renewal;

/// How long a session lasts, regardless of activity.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A session. Its cookie contains `<account>.<epoch>.<start in seconds>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) account: AccountId,
    pub(super) epoch: u64,
    pub(super) began: Timestamp,
}

impl Session {
    /// Returns the remaining time, or zero if the session is over.
    fn remaining(&self, now: Timestamp) -> SignedDuration {
        (LIFETIME - now.duration_since(self.began)).max(SignedDuration::ZERO)
    }

    fn value(&self) -> String {
        format!("{}.{}.{}", self.account, self.epoch, self.began.as_second())
    }
}

impl FromStr for Session {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let read = || {
            let mut parts = text.split('.');
            let account = parts.next()?.parse().ok()?;
            let epoch = parts.next()?.parse().ok()?;
            let began = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
            parts.next().is_none().then_some(Self { account, epoch, began })
        };
        read().ok_or_else(|| Invalid::new("This is not a session."))
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
pub(super) fn signed(policy: &CookiePolicy, key: &CookieKey, session: &Session, now: Timestamp) -> CookieJar {
    let value = key.sign(signed_name(policy), &session.value());
    CookieJar::new().add(cookie(policy, value, session.remaining(now)))
}

/// A session that was read from its cookie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OpenedSession {
    pub(super) session: Session,
    /// Whether a newer key replaced the one that signed the cookie.
    pub(super) is_outdated: bool,
}

pub(super) fn open(
    policy: &CookiePolicy,
    keys: &KeyRing,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<OpenedSession> {
    let name = cookie_name(policy);
    // Another application may have set a cookie of this name for the whole domain. Ours is the one that we signed.
    let open_with = |key: &CookieKey| {
        cookies_named(headers, &name).find_map(|value| {
            let session: Session = key.verify(signed_name(policy), value)?.parse().ok()?;
            (!session.remaining(now).is_zero()).then_some(session)
        })
    };
    // A cookie signed with the current key is never outdated, even if the signing instance's clock is ahead of ours.
    let current = open_with(keys.current()).map(|session| OpenedSession { session, is_outdated: false });
    let previous = || {
        let session = keys.previous().and_then(open_with)?;
        Some(OpenedSession { session, is_outdated: keys.has_taken_over(now) })
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
    session: &Session,
    headers: &HeaderMap,
    now: Timestamp,
) -> (CookieJar, CookieJar) {
    let jar = CookieJar::new();
    let device = match Device::open(policy, keys, headers, now) {
        Some(device) => jar.add(device.cookie(policy, keys, now)),
        None => jar,
    };
    (signed(policy, keys.signing(now), session, now), device)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::accounts::keys::{CookieKeys, TAKES_OVER};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn key(byte: u8) -> CookieKey {
        CookieKey::new([byte; 64])
    }

    fn ring(byte: u8) -> KeyRing {
        KeyRing::of(key(byte), None)
    }

    fn policy(secure: bool) -> CookiePolicy {
        CookiePolicy { keys: CookieKeys::fixed(ring(1)), secure, port: None }
    }

    fn some_session() -> Session {
        Session { account: AccountId::new(NOW, &[1; 10]), epoch: 3, began: NOW }
    }

    fn session(
        policy: &CookiePolicy,
        keys: &KeyRing,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Session> {
        open(policy, keys, headers, now).map(|opened| opened.session)
    }

    fn text_of(jar: CookieJar) -> String {
        jar.into_response().headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
    }

    /// Returns the `Set-Cookie` value of this session, signed with the first key.
    fn set_cookie(policy: &CookiePolicy, session: &Session) -> String {
        text_of(signed(policy, &key(1), session, NOW))
    }

    /// Returns the headers in which a browser sends the cookie back.
    fn sent_back(set_cookie: &str) -> HeaderMap {
        let pair = set_cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())])
    }

    #[test]
    fn a_session_is_read_from_its_cookie() {
        for secure in [false, true] {
            let policy = policy(secure);
            let headers = sent_back(&set_cookie(&policy, &some_session()));
            assert_eq!(session(&policy, &ring(1), &headers, NOW), Some(some_session()));
        }
    }

    #[test]
    fn scripts_and_other_sites_cannot_use_the_cookie() {
        let text = set_cookie(&policy(false), &some_session());
        assert!(text.starts_with("holdfast=") && !text.contains("Secure"), "{text}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"] {
            assert!(text.split("; ").any(|part| part == attribute), "{attribute} in {text}");
        }
        let text = set_cookie(&policy(true), &some_session());
        assert!(text.starts_with("__Host-holdfast=") && text.contains("; Secure"), "{text}");
    }

    #[test]
    fn cookies_of_other_applications_are_ignored() {
        let text = set_cookie(&policy(false), &some_session());
        let ours = text.split(';').next().unwrap().as_bytes();
        let found = |lines: &[&[u8]]| {
            let values = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap());
            let mut headers = HeaderMap::new();
            values.for_each(|value| _ = headers.append(header::COOKIE, value));
            session(&policy(false), &ring(1), &headers, NOW) == Some(some_session())
        };
        let beside = |before: &str, after: &str| [before.as_bytes(), ours, after.as_bytes()].concat();
        for (before, after) in [
            ("display_name=José; ", ""),
            ("", "; city=Zürich"),
            ("holdfast=of-another; ", ""),
            ("holdfast-other=x; =y; z; ", ";"),
            ("a=\"; \";", " ; b"),
        ] {
            assert!(found(&[&beside(before, after)]), "{before} {after}");
        }
        assert!(found(&[b"a=\xff\xfe", ours]), "invalid UTF-8 in a separate header");
        assert!(!found(&[b"a=\xff; xholdfast=1"]));
    }

    #[test]
    fn two_servers_on_one_computer_have_separate_cookies() {
        let at = |port| CookiePolicy { port: Some(port), ..policy(false) };
        let (one, other) = (set_cookie(&at(3000), &some_session()), set_cookie(&at(3001), &some_session()));
        assert!(one.starts_with("holdfast-3000=") && other.starts_with("holdfast-3001="), "{one} {other}");
        let headers = sent_back(&one);
        assert_eq!(session(&at(3000), &ring(1), &headers, NOW), Some(some_session()));
        assert_eq!(session(&at(3001), &ring(1), &headers, NOW), None);
        // The value does not contain the port, so a session continues when the server restarts on another port.
        let moved = one.replacen("3000", "3001", 1);
        assert_eq!(session(&at(3001), &ring(1), &sent_back(&moved), NOW), Some(some_session()));
    }

    #[test]
    fn a_session_ends_after_seven_days() {
        let policy = policy(true);
        let headers = sent_back(&set_cookie(&policy, &some_session()));
        let second = SignedDuration::from_secs(1);
        assert!(session(&policy, &ring(1), &headers, NOW + LIFETIME - second).is_some());
        assert_eq!(session(&policy, &ring(1), &headers, NOW + LIFETIME), None);
    }

    #[test]
    fn a_cookie_with_a_wrong_signature_is_ignored() {
        let text = set_cookie(&policy(false), &some_session());
        assert_eq!(session(&policy(false), &ring(2), &sent_back(&text), NOW), None);
        let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
        for (at, letter) in value.char_indices().filter(|(_, letter)| letter.is_ascii_alphanumeric()) {
            let other = if letter == 'A' { "B" } else { "A" };
            let changed = format!("{name}={}{other}{}", &value[..at], &value[at + 1..]);
            assert_eq!(session(&policy(false), &ring(1), &sent_back(&changed), NOW), None, "{changed}");
        }
    }

    #[test]
    fn a_cookie_of_the_previous_key_is_outdated_once_the_new_key_signs() {
        let policy = policy(false);
        let keys = KeyRing::rotated(key(2), NOW, Some(key(1)));
        let opened = |jar: CookieJar, now| open(&policy, &keys, &sent_back(&text_of(jar)), now);
        let by = |signing: u8| signed(&policy, &key(signing), &some_session(), NOW);
        for (signing, now, is_outdated) in
            [(1, NOW, false), (2, NOW, false), (1, NOW + TAKES_OVER, true), (2, NOW + TAKES_OVER, false)]
        {
            let session = some_session();
            assert_eq!(
                opened(by(signing), now),
                Some(OpenedSession { session, is_outdated }),
                "{signing} {now}"
            );
        }
        assert_eq!(opened(by(3), NOW), None);
    }

    #[test]
    fn a_renewed_cookie_keeps_the_remaining_time() {
        let day = SignedDuration::from_hours(24);
        let text = text_of(signed(&policy(false), &key(2), &some_session(), NOW + day));
        assert!(text.split("; ").any(|part| part == "Max-Age=518400"), "{text}");
        let opened = session(&policy(false), &ring(2), &sent_back(&text), NOW + day);
        assert_eq!(opened, Some(some_session()));
    }

    #[test]
    fn an_answer_that_sets_the_session_is_not_renewed() {
        let policy = policy(false);
        let renewal =
            || renewal_from(&policy, (signed(&policy, &key(2), &some_session(), NOW), CookieJar::new()));
        let cookies = |response: axum::response::Response| {
            response.headers().get_all(header::SET_COOKIE).iter().count()
        };
        let with = |name: &'static str| CookieJar::new().add(Cookie::new(name, "x")).into_response();
        assert_eq!(cookies(renewal().with(().into_response())), 1);
        assert_eq!(cookies(renewal().with(with("holdfast"))), 1);
        assert_eq!(cookies(renewal().with(with("holdfast-other"))), 2);
    }

    #[test]
    fn a_cookie_under_another_name_is_ignored() {
        let text = set_cookie(&policy(false), &some_session());
        let renamed = text.replacen("holdfast=", "__Host-holdfast=", 1);
        assert_eq!(session(&policy(true), &ring(1), &sent_back(&renamed), NOW), None);
    }

    #[test]
    fn a_signed_value_that_is_not_a_session_is_ignored() {
        let right = some_session().value();
        for value in ["", "a.b.c", &format!("{right}.1"), &right.replace('.', ","), &right[..30]] {
            let signed = key(1).sign(signed_name(&policy(false)), value);
            let cookie = cookie(&policy(false), signed, LIFETIME);
            let text = text_of(CookieJar::new().add(cookie));
            assert_eq!(session(&policy(false), &ring(1), &sent_back(&text), NOW), None, "{value}");
        }
    }
}
