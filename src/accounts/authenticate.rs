//! Authenticates requests by a browser's session cookie or a program's token in `Authorization`.
//!
//! Invariants: authentication takes at most one read, and none if the request has no credential or the
//! [cache](super::auth_cache) has the sender. An unreadable credential is treated as no credential and is never an
//! error. A token takes precedence over a cookie.

use axum_extra::extract::CookieJar;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, header};
use jiff::SignedDuration;

use super::auth_cache::AuthKey;
use super::device::{Device, DeviceId};
use super::domain::{Account, Secret};
use super::error::AccountError;
use super::service::Accounts;
use super::session::{Session, cookie, open, renewal_from, renewed, signed};
use crate::web::context::{Authenticate, Sender};
use crate::web::problem::Problem;

impl Accounts {
    /// Starts a session and makes its device known. Returns the cookies of the session and of the device, which the
    /// answer must set.
    pub(super) async fn begin_session(
        &self,
        account: &Account,
        device: Option<Device>,
    ) -> (CookieJar, CookieJar) {
        let now = self.clock.now();
        let session = Session { account: account.id, epoch: account.epoch, began: now };
        let device = Device::signed_in(device, DeviceId::new(self.rng.bytes()), account.id, now);
        let keys = self.cookies.keys.at(now).await;
        let device = CookieJar::new().add(device.cookie(&self.cookies, &keys, now));
        (signed(&self.cookies, keys.signing(now), &session, now), device)
    }

    /// Ends this browser's session. Returns the expired cookie, which the answer must set.
    pub(super) async fn end_session(&self, headers: &HeaderMap) -> CookieJar {
        let now = self.clock.now();
        if let Some(opened) = open(&self.cookies, &*self.cookies.keys.at(now).await, headers, now) {
            self.auth_cache.invalidate(&AuthKey::Session(opened.session));
        }
        CookieJar::new().add(cookie(&self.cookies, String::new(), SignedDuration::ZERO))
    }
}

impl Accounts {
    /// Returns the sender of a request, by its session cookie or its token, with at most one call of the store.
    ///
    /// # Errors
    /// [`AccountError::Store`] if the store failed.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Sender>, AccountError> {
        let (who, renewal) = match credential(headers) {
            Credential::None => (None, None),
            Credential::Token(secret) => {
                let key = AuthKey::Token(secret.hash());
                (self.auth_cache.get_or_check(key, self.clock.now(), self.by_token(&secret)).await?, None)
            }
            Credential::Cookies => {
                let (policy, now) = (&self.cookies, self.clock.now());
                let keys = policy.keys.at(now).await;
                let Some(opened) = open(policy, &keys, headers, now) else { return Ok(None) };
                let renewal =
                    opened.is_outdated.then(|| renewed(policy, &keys, &opened.session, headers, now));
                let check = self.by_session(&opened.session);
                (
                    self.auth_cache
                        .get_or_check(AuthKey::Session(opened.session.clone()), now, check)
                        .await?,
                    renewal,
                )
            }
        };
        let renewal = renewal.map(|jars| renewal_from(&self.cookies, jars));
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
