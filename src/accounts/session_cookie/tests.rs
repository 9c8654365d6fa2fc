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

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

fn some_session() -> SessionCookie {
    SessionCookie { account: AccountId::new(NOW, &[1; 10]), secret: Secret::new([7; 32]) }
}

fn session(
    policy: &CookiePolicy,
    keys: &KeyRing,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<SessionCookie> {
    match open(policy, keys, headers, now)?.content {
        CookieContent::Session(session) => Some(session),
        CookieContent::Former(_) => None,
    }
}

fn text_of(jar: CookieJar) -> String {
    jar.into_response().headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
}

/// Returns the `Set-Cookie` value of this session, signed with the first key.
fn set_cookie(policy: &CookiePolicy, session: &SessionCookie) -> String {
    text_of(signed(policy, &key(1), session, WEEK))
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

/// Returns the headers with a cookie of version 0.1.
fn of_version_01(policy: &CookiePolicy, account: AccountId) -> HeaderMap {
    let value = format!("{account}.3.{}", NOW.as_second());
    let signed = key(1).sign(signed_name(policy), &value);
    sent_back(&text_of(CookieJar::new().add(cookie(policy, signed, WEEK))))
}

#[test]
fn a_session_of_version_01_ends_after_seven_days_and_has_one_successor() {
    let policy = policy(true);
    let account = some_session().account;
    let headers = of_version_01(&policy, account);
    let former = |now| match open(&policy, &ring(1), &headers, now)?.content {
        CookieContent::Former(former) => Some(former),
        CookieContent::Session(_) => None,
    };
    let second = SignedDuration::from_secs(1);
    let opened = former(NOW).unwrap();
    assert_eq!((opened.account, opened.epoch, opened.began), (account, 3, NOW));
    assert_eq!(former(NOW + WEEK - second), Some(opened.clone()));
    assert_eq!(former(NOW + WEEK), None);
    let other = of_version_01(&policy, AccountId::new(NOW, &[2; 10]));
    let CookieContent::Former(other) = open(&policy, &ring(1), &other, NOW).unwrap().content else {
        panic!("it is a former session")
    };
    assert_ne!(opened.successor, other.successor);
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
    let by = |signing: u8| signed(&policy, &key(signing), &some_session(), WEEK);
    for (signing, now, is_outdated) in
        [(1, NOW, false), (2, NOW, false), (1, NOW + TAKES_OVER, true), (2, NOW + TAKES_OVER, false)]
    {
        let content = CookieContent::Session(some_session());
        assert_eq!(opened(by(signing), now), Some(OpenedCookie { content, is_outdated }), "{signing} {now}");
    }
    assert_eq!(opened(by(3), NOW), None);
}

#[test]
fn a_renewed_cookie_keeps_the_remaining_time() {
    let left = SignedDuration::from_hours(6 * 24);
    let text = text_of(signed(&policy(false), &key(2), &some_session(), left));
    assert!(text.split("; ").any(|part| part == "Max-Age=518400"), "{text}");
    let opened = session(&policy(false), &ring(2), &sent_back(&text), NOW);
    assert_eq!(opened, Some(some_session()));
}

#[test]
fn an_answer_that_sets_the_session_is_not_renewed() {
    let policy = policy(false);
    let renewal =
        || renewal_from(&policy, (signed(&policy, &key(2), &some_session(), WEEK), CookieJar::new()));
    let cookies =
        |response: axum::response::Response| response.headers().get_all(header::SET_COOKIE).iter().count();
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
        let cookie = cookie(&policy(false), signed, WEEK);
        let text = text_of(CookieJar::new().add(cookie));
        assert_eq!(session(&policy(false), &ring(1), &sent_back(&text), NOW), None, "{value}");
    }
}
