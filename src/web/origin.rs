//! Accepts only requests that came through the proxy in front, which adds a secret header.
//!
//! An HTTP API of API Gateway has its own address that bypasses CloudFront and its firewall. With an origin key,
//! CloudFront adds the key to each request, and a request without it is rejected (403). The current and the previous
//! key are accepted, so a key can be rotated without rejected requests. Without an origin key nothing is checked.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::error::WebError;
use super::routes::SenderDecided;
use crate::base::secrets::{SecretError, SecretName, SecretStore, Versions, Watched};
use crate::base::values::Invalid;
use crate::web::problem::Problem;

/// The header that carries the key.
pub const HEADER: &str = "x-holdfast-origin-key";

/// A key that proves that a request came through the proxy: 32 to 200 visible ASCII characters, stored as SHA-256.
#[derive(Clone)]
pub struct OriginKey([u8; 32]);

impl OriginKey {
    fn matches(&self, sent: &[u8; 32]) -> Choice {
        self.0.ct_eq(sent)
    }
}

impl FromStr for OriginKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (32..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(Sha256::digest(text).into()))
        } else {
            Err(Invalid::new("An origin key has 32 to 200 visible ASCII characters, without spaces."))
        }
    }
}

impl fmt::Debug for OriginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginKey(…)")
    }
}

/// The accepted keys: the current one, and possibly the previous one.
#[derive(Debug, Clone)]
pub struct OriginKeyPair {
    current: OriginKey,
    previous: Option<OriginKey>,
}

impl OriginKeyPair {
    /// Creates a pair of these keys.
    pub fn new(current: OriginKey, previous: Option<OriginKey>) -> Self {
        Self { current, previous }
    }

    /// Whether these headers contain one of the keys. It takes constant time, so its duration reveals nothing about
    /// them.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(sent) = headers.get(HEADER) else { return false };
        let sent: [u8; 32] = Sha256::digest(sent.as_bytes()).into();
        let previous = self.previous.as_ref().map_or(Choice::from(0), |key| key.matches(&sent));
        (self.current.matches(&sent) | previous).into()
    }

    fn of_versions(versions: Versions) -> Result<Self, &'static str> {
        const NO_KEY: &str = "is not an origin key: use 32 to 200 visible ASCII characters, without spaces.";
        let current = versions.current.text.parse().map_err(|_: Invalid| NO_KEY)?;
        // A previous version that is not a valid key was never added to a request.
        let previous = versions.previous.and_then(|version| version.text.parse().ok());
        Ok(Self { current, previous })
    }
}

/// The origin keys of an instance. Clones share them.
#[derive(Clone)]
pub struct OriginKeys(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<OriginKeyPair>),
    SecretStore(Arc<Watched<OriginKeyPair>>),
}

impl OriginKeys {
    /// Creates keys that stay the same while the process runs.
    pub fn fixed(pair: OriginKeyPair) -> Self {
        Self(Source::Fixed(Arc::new(pair)))
    }

    /// Reads the keys from the two versions of a secret, now and again when they are old.
    pub async fn in_secret_store(
        store: SecretStore,
        name: SecretName,
        now: Timestamp,
    ) -> Result<Self, SecretError> {
        let watched = Watched::open(store, name, OriginKeyPair::of_versions, now).await?;
        Ok(Self(Source::SecretStore(Arc::new(watched))))
    }

    /// Whether a request with these headers came through the proxy.
    async fn admit(&self, headers: &HeaderMap, now: Timestamp) -> bool {
        match &self.0 {
            Source::Fixed(pair) => pair.admits(headers),
            // A proxy with a newer key than this instance fails the check, so the secret is read once more.
            Source::SecretStore(watched) => {
                watched.at(now).await.admits(headers)
                    || (headers.contains_key(HEADER) && watched.reread(now).await.admits(headers))
            }
        }
    }
}

impl fmt::Debug for OriginKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginKeys(…)")
    }
}

/// The layer that rejects requests that did not come through the proxy.
pub async fn require(
    State((keys, clock)): State<(OriginKeys, crate::base::clock::Clock)>,
    mut request: Request,
    next: Next,
) -> Response {
    if !keys.admit(request.headers(), clock.now()).await {
        let mut refusal = Problem::from(WebError::PastProxy).into_response();
        refusal.extensions_mut().insert(SenderDecided);
        return refusal;
    }
    // Handlers do not need the key.
    request.headers_mut().remove(HEADER);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use http::{HeaderName, HeaderValue};
    use jiff::SignedDuration;

    use super::*;
    use crate::base::secrets::{SecretVersion, Stage};

    const KEYS: [&str; 3] = [
        "0123456789abcdef0123456789abcdef",
        "123456789abcdef0123456789abcdef0",
        "23456789abcdef0123456789abcdef01",
    ];

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(HEADER), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn only_the_current_and_the_previous_key_are_admitted() {
        let [current, previous, other] = KEYS;
        let pair = OriginKeyPair::new(current.parse().unwrap(), previous.parse().ok());
        assert!(pair.admits(&headers(current)) && pair.admits(&headers(previous)));
        for sent in [other, "", &current[1..], &format!("{current}0"), &current.to_uppercase()] {
            assert!(!pair.admits(&headers(sent)), "{sent}");
        }
        assert!(!pair.admits(&HeaderMap::new()));
        let alone = OriginKeyPair::new(current.parse().unwrap(), None);
        assert!(alone.admits(&headers(current)) && !alone.admits(&headers(previous)));
    }

    #[test]
    fn a_new_version_is_admitted_at_once_and_the_previous_one_still_works() {
        let stored = Arc::new(Mutex::new(vec![KEYS[0]]));
        let (read, readings) = (stored.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = readings.clone();
        let store = SecretStore::from_fn(move |_, stage| {
            counted.fetch_add(1, Ordering::Relaxed);
            let stored = read.lock().unwrap();
            let text = match stage {
                Stage::Current => stored.last(),
                Stage::Previous => stored.len().checked_sub(2).and_then(|before| stored.get(before)),
            };
            let version =
                |text: &&str| SecretVersion { text: (*text).to_owned(), created: Timestamp::UNIX_EPOCH };
            std::future::ready(Ok(text.map(version)))
        });
        let start = Timestamp::constant(1_800_000_000, 0);
        let minutes = |minutes| start + SignedDuration::from_mins(minutes);
        let keys = OriginKeys::in_secret_store(store, "origin".parse().unwrap(), start)
            .now_or_never()
            .unwrap()
            .unwrap();
        let admits = |key: &str, now| keys.admit(&headers(key), now).now_or_never().unwrap();
        assert!(admits(KEYS[0], start) && !admits(KEYS[1], start));
        stored.lock().unwrap().push(KEYS[1]);
        assert!(admits(KEYS[1], minutes(1)), "the proxy has a newer key than this instance");
        assert!(admits(KEYS[0], minutes(2)), "parts of the proxy still have the previous key");
        stored.lock().unwrap().push(KEYS[2]);
        assert!(!admits(KEYS[0], minutes(7)) && admits(KEYS[1], minutes(7)) && admits(KEYS[2], minutes(7)));
        // Guessed keys make the instance read the secret at most once a minute.
        let before = readings.load(Ordering::Relaxed);
        for _ in 0..100 {
            assert!(!admits(KEYS[0], minutes(8)));
        }
        assert_eq!(readings.load(Ordering::Relaxed) - before, 2, "one read of two versions");
    }

    #[test]
    fn a_key_has_32_to_200_visible_characters_and_debug_hides_it() {
        for text in ["", &KEYS[0][1..], &"x".repeat(201), &format!("{} ", KEYS[0]), &"é".repeat(32)] {
            assert!(text.parse::<OriginKey>().is_err(), "{text}");
        }
        let pair = OriginKeyPair::new(KEYS[0].parse().unwrap(), None);
        assert!(!format!("{pair:?} {:?}", OriginKeys::fixed(pair.clone())).contains("0123"));
    }
}
