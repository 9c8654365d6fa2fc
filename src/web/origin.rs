//! Requests that came through the proxy in front, and no others: a secret header that the proxy adds.
//!
//! An HTTP API answers at an address of its own, past CloudFront and its firewall. With an origin key CloudFront adds the
//! key to each request, and a request without it is refused (403). Two keys are accepted, the current one and the one
//! before it, so that a new key takes over without a refused request. Without an origin key nothing is checked.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::error::WebError;
use crate::base::secrets::{SecretError, SecretName, SecretStore, Versions, Watched};
use crate::base::values::Invalid;
use crate::web::problem::Problem;

/// The header that carries the key.
pub const HEADER: &str = "x-holdfast-origin-key";

/// A key that proves that a request came through the proxy: 32 to 200 visible ASCII characters, kept as its SHA-256.
#[derive(Clone)]
pub struct OriginKey([u8; 32]);

impl OriginKey {
    fn is(&self, shown: &[u8; 32]) -> Choice {
        self.0.ct_eq(shown)
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

/// The keys that are accepted: the current one, and perhaps the one before it.
#[derive(Debug, Clone)]
pub struct OriginKeyPair {
    current: OriginKey,
    previous: Option<OriginKey>,
}

impl OriginKeyPair {
    /// These keys.
    pub fn new(current: OriginKey, previous: Option<OriginKey>) -> Self {
        Self { current, previous }
    }

    /// Whether these headers carry one of the keys. How long it takes says nothing of them.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = headers.get(HEADER) else { return false };
        let shown: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        let previous = self.previous.as_ref().map_or(Choice::from(0), |key| key.is(&shown));
        (self.current.is(&shown) | previous).into()
    }

    fn of_versions(versions: Versions) -> Result<Self, &'static str> {
        const NO_KEY: &str = "is no origin key: one has 32 to 200 visible ASCII characters, without spaces.";
        let current = versions.current.text.parse().map_err(|_: Invalid| NO_KEY)?;
        // A previous version that is no key was never added to a request.
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
    /// Keys that stay as they are while the process runs.
    pub fn fixed(pair: OriginKeyPair) -> Self {
        Self(Source::Fixed(Arc::new(pair)))
    }

    /// The two versions of a secret, which are read now and again when they are old.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn in_vault(vault: SecretStore, name: SecretName, now: Timestamp) -> Result<Self, SecretError> {
        let watched = Watched::open(vault, name, OriginKeyPair::of_versions, now).await?;
        Ok(Self(Source::SecretStore(Arc::new(watched))))
    }

    /// Whether a request with these headers came through the proxy.
    async fn admit(&self, headers: &HeaderMap, now: Timestamp) -> bool {
        match &self.0 {
            Source::Fixed(pair) => pair.admits(headers),
            // A proxy that has a newer key than this instance looks like a stranger, so the secret is read once more.
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

/// The layer that refuses requests which did not come through the proxy.
///
/// # Errors
/// [`WebError::PastProxy`].
pub async fn require(
    State((keys, clock)): State<(OriginKeys, crate::base::clock::Clock)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !keys.admit(request.headers(), clock.now()).await {
        return Err(WebError::PastProxy.into());
    }
    // No handler has a use for it.
    request.headers_mut().remove(HEADER);
    Ok(next.run(request).await)
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
    fn the_current_key_and_the_one_before_it_are_admitted_and_no_other() {
        let [current, previous, other] = KEYS;
        let pair = OriginKeyPair::new(current.parse().unwrap(), previous.parse().ok());
        assert!(pair.admits(&headers(current)) && pair.admits(&headers(previous)));
        for shown in [other, "", &current[1..], &format!("{current}0"), &current.to_uppercase()] {
            assert!(!pair.admits(&headers(shown)), "{shown}");
        }
        assert!(!pair.admits(&HeaderMap::new()));
        let alone = OriginKeyPair::new(current.parse().unwrap(), None);
        assert!(alone.admits(&headers(current)) && !alone.admits(&headers(previous)));
    }

    #[test]
    fn a_new_version_of_the_secret_is_admitted_at_once_and_the_one_before_goes_on() {
        let held = Arc::new(Mutex::new(vec![KEYS[0]]));
        let (read, readings) = (held.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = readings.clone();
        let vault = SecretStore::from_fn(move |_, stage| {
            counted.fetch_add(1, Ordering::Relaxed);
            let held = read.lock().unwrap();
            let text = match stage {
                Stage::Current => held.last(),
                Stage::Previous => held.len().checked_sub(2).and_then(|before| held.get(before)),
            };
            let version =
                |text: &&str| SecretVersion { text: (*text).to_owned(), created: Timestamp::UNIX_EPOCH };
            std::future::ready(Ok(text.map(version)))
        });
        let start = Timestamp::constant(1_800_000_000, 0);
        let minutes = |minutes| start + SignedDuration::from_mins(minutes);
        let keys =
            OriginKeys::in_vault(vault, "origin".parse().unwrap(), start).now_or_never().unwrap().unwrap();
        let admits = |key: &str, now| keys.admit(&headers(key), now).now_or_never().unwrap();
        assert!(admits(KEYS[0], start) && !admits(KEYS[1], start));
        held.lock().unwrap().push(KEYS[1]);
        assert!(admits(KEYS[1], minutes(1)), "the proxy has a newer key than this instance");
        assert!(admits(KEYS[0], minutes(2)), "and parts of it still have the one before");
        held.lock().unwrap().push(KEYS[2]);
        assert!(!admits(KEYS[0], minutes(7)) && admits(KEYS[1], minutes(7)) && admits(KEYS[2], minutes(7)));
        // Guesses make the instance read the secret once a minute at the most.
        let before = readings.load(Ordering::Relaxed);
        for _ in 0..100 {
            assert!(!admits(KEYS[0], minutes(8)));
        }
        assert_eq!(readings.load(Ordering::Relaxed) - before, 2, "one reading of two versions");
    }

    #[test]
    fn a_key_has_32_to_200_visible_characters_and_is_not_printed() {
        for text in ["", &KEYS[0][1..], &"x".repeat(201), &format!("{} ", KEYS[0]), &"é".repeat(32)] {
            assert!(text.parse::<OriginKey>().is_err(), "{text}");
        }
        let pair = OriginKeyPair::new(KEYS[0].parse().unwrap(), None);
        assert!(!format!("{pair:?} {:?}", OriginKeys::fixed(pair.clone())).contains("0123"));
    }
}
