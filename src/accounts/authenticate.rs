//! Authenticates requests by a browser's session cookie or a program's token in `Authorization`.
//!
//! Invariants: authentication takes no call if the request has no credential or the [cache](super::auth_cache) has the
//! sender; otherwise one read for a session and two for a token. An unreadable credential is treated as no credential
//! and is never an error. A token takes precedence over a cookie.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, header};
use jiff::Timestamp;

use super::auth_cache::AuthKey;
use super::domain::Secret;
use super::error::AccountError;
use super::keys::KeyRing;
use super::requester::Requester;
use super::service::Accounts;
use super::session_cookie::{CookieContent, OpenedCookie, open, renewal_from, renewed};
use super::sessions::SessionId;
use crate::web::context::{Authenticate, Sender};
use crate::web::problem::Problem;

impl Accounts {
    /// Returns the sender of a request, by its session cookie or its token.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Sender>, AccountError> {
        match credential(headers) {
            Credential::None => Ok(None),
            Credential::Token(secret) => {
                let key = AuthKey::Token(secret.hash());
                let who = self.auth_cache.get_or_check(key, self.clock.now(), self.by_token(&secret)).await?;
                Ok(who.map(|who| Sender { who, renewal: None }))
            }
            Credential::Cookies => {
                let now = self.clock.now();
                let keys = self.cookies.keys.at(now).await;
                match open(&self.cookies, &keys, headers, now) {
                    Some(opened) => self.by_cookie(opened, &keys, headers, now).await,
                    None => Ok(None),
                }
            }
        }
    }

    /// Returns the sender with this session cookie. A cookie of a former key or version is replaced.
    async fn by_cookie(
        &self,
        opened: OpenedCookie,
        keys: &KeyRing,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Sender>, AccountError> {
        let OpenedCookie { content, is_outdated } = opened;
        let (session, former) = match content {
            CookieContent::Session(session) => (session, None),
            CookieContent::Former(former) => (former.successor(), Some(former)),
        };
        let key = AuthKey::Session(session.account, SessionId::of(&session.secret));
        let check = async {
            match &former {
                None => self.by_session(&session).await,
                Some(former) => self.exchange(former, &Requester::of(self, headers, None).await).await,
            }
        };
        let who = self.auth_cache.get_or_check(key, now, check).await?;
        let limits = self.session_limits;
        let lasts =
            former.as_ref().map_or(limits.absolute, |former| former.ends_at(limits).duration_since(now));
        let renewal = (is_outdated || former.is_some()).then(|| {
            let jars = renewed(&self.cookies, keys, &session, lasts, headers, now);
            renewal_from(&self.cookies, jars)
        });
        Ok(who.map(|who| Sender { who, renewal }))
    }
}

/// The credential of a request.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    /// No credential, or an unreadable one.
    None,
    Token(Secret),
    /// Cookies, which may include a session.
    Cookies,
}

fn credential(headers: &HeaderMap) -> Credential {
    match bearer(headers) {
        Some(token) => token.parse().map_or(Credential::None, Credential::Token),
        None if headers.contains_key(header::COOKIE) => Credential::Cookies,
        None => Credential::None,
    }
}

/// Returns the text after `Bearer` if the request uses that scheme, and empty text if it is not valid UTF-8.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer".len())?;
    let token = str::from_utf8(token).unwrap_or_default();
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && !token.starts_with(|c: char| c != ' ');
    is_bearer.then(|| token.trim())
}

impl Authenticate for Accounts {
    fn authenticate<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, Result<Option<Sender>, Problem>> {
        async { Ok(self.authenticate(headers).await?) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn authorized(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    fn with_cookie() -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("holdfast=a"))])
    }

    #[test]
    fn the_bearer_scheme_is_case_insensitive() {
        let secret = Secret::new([9; 32]);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let headers = authorized(&format!("{scheme} {}", secret.reveal()));
            assert_eq!(credential(&headers), Credential::Token(secret.clone()));
        }
    }

    #[test]
    fn a_malformed_token_overrides_a_session() {
        for value in ["Bearer", "Bearer hf_no", "Bearer hf_no hf_no", "bearer é", "bearer \u{ff}"] {
            let mut headers = with_cookie();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert_eq!(credential(&headers), Credential::None, "{value}");
        }
    }

    #[test]
    fn only_a_bearer_token_overrides_a_session() {
        let mut headers = with_cookie();
        headers.extend(authorized("Basic YTpi"));
        assert_eq!(credential(&headers), Credential::Cookies);
        let secret = Secret::new([9; 32]);
        headers.extend(authorized(&format!("Bearer {}", secret.reveal())));
        assert_eq!(credential(&headers), Credential::Token(secret));
    }
}
