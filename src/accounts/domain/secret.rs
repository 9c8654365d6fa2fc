//! Secrets of tokens, links and sessions.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::base::values::Invalid;

/// The secret of an API token, a link or a session: 32 random bytes that replace a password. Only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The prefix of every secret, by which people and secret scanners recognize it.
    const PREFIX: &str = "hf_";

    /// Creates a secret from these random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(random)))
    }

    /// Returns the secret as text, which its owner sees once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the first characters, by which its owner recognizes it. They are of no use to guess the others.
    pub fn prefix(&self) -> String {
        self.0.chars().take(Self::PREFIX.len() + 4).collect()
    }

    /// Returns the hash that is stored: SHA-256 in hexadecimal. It is not feasible to guess 32 random bytes, so it needs
    /// neither a salt nor a slow hash.
    pub fn hash(&self) -> String {
        Sha256::digest(&self.0).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for Secret {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let random = text.strip_prefix(Self::PREFIX).and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok());
        match random {
            Some(random) if random.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(Invalid::new("This isn't a Holdfast secret. A secret starts with hf_.")),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_text_and_stored_as_a_hash() {
        let secret = Secret::new([0xfb; 32]);
        let text = secret.reveal();
        assert_eq!(text, "hf_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        assert_eq!(text.parse(), Ok(secret.clone()));
        assert_eq!(secret.hash().len(), 64);
        assert_ne!(secret.hash(), Secret::new([0xfa; 32]).hash());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn malformed_secrets_are_rejected() {
        let right = Secret::new([1; 32]).reveal().to_owned();
        for text in [
            "",
            "hf_",
            "hf_short",
            right.trim_start_matches("hf_"),
            &format!("{right}A"),
            &format!("{right}="),
            &format!(" {right}"),
            &right.replace("hf_", "HF_"),
            &format!("{}é", &right[..right.len() - 1]),
        ] {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
    }
}
