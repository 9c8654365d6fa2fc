//! The keys of session cookies: which one signs, which ones verify, and how a new key takes over without ending a session.
//!
//! A key that is read from a vault is looked at again when what is known of it is old, before a request that needs it: an
//! instance that was frozen for hours has no other moment. A new key verifies cookies from the first look on, and signs them
//! only when every instance has looked; until then the one before it signs. So what one instance has signed the others
//! open. A look that fails leaves what is known.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

pub use crate::base::secrets::{FRESH, TRIED_AGAIN};
use crate::base::secrets::{SecretError, SecretName, SecretStore, Versions, Watched};

/// How long after its making a new key signs: every instance has looked by then, or failed at it for minutes.
pub const TAKES_OVER: SignedDuration = SignedDuration::from_mins(10);

/// A key that signs session cookies with HMAC-SHA-256 (RFC 2104). What a cookie says is not secret: the account of the
/// browser that holds it.
#[derive(Clone)]
pub struct CookieKey([u8; 64]);

impl CookieKey {
    /// A key of these bytes, which must be random.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The value with its signature, for a cookie of this name: `VALUE.SIGNATURE`.
    pub fn sign(&self, name: &str, value: &str) -> String {
        let signature = self.mac(name, value).finalize().into_bytes();
        format!("{value}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The value, if this key signed it for a cookie of this name.
    pub fn verify<'a>(&self, name: &str, signed: &'a str) -> Option<&'a str> {
        let (value, signature) = signed.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(name, value).verify_slice(&signature).ok().map(|()| value)
    }

    /// The name is part of what is signed, so that no cookie passes for another. A name has no `=`.
    fn mac(&self, name: &str, value: &str) -> Hmac<Sha256> {
        // 64 bytes are one block of SHA-256, so the key is used as it is.
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

/// The key that a secret text stands for: the SHA-512 of a label and the text, whose entropy must be that of a random key,
/// so that nothing slower is needed.
///
/// # Errors
/// The words after the secret's name, if the text is shorter than 64 bytes.
pub fn cookie_key(secret: &str) -> Result<CookieKey, &'static str> {
    if secret.len() < 64 {
        return Err("is too short: give at least 64 bytes of random text.");
    }
    let digest = Sha512::new().chain_update("holdfast cookie key\n").chain_update(secret).finalize();
    Ok(CookieKey(digest.into()))
}

/// The keys that are known at a moment: the current one, and perhaps the one before it.
#[derive(Clone, PartialEq)]
pub struct KeyRing {
    current: CookieKey,
    previous: Option<CookieKey>,
    takes_over: Timestamp,
}

impl KeyRing {
    /// A key that signs at once, and perhaps one that verifies beside it.
    pub fn of(current: CookieKey, previous: Option<CookieKey>) -> Self {
        Self { current, previous, takes_over: Timestamp::MIN }
    }

    /// A key that was made at this time, and the one that signs until it has taken over.
    pub fn rotated(current: CookieKey, created: Timestamp, previous: Option<CookieKey>) -> Self {
        let takes_over = created.saturating_add(TAKES_OVER).unwrap_or(Timestamp::MAX);
        Self { current, previous, takes_over }
    }

    /// The newest key.
    pub fn current(&self) -> &CookieKey {
        &self.current
    }

    /// The key before it.
    pub fn previous(&self) -> Option<&CookieKey> {
        self.previous.as_ref()
    }

    /// Whether the newest key is the one that signs.
    pub fn has_taken_over(&self, now: Timestamp) -> bool {
        self.previous.is_none() || now >= self.takes_over
    }

    /// The key that signs.
    pub fn signing(&self, now: Timestamp) -> &CookieKey {
        match &self.previous {
            Some(previous) if !self.has_taken_over(now) => previous,
            _ => &self.current,
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

/// The keys of an instance. Clones share what they know.
#[derive(Clone)]
pub struct CookieKeys(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<KeyRing>),
    SecretStore(Arc<Watched<KeyRing>>),
}

impl CookieKeys {
    /// Keys that stay as they are while the process runs.
    pub fn fixed(ring: KeyRing) -> Self {
        Self(Source::Fixed(Arc::new(ring)))
    }

    /// The keys in a vault, which are read now.
    ///
    /// # Errors
    /// [`SecretError`].
    pub async fn in_vault(vault: SecretStore, name: SecretName, now: Timestamp) -> Result<Self, SecretError> {
        Ok(Self(Source::SecretStore(Arc::new(Watched::open(vault, name, ring_of, now).await?))))
    }

    /// The keys, for what is done now. Requests that come while they are read wait for that one reading.
    pub async fn at(&self, now: Timestamp) -> Arc<KeyRing> {
        match &self.0 {
            Source::Fixed(ring) => ring.clone(),
            Source::SecretStore(watched) => watched.at(now).await,
        }
    }
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKeys(…)")
    }
}

fn ring_of(Versions { current, previous }: Versions) -> Result<KeyRing, &'static str> {
    let key = cookie_key(&current.text)?;
    // What is no key has never signed anything.
    let previous = previous.and_then(|version| cookie_key(&version.text).ok()).filter(|other| *other != key);
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
    fn the_same_secret_gives_the_same_key_and_another_another() {
        let other = SECRET.replace('0', "1");
        assert_eq!(cookie_key(SECRET).unwrap(), cookie_key(SECRET).unwrap());
        assert_ne!(cookie_key(SECRET).unwrap(), cookie_key(&other).unwrap());
        assert!(cookie_key(&SECRET[1..]).is_err_and(|words| words.starts_with("is too short")));
    }

    #[test]
    fn a_signature_is_that_of_rfc_2104_and_covers_name_value_and_key() {
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
    fn a_new_key_signs_after_ten_minutes_and_the_one_before_it_until_then() {
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
    fn a_key_with_none_before_it_and_one_that_was_given_sign_at_once() {
        assert_eq!(*KeyRing::rotated(key(1), NOW, None).signing(NOW), key(1));
        assert_eq!(*KeyRing::of(key(2), Some(key(1))).signing(NOW), key(2));
    }

    #[test]
    fn keys_are_not_printed() {
        let ring = KeyRing::of(key(2), Some(key(1)));
        assert_eq!(
            format!("{ring:?} {:?} {:?}", key(1), CookieKeys::fixed(ring.clone())),
            "KeyRing(…) CookieKey(…) CookieKeys(…)"
        );
    }
}
