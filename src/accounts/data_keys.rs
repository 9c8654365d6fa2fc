//! The keys that encrypt secrets in the table which Holdfast itself must be able to read, such as those of two-factor
//! authentication.
//!
//! A person who reads the table alone cannot read these secrets. An encrypted text names its key, so that a key can be
//! rotated: the previous key still decrypts. The text is bound to what it belongs to, for example an account, so that
//! it is of no use in another place.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::keys::{KeyRing, Keys, SecretKey, long_enough};

/// The length of a nonce. At this length a random nonce never repeats.
pub const NONCE: usize = 24;

/// A key that encrypts with XChaCha20-Poly1305, with an id that encrypted texts begin with.
#[derive(Clone)]
pub struct DataKey {
    id: String,
    key: [u8; 32],
}

impl SecretKey for DataKey {
    /// Derives the key and its id: SHA-256 of a label and the text.
    fn from_secret(text: &str) -> Result<Self, &'static str> {
        let text = long_enough(text)?;
        let derive = |label: &str| Sha256::new().chain_update(label).chain_update(text).finalize();
        let id = derive("holdfast data key id\n").iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { id, key: derive("holdfast data key\n").into() })
    }
}

impl DataKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.key.into())
    }
}

impl PartialEq for DataKey {
    fn eq(&self, other: &Self) -> bool {
        self.key.ct_eq(&other.key).into()
    }
}

impl Eq for DataKey {}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// The keys of stored secrets.
pub type DataKeys = Keys<DataKey>;

/// An encrypted text, as stored: the key's id, a dot, and the nonce with the ciphertext in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encrypted(String);

impl Encrypted {
    /// Reads an encrypted text that a client returns. Whether it is valid shows when it is decrypted.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, which reveals nothing without the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn key_id(&self) -> &str {
        self.0.split_once('.').map_or("", |(id, _)| id)
    }
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted(…)")
    }
}

/// Why a text cannot be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// It was encrypted with a key that is neither the current nor the previous one.
    #[error("the key that encrypted a stored secret is not known here")]
    UnknownKey,
    /// It was changed, or belongs to something else.
    #[error("a stored secret was changed, or belongs to something else")]
    Altered,
    /// It is too long.
    #[error("a secret is too long to be encrypted")]
    TooLong,
}

impl KeyRing<DataKey> {
    /// Encrypts a secret that belongs to `owner`. The nonce must be random.
    ///
    /// # Errors
    /// [`CipherError::TooLong`], for gigabytes.
    pub fn encrypt(
        &self,
        secret: &[u8],
        owner: &str,
        nonce: &[u8; NONCE],
        now: Timestamp,
    ) -> Result<Encrypted, CipherError> {
        let key = self.signing(now);
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let sealed = key.cipher().encrypt(nonce.into(), payload).map_err(|_| CipherError::TooLong)?;
        let bytes = [&nonce[..], &sealed].concat();
        Ok(Encrypted(format!("{}.{}", key.id, URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Decrypts a secret that belongs to `owner`.
    ///
    /// # Errors
    /// [`CipherError`].
    pub fn decrypt(&self, text: &Encrypted, owner: &str) -> Result<Vec<u8>, CipherError> {
        let known = [Some(self.current()), self.previous()].into_iter().flatten();
        let key = known.into_iter().find(|key| key.id == text.key_id()).ok_or(CipherError::UnknownKey)?;
        let (_, encoded) = text.0.split_once('.').ok_or(CipherError::Altered)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| CipherError::Altered)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(CipherError::Altered)?;
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        key.cipher().decrypt(nonce.into(), payload).map_err(|_| CipherError::Altered)
    }

    /// Returns whether a text should be encrypted again, because another key has taken over.
    pub fn is_outdated(&self, text: &Encrypted, now: Timestamp) -> bool {
        self.signing(now).id != text.key_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::keys::TAKES_OVER;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    const OWNER: &str = "two-factor 019f0000-0000-7000-8000-000000000000";

    fn key(digit: char) -> DataKey {
        DataKey::from_secret(&String::from(digit).repeat(64)).unwrap()
    }

    fn ring(digit: char) -> KeyRing<DataKey> {
        KeyRing::of(key(digit), None)
    }

    fn encrypt(ring: &KeyRing<DataKey>, nonce: u8) -> Encrypted {
        ring.encrypt(b"a secret", OWNER, &[nonce; NONCE], NOW).unwrap()
    }

    #[test]
    fn each_secret_text_gives_its_own_key_and_id() {
        assert_eq!(key('1'), key('1'));
        assert_ne!(key('1'), key('2'));
        assert_ne!(key('1').id, key('2').id);
        assert_eq!(key('1').id.len(), 8);
        let short = DataKey::from_secret(&"1".repeat(63)).unwrap_err();
        assert!(short.starts_with("is too short"), "{short}");
    }

    #[test]
    fn a_text_is_decrypted_by_its_key_only() {
        let text = encrypt(&ring('1'), 7);
        assert_eq!(ring('1').decrypt(&text, OWNER).unwrap(), b"a secret");
        assert_eq!(ring('2').decrypt(&text, OWNER), Err(CipherError::UnknownKey));
        // The id is only a label: with another key behind it, the text is rejected.
        let forged = Encrypted::new(format!("{}{}", key('2').id, &text.as_str()[8..]));
        assert_eq!(ring('2').decrypt(&forged, OWNER), Err(CipherError::Altered));
        assert_ne!(text, encrypt(&ring('1'), 8), "the nonce changes the text");
        assert!(!text.as_str().contains(&URL_SAFE_NO_PAD.encode("a secret")));
    }

    #[test]
    fn a_text_is_bound_to_its_owner() {
        let text = encrypt(&ring('1'), 7);
        for other in ["", "two-factor", &OWNER.replace("019f", "019e")] {
            assert_eq!(ring('1').decrypt(&text, other), Err(CipherError::Altered), "{other}");
        }
    }

    #[test]
    fn every_change_of_a_text_is_noticed() {
        let text = encrypt(&ring('1'), 7);
        let (id, encoded) = text.as_str().split_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = Encrypted::new(format!("{id}.{}", URL_SAFE_NO_PAD.encode(changed)));
            assert_eq!(ring('1').decrypt(&changed, OWNER), Err(CipherError::Altered), "byte {at}");
        }
        for length in 0..bytes.len() {
            let cut = Encrypted::new(format!("{id}.{}", URL_SAFE_NO_PAD.encode(&bytes[..length])));
            assert_eq!(ring('1').decrypt(&cut, OWNER), Err(CipherError::Altered), "{length} bytes");
        }
        for text in [format!("{id}.é"), format!("{id}.{encoded}=")] {
            assert_eq!(ring('1').decrypt(&Encrypted::new(text), OWNER), Err(CipherError::Altered));
        }
        for text in ["", ".", id, encoded] {
            assert_eq!(
                ring('1').decrypt(&Encrypted::new(text), OWNER),
                Err(CipherError::UnknownKey),
                "{text}"
            );
        }
    }

    #[test]
    fn a_new_key_takes_over_after_ten_minutes_and_the_previous_one_still_decrypts() {
        let old = encrypt(&ring('1'), 7);
        let rotated = KeyRing::rotated(key('2'), NOW, Some(key('1')));
        assert_eq!(rotated.decrypt(&old, OWNER).unwrap(), b"a secret");
        assert!(!rotated.is_outdated(&old, NOW) && rotated.is_outdated(&old, NOW + TAKES_OVER));
        // An instance that has not read the new key yet can read what this one writes.
        let early = rotated.encrypt(b"a secret", OWNER, &[8; NONCE], NOW).unwrap();
        assert_eq!(ring('1').decrypt(&early, OWNER).unwrap(), b"a secret");
        let late = rotated.encrypt(b"a secret", OWNER, &[9; NONCE], NOW + TAKES_OVER).unwrap();
        assert_eq!(ring('2').decrypt(&late, OWNER).unwrap(), b"a secret");
        assert!(!rotated.is_outdated(&late, NOW + TAKES_OVER));
    }

    #[test]
    fn the_format_of_stored_texts_does_not_change() {
        // From Python: pycryptodome's ChaCha20_Poly1305 with a 24-byte nonce.
        let text =
            Encrypted::new("232e62e3.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHD1_VeOqpFGR9NsQcZRoYrcyASNpEFFD3");
        assert_eq!(ring('1').decrypt(&text, OWNER).unwrap(), b"a secret");
        assert_eq!(encrypt(&ring('1'), 7), text);
    }

    #[test]
    fn neither_keys_nor_texts_are_printed() {
        let text = encrypt(&ring('1'), 7);
        assert_eq!(format!("{:?} {:?} {text:?}", key('1'), ring('1')), "DataKey(…) KeyRing(…) Encrypted(…)");
        assert_eq!(serde_json::to_value(&text).unwrap(), text.as_str());
    }
}
