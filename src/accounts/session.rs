//! A browser's session in a signed cookie.
//!
//! A cookie that cannot be read, such as another key's, is no session and never an error. A session in a cookie of the
//! previous key continues in a new cookie, with the time that it has left.

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

/// How long a session lasts, whatever is done in it.
pub const LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A session, as its cookie holds it: `<account>.<epoch>.<second of its beginning>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) account: AccountId,
    pub(super) epoch: u64,
    pub(super) began: Timestamp,
}

impl Session {
    /// How long it goes on: nothing once it is over.
    fn left(&self, now: Timestamp) -> SignedDuration {
        (LASTS - now.duration_since(self.began)).max(SignedDuration::ZERO)
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

/// What the value is signed for. Where the cookie is `Secure`, its name binds it to this host, its path and https.
fn signed_name(policy: &CookiePolicy) -> &'static str {
    if policy.secure { "__Host-holdfast" } else { "holdfast" }
}

/// The cookie's name. The port in it keeps two servers on one computer apart, and is not signed, so that a session goes
/// on at another port.
fn cookie_name(policy: &CookiePolicy) -> String {
    with_port(policy, signed_name(policy))
}

pub(super) fn cookie(policy: &CookiePolicy, value: String, lasts: SignedDuration) -> Cookie<'static> {
    cookie_named(cookie_name(policy), policy, value, lasts)
}

/// A session in a cookie signed with this key.
pub(super) fn signed(policy: &CookiePolicy, key: &CookieKey, session: &Session, now: Timestamp) -> CookieJar {
    let value = key.sign(signed_name(policy), &session.value());
    CookieJar::new().add(cookie(policy, value, session.left(now)))
}

/// A session out of its cookie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) session: Session,
    /// Whether another key has followed the one that signed it.
    pub(super) is_outdated: bool,
}

pub(super) fn open(
    policy: &CookiePolicy,
    keys: &KeyRing,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Opened> {
    let name = cookie_name(policy);
    // Another application may have set one of this name for a whole domain; ours is the one that we signed.
    let open_with = |key: &CookieKey| {
        cookies_named(headers, &name).find_map(|value| {
            let session: Session = key.verify(signed_name(policy), value)?.parse().ok()?;
            (!session.left(now).is_zero()).then_some(session)
        })
    };
    let current = open_with(keys.current()).map(|session| Opened { session, is_outdated: false });
    // Signed by an instance whose clock is a little ahead, a cookie of the newer key stays as it is.
    let previous = || {
        let session = keys.previous().and_then(open_with)?;
        Some(Opened { session, is_outdated: keys.has_taken_over(now) })
    };
    current.or_else(previous)
}

pub(super) fn renewal_of(policy: &CookiePolicy, jars: (CookieJar, CookieJar)) -> Renewal {
    let cookies = (jars, ()).into_response().headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    Renewal { name: cookie_name(policy), cookies }
}

/// The session and the device in cookies of the key that signs now.
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

    /// What the answer with this session's cookie sets, signed with the first key.
    fn set_cookie(policy: &CookiePolicy, session: &Session) -> String {
        text_of(signed(policy, &key(1), session, NOW))
    }

    /// The headers with which a browser sends the cookie back.
    fn sent_back(set_cookie: &str) -> HeaderMap {
        let pair = set_cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())])
    }

    #[test]
    fn a_session_comes_back_from_its_cookie() {
        for secure in [false, true] {
            let policy = policy(secure);
            let headers = sent_back(&set_cookie(&policy, &some_session()));
            assert_eq!(session(&policy, &ring(1), &headers, NOW), Some(some_session()));
        }
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let text = set_cookie(&policy(false), &some_session());
        assert!(text.starts_with("holdfast=") && !text.contains("Secure"), "{text}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"] {
            assert!(text.split("; ").any(|part| part == attribute), "{attribute} in {text}");
        }
        let text = set_cookie(&policy(true), &some_session());
        assert!(text.starts_with("__Host-holdfast=") && text.contains("; Secure"), "{text}");
    }

    #[test]
    fn a_session_is_found_beside_cookies_of_other_applications_whatever_is_in_them() {
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
        assert!(found(&[b"a=\xff\xfe", ours]), "bytes that are no text, in a line of their own");
        assert!(!found(&[b"a=\xff; xholdfast=1"]));
    }

    #[test]
    fn two_servers_on_one_computer_have_cookies_of_their_own() {
        let at = |port| CookiePolicy { port: Some(port), ..policy(false) };
        let (one, other) = (set_cookie(&at(3000), &some_session()), set_cookie(&at(3001), &some_session()));
        assert!(one.starts_with("holdfast-3000=") && other.starts_with("holdfast-3001="), "{one} {other}");
        let headers = sent_back(&one);
        assert_eq!(session(&at(3000), &ring(1), &headers, NOW), Some(some_session()));
        assert_eq!(session(&at(3001), &ring(1), &headers, NOW), None);
        // The value is the same at any port: a session goes on where the server is started at another one.
        let moved = one.replacen("3000", "3001", 1);
        assert_eq!(session(&at(3001), &ring(1), &sent_back(&moved), NOW), Some(some_session()));
    }

    #[test]
    fn a_session_is_over_after_seven_days_whatever_the_browser_keeps() {
        let policy = policy(true);
        let headers = sent_back(&set_cookie(&policy, &some_session()));
        let second = SignedDuration::from_secs(1);
        assert!(session(&policy, &ring(1), &headers, NOW + LASTS - second).is_some());
        assert_eq!(session(&policy, &ring(1), &headers, NOW + LASTS), None);
    }

    #[test]
    fn a_cookie_of_another_key_or_with_a_changed_letter_is_nobody() {
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
    fn a_cookie_of_the_key_before_is_outdated_once_the_new_key_signs() {
        let policy = policy(false);
        let keys = KeyRing::rotated(key(2), NOW, Some(key(1)));
        let opened = |jar: CookieJar, now| open(&policy, &keys, &sent_back(&text_of(jar)), now);
        let by = |signing: u8| signed(&policy, &key(signing), &some_session(), NOW);
        for (signing, now, is_outdated) in
            [(1, NOW, false), (2, NOW, false), (1, NOW + TAKES_OVER, true), (2, NOW + TAKES_OVER, false)]
        {
            let session = some_session();
            assert_eq!(opened(by(signing), now), Some(Opened { session, is_outdated }), "{signing} {now}");
        }
        assert_eq!(opened(by(3), NOW), None);
    }

    #[test]
    fn a_cookie_signed_anew_lasts_as_long_as_is_left() {
        let day = SignedDuration::from_hours(24);
        let text = text_of(signed(&policy(false), &key(2), &some_session(), NOW + day));
        assert!(text.split("; ").any(|part| part == "Max-Age=518400"), "{text}");
        let opened = session(&policy(false), &ring(2), &sent_back(&text), NOW + day);
        assert_eq!(opened, Some(some_session()));
    }

    #[test]
    fn an_answer_that_sets_the_session_itself_is_left_alone() {
        let policy = policy(false);
        let renewal =
            || renewal_of(&policy, (signed(&policy, &key(2), &some_session(), NOW), CookieJar::new()));
        let cookies = |response: axum::response::Response| {
            response.headers().get_all(header::SET_COOKIE).iter().count()
        };
        let with = |name: &'static str| CookieJar::new().add(Cookie::new(name, "x")).into_response();
        assert_eq!(cookies(renewal().with(().into_response())), 1);
        assert_eq!(cookies(renewal().with(with("holdfast"))), 1);
        assert_eq!(cookies(renewal().with(with("holdfast-other"))), 2);
    }

    #[test]
    fn a_cookie_under_another_name_is_nobody() {
        let text = set_cookie(&policy(false), &some_session());
        let renamed = text.replacen("holdfast=", "__Host-holdfast=", 1);
        assert_eq!(session(&policy(true), &ring(1), &sent_back(&renamed), NOW), None);
    }

    #[test]
    fn what_is_signed_with_our_key_and_is_no_session_is_nobody() {
        let right = some_session().value();
        for value in ["", "a.b.c", &format!("{right}.1"), &right.replace('.', ","), &right[..30]] {
            let signed = key(1).sign(signed_name(&policy(false)), value);
            let cookie = cookie(&policy(false), signed, LASTS);
            let text = text_of(CookieJar::new().add(cookie));
            assert_eq!(session(&policy(false), &ring(1), &sent_back(&text), NOW), None, "{value}");
        }
    }
}
