//! Who sends a request: a browser's session in a signed cookie, or a program's token in `Authorization`.
//!
//! What always holds: to know it costs at most one read, and none where a request brings neither or this process knew it
//! [a moment ago](super::auth_cache); whatever cannot be
//! read (another key's cookie, a foreign token) is nobody and never an error; a token decides before a cookie. A session
//! whose cookie was signed with a key that another has followed goes on in a new cookie, with the time that it has left.

use std::str::FromStr;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};

use super::auth_cache::AuthKey;
use super::device::{Device, DeviceId};
use super::domain::{Account, AccountId, Secret, SignedIn};
use super::keys::{CookieKey, KeyRing};
use super::{AccountError, store, tokens};
use crate::app::{App, CookiePolicy};
use crate::values::Invalid;

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

fn cookie(policy: &CookiePolicy, value: String, lasts: SignedDuration) -> Cookie<'static> {
    cookie_named(cookie_name(policy), policy, value, lasts)
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

/// A session in a cookie signed with this key.
fn signed(policy: &CookiePolicy, key: &CookieKey, session: &Session, now: Timestamp) -> CookieJar {
    let value = key.sign(signed_name(policy), &session.value());
    CookieJar::new().add(cookie(policy, value, session.left(now)))
}

/// The cookies that begin a session now, from a device that is known from now on: the session's, then the device's. They
/// are part of the answer.
pub(super) async fn begin(app: &App, account: &Account, device: Option<Device>) -> (CookieJar, CookieJar) {
    let now = app.clock.now();
    let session = Session { account: account.id, epoch: account.epoch, began: now };
    let device = Device::signed_in(device, DeviceId::new(app.entropy.bytes()), account.id, now);
    let keys = app.cookies.keys.at(now).await;
    let device = CookieJar::new().add(device.cookie(&app.cookies, &keys, now));
    (signed(&app.cookies, keys.signing(now), &session, now), device)
}

/// Ends this browser's session, and gives the cookie that says so. It is part of the answer.
pub(super) async fn end(app: &App, headers: &HeaderMap) -> CookieJar {
    let now = app.clock.now();
    if let Some(opened) = open(&app.cookies, &*app.cookies.keys.at(now).await, headers, now) {
        app.auth_cache.invalidate(&AuthKey::Session(opened.session));
    }
    CookieJar::new().add(cookie(&app.cookies, String::new(), SignedDuration::ZERO))
}

/// A session out of its cookie.
#[derive(Debug, PartialEq, Eq)]
struct Opened {
    session: Session,
    /// Whether another key has followed the one that signed it.
    is_outdated: bool,
}

fn open(policy: &CookiePolicy, keys: &KeyRing, headers: &HeaderMap, now: Timestamp) -> Option<Opened> {
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

/// What a request says about who sends it.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    /// Nothing, or nothing that can be read.
    None,
    Token(Secret),
    /// Perhaps a session.
    Cookies,
}

fn credential(headers: &HeaderMap) -> Credential {
    match bearer(headers) {
        Some(token) => token.parse().map_or(Credential::None, Credential::Token),
        None if headers.contains_key(header::COOKIE) => Credential::Cookies,
        None => Credential::None,
    }
}

/// What stands behind `Bearer`, if that is how the request is authorised; nothing where that is no text.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer".len())?;
    let token = str::from_utf8(token).unwrap_or_default();
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && !token.starts_with(|c: char| c != ' ');
    is_bearer.then(|| token.trim())
}

/// Who sends a request.
#[derive(Debug)]
pub struct Sender {
    /// The account.
    pub who: SignedIn,
    /// What the answer tells the browser about its session.
    pub renewal: Renewal,
}

/// The session and the device in cookies of the key that signs now, if the session came in one of the key before.
#[derive(Debug)]
pub struct Renewal(Option<(CookieJar, CookieJar)>);

impl Renewal {
    /// The answer with the cookies, unless it begins or ends a session by itself.
    pub fn with(self, response: Response, policy: &CookiePolicy) -> Response {
        let name = cookie_name(policy);
        let sets = |value: &http::HeaderValue| {
            let text = value.as_bytes();
            text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
        };
        match self.0 {
            Some(jars) if !response.headers().get_all(header::SET_COOKIE).iter().any(sets) => {
                (jars, response).into_response()
            }
            _ => response,
        }
    }
}

/// Who sends a request, by its session cookie or its token. At most one call of the store.
///
/// # Errors
/// [`AccountError::Store`] if the store failed.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Option<Sender>, AccountError> {
    let (who, renewal) = match credential(headers) {
        Credential::None => (None, None),
        Credential::Token(secret) => {
            let key = AuthKey::Token(secret.hash());
            (app.auth_cache.get_or_check(key, app.clock.now(), tokens::find(app, &secret)).await?, None)
        }
        Credential::Cookies => {
            let (policy, now) = (&app.cookies, app.clock.now());
            let keys = policy.keys.at(now).await;
            let Some(opened) = open(policy, &keys, headers, now) else { return Ok(None) };
            let renewal = opened.is_outdated.then(|| renewed(policy, &keys, &opened.session, headers, now));
            let check = store::by_session(app, &opened.session);
            (
                app.auth_cache.get_or_check(AuthKey::Session(opened.session.clone()), now, check).await?,
                renewal,
            )
        }
    };
    Ok(who.map(|who| Sender { who, renewal: Renewal(renewal) }))
}

/// The session and the device in cookies of the key that signs now.
fn renewed(
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

    fn authorized(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
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
        let renewal = || Renewal(Some((signed(&policy, &key(2), &some_session(), NOW), CookieJar::new())));
        let cookies = |response: Response| response.headers().get_all(header::SET_COOKIE).iter().count();
        let with = |name: &'static str| CookieJar::new().add(Cookie::new(name, "x")).into_response();
        assert_eq!(cookies(renewal().with(().into_response(), &policy)), 1);
        assert_eq!(cookies(renewal().with(with("holdfast"), &policy)), 1);
        assert_eq!(cookies(renewal().with(with("holdfast-other"), &policy)), 2);
        assert_eq!(cookies(Renewal(None).with(().into_response(), &policy)), 0);
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

    #[test]
    fn a_token_is_read_behind_bearer_in_any_case() {
        let secret = Secret::new([9; 32]);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let headers = authorized(&format!("{scheme} {}", secret.reveal()));
            assert_eq!(credential(&headers), Credential::Token(secret.clone()));
        }
    }

    #[test]
    fn a_malformed_token_is_nobody_even_beside_a_session() {
        for value in ["Bearer", "Bearer hf_no", "Bearer hf_no hf_no", "bearer é", "bearer \u{ff}"] {
            let mut headers = sent_back(&set_cookie(&policy(false), &some_session()));
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert_eq!(credential(&headers), Credential::None, "{value}");
        }
    }

    #[test]
    fn a_token_decides_before_a_session_and_other_schemes_do_not() {
        let mut headers = sent_back(&set_cookie(&policy(false), &some_session()));
        headers.extend(authorized("Basic YTpi"));
        assert_eq!(credential(&headers), Credential::Cookies);
        let secret = Secret::new([9; 32]);
        headers.extend(authorized(&format!("Bearer {}", secret.reveal())));
        assert_eq!(credential(&headers), Credential::Token(secret));
    }
}
