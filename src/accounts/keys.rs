//! The keys of session cookies: which one seals, which ones open, and how a new one takes over while nobody is signed out.
//!
//! A key that is read from a vault is looked at again when what is known of it is old, before a request that needs it: an
//! instance that was frozen for hours has no other moment. A new key opens cookies from the first look on, and seals them
//! only when every instance has looked; until then the one before it seals. So what one instance has sealed the others
//! open. A look that fails leaves what is known.

use std::fmt;
use std::sync::Arc;

use axum_extra::extract::cookie::Key;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha512};
use tokio::sync::Mutex;

use crate::secrets::{SecretName, Stage, Vault, VaultError};

/// How old what is known of the keys may be.
pub const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// How long after its making a new key seals: every instance has looked by then, or failed at it for minutes.
pub const TAKES_OVER: SignedDuration = SignedDuration::from_mins(10);

/// How long after a look that failed the next one is.
pub const TRIED_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// The key that a secret text stands for: the SHA-512 of a label and the text, whose entropy must be that of a random key,
/// so that nothing slower is needed.
///
/// # Errors
/// The words after the secret's name, if the text is shorter than 64 bytes.
pub fn cookie_key(secret: &str) -> Result<Key, &'static str> {
    if secret.len() < 64 {
        return Err("is too short: give at least 64 bytes of random text.");
    }
    let digest = Sha512::new().chain_update("holdfast cookie key\n").chain_update(secret).finalize();
    Ok(Key::from(&digest))
}

/// The keys that are known at a moment: the current one, and perhaps the one before it.
#[derive(Clone, PartialEq)]
pub struct KeyRing {
    current: Key,
    previous: Option<Key>,
    takes_over: Timestamp,
}

impl KeyRing {
    /// A key that seals at once, and perhaps one that opens beside it.
    pub fn of(current: Key, previous: Option<Key>) -> Self {
        Self { current, previous, takes_over: Timestamp::MIN }
    }

    /// A key that was made at this time, and the one that seals until it has taken over.
    pub fn rotated(current: Key, created: Timestamp, previous: Option<Key>) -> Self {
        let takes_over = created.saturating_add(TAKES_OVER).unwrap_or(Timestamp::MAX);
        Self { current, previous, takes_over }
    }

    /// The newest key.
    pub fn current(&self) -> &Key {
        &self.current
    }

    /// The key before it.
    pub fn previous(&self) -> Option<&Key> {
        self.previous.as_ref()
    }

    /// Whether the newest key is the one that seals.
    pub fn has_taken_over(&self, now: Timestamp) -> bool {
        self.previous.is_none() || now >= self.takes_over
    }

    /// The key that seals.
    pub fn sealing(&self, now: Timestamp) -> &Key {
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

/// Why the keys cannot be read from a vault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The vault does not give them.
    #[error("cannot be read: {0}.")]
    Vault(#[from] VaultError),
    /// The secret's text is no key.
    #[error("{0}")]
    NoKey(&'static str),
}

/// The keys of an instance. Clones share what they know.
#[derive(Clone)]
pub struct CookieKeys(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<KeyRing>),
    Vault(Arc<InVault>),
}

struct InVault {
    vault: Vault,
    name: SecretName,
    known: Mutex<Known>,
}

struct Known {
    ring: Arc<KeyRing>,
    /// When it is looked at again.
    until: Timestamp,
}

impl CookieKeys {
    /// Keys that stay as they are while the process runs.
    pub fn fixed(ring: KeyRing) -> Self {
        Self(Source::Fixed(Arc::new(ring)))
    }

    /// The keys in a vault, which are read now.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn in_vault(vault: Vault, name: SecretName, now: Timestamp) -> Result<Self, KeyError> {
        let ring = Arc::new(read(&vault, &name).await?);
        let known = Mutex::new(Known { ring, until: after(now, FRESH) });
        Ok(Self(Source::Vault(Arc::new(InVault { vault, name, known }))))
    }

    /// The keys, for what is done now. Requests that come while they are read wait for that one reading.
    pub async fn at(&self, now: Timestamp) -> Arc<KeyRing> {
        let InVault { vault, name, known } = match &self.0 {
            Source::Fixed(ring) => return ring.clone(),
            Source::Vault(keys) => &**keys,
        };
        let mut known = known.lock().await;
        if now >= known.until {
            match read(vault, name).await {
                Ok(ring) => *known = Known { ring: Arc::new(ring), until: after(now, FRESH) },
                Err(error) => {
                    tracing::warn!(secret = %name, %error, "the keys of cookies that are known so far are kept");
                    known.until = after(now, TRIED_AGAIN);
                }
            }
        }
        known.ring.clone()
    }
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKeys(…)")
    }
}

async fn read(vault: &Vault, name: &SecretName) -> Result<KeyRing, KeyError> {
    // In this order: where the key is changed between the two, the old one is known twice and none is missed.
    let current = vault.current(name).await?;
    let previous = vault.read(name, Stage::Previous).await?;
    let key = cookie_key(&current.text).map_err(KeyError::NoKey)?;
    // What is no key has never sealed anything.
    let previous = previous.and_then(|version| cookie_key(&version.text).ok()).filter(|other| *other != key);
    Ok(KeyRing::rotated(key, current.created, previous))
}

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn key(byte: u8) -> Key {
        Key::from(&[byte; 64])
    }

    #[test]
    fn the_same_secret_gives_the_same_key_and_another_another() {
        let other = SECRET.replace('0', "1");
        assert_eq!(cookie_key(SECRET).unwrap(), cookie_key(SECRET).unwrap());
        assert_ne!(cookie_key(SECRET).unwrap(), cookie_key(&other).unwrap());
        assert!(cookie_key(&SECRET[1..]).is_err_and(|words| words.starts_with("is too short")));
    }

    #[test]
    fn a_new_key_seals_after_ten_minutes_and_the_one_before_it_until_then() {
        let second = SignedDuration::from_secs(1);
        let ring = KeyRing::rotated(key(2), NOW, Some(key(1)));
        for (now, sealing) in [
            (NOW - second, key(1)),
            (NOW, key(1)),
            (NOW + TAKES_OVER - second, key(1)),
            (NOW + TAKES_OVER, key(2)),
        ] {
            assert_eq!(*ring.sealing(now), sealing);
            assert_eq!(ring.has_taken_over(now), sealing == key(2));
        }
    }

    #[test]
    fn a_key_with_none_before_it_and_one_that_was_given_seal_at_once() {
        assert_eq!(*KeyRing::rotated(key(1), NOW, None).sealing(NOW), key(1));
        assert_eq!(*KeyRing::of(key(2), Some(key(1))).sealing(NOW), key(2));
    }

    #[test]
    fn keys_are_not_printed() {
        let ring = KeyRing::of(key(2), Some(key(1)));
        assert_eq!(format!("{ring:?} {:?}", CookieKeys::fixed(ring.clone())), "KeyRing(…) CookieKeys(…)");
    }
}
