//! Who sends a request: a browser's session in an encrypted cookie, or a program's token in `Authorization`.
//!
//! What always holds: to know it costs at most one read, and none where a request brings neither; whatever cannot be
//! read (another key's cookie, a foreign token) is nobody and never an error; a token decides before a cookie.

use std::str::FromStr;
use std::time::Duration;

use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};

use super::domain::{Account, AccountId, Secret, SignedIn};
use super::{AccountError, store, tokens};
use crate::app::{App, CookiePolicy};
use crate::values::Invalid;

/// How long a session lasts, whatever is done in it.
pub const LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A session, as its cookie holds it: `<account>.<epoch>.<second of its beginning>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) account: AccountId,
    pub(super) epoch: u64,
    pub(super) began: Timestamp,
}

impl Session {
    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.began) >= LASTS
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

/// Where the cookie is `Secure`, its name binds it to this host, its path and https.
fn cookie_name(policy: &CookiePolicy) -> &'static str {
    if policy.secure { "__Host-holdfast" } else { "holdfast" }
}

fn cookie(policy: &CookiePolicy, value: String, lasts: SignedDuration) -> PrivateCookieJar {
    let lasts = Duration::try_from(lasts).unwrap_or_default();
    let cookie = Cookie::build((cookie_name(policy), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(policy.secure)
        .max_age(lasts.try_into().unwrap_or_default());
    PrivateCookieJar::new(policy.key.clone()).add(cookie)
}

/// The cookie that begins a session now. It is part of the answer.
pub(super) fn begin(app: &App, account: &Account) -> PrivateCookieJar {
    let session = Session { account: account.id, epoch: account.epoch, began: app.clock.now() };
    cookie(&app.cookies, session.value(), LASTS)
}

/// The cookie that ends this browser's session. It is part of the answer.
pub(super) fn end(app: &App) -> PrivateCookieJar {
    cookie(&app.cookies, String::new(), SignedDuration::ZERO)
}

fn session(policy: &CookiePolicy, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
    let jar = PrivateCookieJar::from_headers(headers, policy.key.clone());
    let session: Session = jar.get(cookie_name(policy))?.value().parse().ok()?;
    (!session.is_over(now)).then_some(session)
}

/// What a request says about who sends it.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    /// Nothing, or nothing that can be read.
    None,
    Token(Secret),
    Session(Session),
}

fn credential(policy: &CookiePolicy, headers: &HeaderMap, now: Timestamp) -> Credential {
    match bearer(headers) {
        Some(token) => token.parse().map_or(Credential::None, Credential::Token),
        None => session(policy, headers, now).map_or(Credential::None, Credential::Session),
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

/// Who sends a request, by its session cookie or its token. At most one call.
///
/// # Errors
/// [`AccountError::Store`] if the store failed.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Option<SignedIn>, AccountError> {
    match credential(&app.cookies, headers, app.clock.now()) {
        Credential::None => Ok(None),
        Credential::Token(secret) => tokens::find(app, &secret).await,
        Credential::Session(session) => store::by_session(app, &session).await,
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use axum_extra::extract::cookie::Key;
    use http::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn policy(key: u8, secure: bool) -> CookiePolicy {
        CookiePolicy { key: Key::from(&[key; 64]), secure }
    }

    fn some_session() -> Session {
        Session { account: AccountId::new(NOW, &[1; 10]), epoch: 3, began: NOW }
    }

    /// What the answer with this session's cookie sets.
    fn set_cookie(policy: &CookiePolicy, session: &Session) -> String {
        let response = cookie(policy, session.value(), LASTS).into_response();
        response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
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
            let policy = policy(1, secure);
            let headers = sent_back(&set_cookie(&policy, &some_session()));
            assert_eq!(session(&policy, &headers, NOW), Some(some_session()));
        }
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_says_nothing() {
        let text = set_cookie(&policy(1, false), &some_session());
        assert!(text.starts_with("holdfast=") && !text.contains("Secure"), "{text}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"] {
            assert!(text.split("; ").any(|part| part == attribute), "{attribute} in {text}");
        }
        assert!(!text.contains(&some_session().account.to_string()), "{text}");
        let text = set_cookie(&policy(1, true), &some_session());
        assert!(text.starts_with("__Host-holdfast=") && text.contains("; Secure"), "{text}");
    }

    #[test]
    fn a_session_is_over_after_seven_days_whatever_the_browser_keeps() {
        let policy = policy(1, true);
        let headers = sent_back(&set_cookie(&policy, &some_session()));
        let second = SignedDuration::from_secs(1);
        assert!(session(&policy, &headers, NOW + LASTS - second).is_some());
        assert_eq!(session(&policy, &headers, NOW + LASTS), None);
    }

    #[test]
    fn a_cookie_of_another_key_or_with_a_changed_letter_is_nobody() {
        let text = set_cookie(&policy(1, false), &some_session());
        assert_eq!(session(&policy(2, false), &sent_back(&text), NOW), None);
        let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
        for (at, letter) in value.char_indices().filter(|(_, letter)| letter.is_ascii_alphanumeric()) {
            let other = if letter == 'A' { "B" } else { "A" };
            let changed = format!("{name}={}{other}{}", &value[..at], &value[at + 1..]);
            assert_eq!(session(&policy(1, false), &sent_back(&changed), NOW), None, "{changed}");
        }
    }

    #[test]
    fn a_cookie_under_another_name_is_nobody() {
        let text = set_cookie(&policy(1, false), &some_session());
        let renamed = text.replacen("holdfast=", "__Host-holdfast=", 1);
        assert_eq!(session(&policy(1, true), &sent_back(&renamed), NOW), None);
    }

    #[test]
    fn what_is_sealed_with_our_key_and_is_no_session_is_nobody() {
        let right = some_session().value();
        for value in ["", "a.b.c", &format!("{right}.1"), &right.replace('.', ","), &right[..30]] {
            let response = cookie(&policy(1, false), value.to_owned(), LASTS).into_response();
            let text = response.headers()[header::SET_COOKIE].to_str().unwrap();
            assert_eq!(session(&policy(1, false), &sent_back(text), NOW), None, "{value}");
        }
    }

    #[test]
    fn a_token_is_read_behind_bearer_in_any_case() {
        let secret = Secret::new([9; 32]);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let headers = authorized(&format!("{scheme} {}", secret.reveal()));
            assert_eq!(credential(&policy(1, false), &headers, NOW), Credential::Token(secret.clone()));
        }
    }

    #[test]
    fn a_malformed_token_is_nobody_even_beside_a_session() {
        for value in ["Bearer", "Bearer hf_no", "Bearer hf_no hf_no", "bearer é", "bearer \u{ff}"] {
            let mut headers = sent_back(&set_cookie(&policy(1, false), &some_session()));
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert_eq!(credential(&policy(1, false), &headers, NOW), Credential::None, "{value}");
        }
    }

    #[test]
    fn a_token_decides_before_a_session_and_other_schemes_do_not() {
        let mut headers = sent_back(&set_cookie(&policy(1, false), &some_session()));
        headers.extend(authorized("Basic YTpi"));
        assert_eq!(credential(&policy(1, false), &headers, NOW), Credential::Session(some_session()));
        let secret = Secret::new([9; 32]);
        headers.extend(authorized(&format!("Bearer {}", secret.reveal())));
        assert_eq!(credential(&policy(1, false), &headers, NOW), Credential::Token(secret));
    }
}
