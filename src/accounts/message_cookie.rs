//! The cookie of a [message](crate::web::message) for the next page.
//!
//! Its value is `EXPIRES.TEXT`: the time in seconds since 1970, and the text in Base64. It is signed like a session's
//! cookie, so that no one else can put words into a page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use super::cookies::{CookiePolicy, cookie_named, cookies_named, with_port};
use super::keys::KeyRing;
use super::service::Accounts;
use crate::web::message::MessageCookies;
use crate::web::respond::header_text;

/// How long a message waits for its page. The redirect to the page follows at once, also on a slow connection.
const LIFETIME: SignedDuration = SignedDuration::from_secs(60);

/// The longest value that is read. Browsers store cookies of 4096 bytes.
const MAX_BYTES: usize = 3500;

impl MessageCookies for Accounts {
    fn open<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Option<String>> {
        async {
            // Most requests have no message, and wait for no keys.
            cookies_named(headers, &with_port(&self.cookies, signed_name(&self.cookies))).next()?;
            let now = self.clock.now();
            opened(&self.cookies, &*self.cookies.keys.at(now).await, headers, now)
        }
        .boxed()
    }

    fn seal(&self, text: String) -> BoxFuture<'_, HeaderValue> {
        async move {
            let now = self.clock.now();
            sealed(&self.cookies, &*self.cookies.keys.at(now).await, &text, now)
        }
        .boxed()
    }

    fn remove(&self) -> HeaderValue {
        set(&self.cookies, String::new(), SignedDuration::ZERO)
    }
}

/// Returns the cookie name that is part of the signature. The `__Host-` prefix binds a `Secure` cookie to this host,
/// its path and HTTPS.
fn signed_name(policy: &CookiePolicy) -> &'static str {
    if policy.secure { "__Host-holdfast-message" } else { "holdfast-message" }
}

fn set(policy: &CookiePolicy, value: String, lasts: SignedDuration) -> HeaderValue {
    let name = with_port(policy, signed_name(policy));
    header_text(&cookie_named(name, policy, value, lasts).to_string())
}

fn sealed(policy: &CookiePolicy, keys: &KeyRing, text: &str, now: Timestamp) -> HeaderValue {
    let expires = now.as_second().saturating_add(LIFETIME.as_secs());
    let value = format!("{expires}.{}", URL_SAFE_NO_PAD.encode(text));
    set(policy, keys.signing(now).sign(signed_name(policy), &value), LIFETIME)
}

fn opened(policy: &CookiePolicy, keys: &KeyRing, headers: &HeaderMap, now: Timestamp) -> Option<String> {
    let (name, signed) = (with_port(policy, signed_name(policy)), signed_name(policy));
    let mut values = cookies_named(headers, &name).filter(|value| value.len() <= MAX_BYTES);
    let verified = values.find_map(|value| {
        let keys = [Some(keys.current()), keys.previous()];
        keys.into_iter().flatten().find_map(|key| key.verify(signed, value))
    });
    let (expires, text) = verified?.split_once('.')?;
    let is_current = expires.parse::<i64>().is_ok_and(|expires| now.as_second() < expires);
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok().filter(|_| is_current)?).ok()
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::accounts::keys::{CookieKey, CookieKeys};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn ring(current: u8, previous: Option<u8>) -> KeyRing {
        let key = |byte| CookieKey::new([byte; 64]);
        KeyRing::of(key(current), previous.map(key))
    }

    fn policy(secure: bool) -> CookiePolicy {
        CookiePolicy { keys: CookieKeys::fixed(ring(1, None)), secure, port: (!secure).then_some(8080) }
    }

    fn sent_back(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())])
    }

    #[test]
    fn a_message_is_read_for_a_minute_by_this_server_only() {
        for secure in [false, true] {
            let policy = policy(secure);
            let cookie = sealed(&policy, &ring(1, None), "Sávéd; \"x\"", NOW).to_str().unwrap().to_owned();
            let name = if secure { "__Host-holdfast-message=" } else { "holdfast-message-8080=" };
            assert!(cookie.starts_with(name), "{cookie}");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            assert_eq!(cookie.contains("Secure"), secure, "{cookie}");
            let headers = sent_back(&cookie);
            let open = |ring: KeyRing, now| opened(&policy, &ring, &headers, now);
            let last = NOW + LIFETIME - SignedDuration::from_secs(1);
            assert_eq!(open(ring(1, None), NOW).as_deref(), Some("Sávéd; \"x\""));
            assert_eq!(open(ring(2, Some(1)), last).as_deref(), Some("Sávéd; \"x\""));
            assert_eq!(open(ring(1, None), NOW + LIFETIME), None);
            assert_eq!(open(ring(2, None), NOW), None);
        }
    }

    #[test]
    fn values_of_other_senders_are_ignored() {
        let policy = policy(false);
        let text = URL_SAFE_NO_PAD.encode("Call 555-0100");
        let key = CookieKey::new([1; 64]);
        for value in [
            String::new(),
            format!("9999999999.{text}"),
            format!("9999999999.{text}."),
            CookieKey::new([9; 64]).sign("holdfast-message", &format!("9999999999.{text}")),
            key.sign("holdfast", &format!("9999999999.{text}")),
            key.sign("holdfast-message", &format!("x.{text}")),
            key.sign("holdfast-message", "9999999999.%"),
            key.sign("holdfast-message", &format!("9999999999.{}", "A".repeat(MAX_BYTES))),
        ] {
            let headers = sent_back(&format!("holdfast-message-8080={value}"));
            assert_eq!(opened(&policy, &ring(1, None), &headers, NOW), None, "{value}");
        }
        let ours = key.sign("holdfast-message", &format!("9999999999.{text}"));
        let headers = sent_back(&format!("holdfast-message-8080={ours}"));
        assert_eq!(opened(&policy, &ring(1, None), &headers, NOW).as_deref(), Some("Call 555-0100"));
    }
}
