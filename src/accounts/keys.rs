//! The keys of session cookies: which one signs, which ones verify, and how a new key replaces the current one without
//! ending a session. The keys of stored secrets ([`data_keys`](super::data_keys)) are replaced in the same way.
//!
//! Before a request that needs a key, an instance rereads its keys from the secret store if they are old. An instance
//! that was frozen for hours has no other chance to do so. A new key verifies cookies as soon as it is read, but signs
//! them only after every instance has read it; until then the previous key signs. All instances can therefore verify
//! each other's cookies. A failed read keeps the known keys.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

pub use crate::base::secrets::{MAX_AGE, RETRY_AFTER};
use crate::base::secrets::{SecretError, SecretName, SecretStore, Versions, Watched};

/// How long after its creation a new key starts to sign. Until then every instance has read it, or failed to for
/// minutes.
pub const TAKES_OVER: SignedDuration = SignedDuration::from_mins(10);

/// A key that is derived from a secret text.
pub trait SecretKey: Clone + PartialEq + Send + Sync + 'static {
    /// Derives the key. The text must have the entropy of a random key, so a fast hash is enough.
    ///
    /// # Errors
    /// The rest of a message that starts with the secret's name, if the text is too short.
    fn from_secret(text: &str) -> Result<Self, &'static str>;
}

/// Returns a secret text that is long enough for a key.
///
/// # Errors
/// The rest of a message that starts with the secret's name, if the text is shorter than 64 bytes.
pub fn long_enough(secret: &str) -> Result<&str, &'static str> {
    if secret.len() < 64 { Err("is too short: give at least 64 bytes of random text.") } else { Ok(secret) }
}

/// A key that signs session cookies with HMAC-SHA-256 (RFC 2104). Cookies are not encrypted, because the account id in
/// them is no secret from the browser's owner.
#[derive(Clone)]
pub struct CookieKey([u8; 64]);

impl CookieKey {
    /// Creates a key from these bytes, which must be random.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Returns the value with its signature for a cookie of this name: `VALUE.SIGNATURE`.
    pub fn sign(&self, name: &str, value: &str) -> String {
        let signature = self.mac(name, value).finalize().into_bytes();
        format!("{value}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns the value if this key signed it for a cookie of this name.
    pub fn verify<'a>(&self, name: &str, signed: &'a str) -> Option<&'a str> {
        let (value, signature) = signed.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(name, value).verify_slice(&signature).ok().map(|()| value)
    }

    /// Signs the name with the value, so that no cookie passes for another one. A name does not contain `=`.
    fn mac(&self, name: &str, value: &str) -> Hmac<Sha256> {
        // 64 bytes are one block of SHA-256, so HMAC uses the key unchanged.
        let key: &[u8; 64] = &self.0;
        let mut mac = Hmac::<Sha256>::new(key.into());
        for part in [name, "=", value] {
            mac.update(part.as_bytes());
        }
        mac
    }
}

impl PartialEq for CookieKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for CookieKey {}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey(…)")
    }
}

/// Derives a key from a secret text: the SHA-512 of a label and the text. The text must have the entropy of a random
/// key, so a fast hash is enough.
///
/// # Errors
/// The rest of a message that starts with the secret's name, if the text is shorter than 64 bytes.
pub fn cookie_key(secret: &str) -> Result<CookieKey, &'static str> {
    let secret = long_enough(secret)?;
    let digest = Sha512::new().chain_update("holdfast cookie key\n").chain_update(secret).finalize();
    Ok(CookieKey(digest.into()))
}

impl SecretKey for CookieKey {
    fn from_secret(text: &str) -> Result<Self, &'static str> {
        cookie_key(text)
    }
}

/// The known keys: the newest one, and the previous one if there is one.
#[derive(Clone, PartialEq)]
pub struct KeyRing<K = CookieKey> {
    current: K,
    previous: Option<K>,
    takes_over: Timestamp,
}

impl<K> KeyRing<K> {
    /// Creates a ring whose newest key signs at once. The previous key only verifies.
    pub fn of(current: K, previous: Option<K>) -> Self {
        Self { current, previous, takes_over: Timestamp::MIN }
    }

    /// Creates a ring whose newest key was created at this time. The previous key signs for the first [`TAKES_OVER`].
    pub fn rotated(current: K, created: Timestamp, previous: Option<K>) -> Self {
        let takes_over = created.saturating_add(TAKES_OVER).unwrap_or(Timestamp::MAX);
        Self { current, previous, takes_over }
    }

    /// Returns the newest key.
    pub fn current(&self) -> &K {
        &self.current
    }

    /// Returns the previous key.
    pub fn previous(&self) -> Option<&K> {
        self.previous.as_ref()
    }

    /// Returns whether the newest key signs.
    pub fn has_taken_over(&self, now: Timestamp) -> bool {
        self.previous.is_none() || now >= self.takes_over
    }

    /// Returns the key that signs or encrypts.
    pub fn signing(&self, now: Timestamp) -> &K {
        match &self.previous {
            Some(previous) if !self.has_taken_over(now) => previous,
            _ => &self.current,
        }
    }
}

impl<K> fmt::Debug for KeyRing<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

/// The keys of an instance. Clones share the keys.
#[derive(Clone)]
pub struct Keys<K>(Source<K>);

/// The keys of session cookies.
pub type CookieKeys = Keys<CookieKey>;

#[derive(Clone)]
enum Source<K> {
    Fixed(Arc<KeyRing<K>>),
    SecretStore(Arc<Watched<KeyRing<K>>>),
}

impl<K: SecretKey> Keys<K> {
    /// Creates keys that do not change while the process runs.
    pub fn fixed(ring: KeyRing<K>) -> Self {
        Self(Source::Fixed(Arc::new(ring)))
    }

    /// Reads the keys from a secret store.
    ///
    /// # Errors
    /// [`SecretError`] if they cannot be read.
    pub async fn in_secret_store(
        store: SecretStore,
        name: SecretName,
        now: Timestamp,
    ) -> Result<Self, SecretError> {
        Ok(Self(Source::SecretStore(Arc::new(Watched::open(store, name, parse_ring, now).await?))))
    }

    /// Returns the keys to use now. Requests that arrive during a read share its result.
    pub async fn at(&self, now: Timestamp) -> Arc<KeyRing<K>> {
        match &self.0 {
            Source::Fixed(ring) => ring.clone(),
            Source::SecretStore(watched) => watched.at(now).await,
        }
    }
}

impl<K> fmt::Debug for Keys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

fn parse_ring<K: SecretKey>(Versions { current, previous }: Versions) -> Result<KeyRing<K>, &'static str> {
    let key = K::from_secret(&current.text)?;
    // An invalid secret has never been in use.
    let previous =
        previous.and_then(|version| K::from_secret(&version.text).ok()).filter(|other| *other != key);
    Ok(KeyRing::rotated(key, current.created, previous))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn key(byte: u8) -> CookieKey {
        CookieKey::new([byte; 64])
    }

    #[test]
    fn each_secret_gives_its_own_key() {
        let other = SECRET.replace('0', "1");
        assert_eq!(cookie_key(SECRET).unwrap(), cookie_key(SECRET).unwrap());
        assert_ne!(cookie_key(SECRET).unwrap(), cookie_key(&other).unwrap());
        assert!(cookie_key(&SECRET[1..]).is_err_and(|words| words.starts_with("is too short")));
    }

    #[test]
    fn a_signature_follows_rfc_2104_and_covers_name_value_and_key() {
        let signed = key(1).sign("name", "a.b");
        // hmac.new(bytes([1]) * 64, b"name=a.b", "sha256"), from Python.
        assert_eq!(signed, "a.b.nzcvOgTAmaa5FrykVAlEbVfCjZ0Yt1nSWLHm7jq2zdA");
        assert_eq!(key(1).verify("name", &signed), Some("a.b"));
        for (key, name, text) in [
            (key(2), "name", signed.clone()),
            (key(1), "other", signed.clone()),
            (key(1), "name", signed.replacen('a', "c", 1)),
            (key(1), "name", signed[..signed.len() - 1].to_owned()),
            (key(1), "name", format!("{signed}=")),
            (key(1), "name", "a.b.".to_owned()),
            (key(1), "name", String::new()),
        ] {
            assert_eq!(key.verify(name, &text), None, "{name}: {text}");
        }
    }

    #[test]
    fn the_previous_key_signs_for_ten_minutes() {
        let second = SignedDuration::from_secs(1);
        let ring = KeyRing::rotated(key(2), NOW, Some(key(1)));
        for (now, signing) in [
            (NOW - second, key(1)),
            (NOW, key(1)),
            (NOW + TAKES_OVER - second, key(1)),
            (NOW + TAKES_OVER, key(2)),
        ] {
            assert_eq!(*ring.signing(now), signing);
            assert_eq!(ring.has_taken_over(now), signing == key(2));
        }
    }

    #[test]
    fn a_key_without_a_rotation_signs_at_once() {
        assert_eq!(*KeyRing::rotated(key(1), NOW, None).signing(NOW), key(1));
        assert_eq!(*KeyRing::of(key(2), Some(key(1))).signing(NOW), key(2));
    }

    #[test]
    fn keys_are_not_printed() {
        let ring = KeyRing::of(key(2), Some(key(1)));
        assert_eq!(
            format!("{ring:?} {:?} {:?}", key(1), CookieKeys::fixed(ring.clone())),
            "KeyRing(…) CookieKey(…) Keys(…)"
        );
    }
}
