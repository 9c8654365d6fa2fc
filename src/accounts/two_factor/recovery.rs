//! Recovery codes, for a person without the authenticator app.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::totp::TotpSecret;

/// How many codes a person has.
const CODES: usize = 10;

/// How many letters a code has. Each has five bits, so a code has 40.
const LETTERS: usize = 8;

/// How many random bytes all codes of a person need.
pub const RANDOM: usize = CODES * LETTERS;

/// The letters of a code (Crockford's base32): without i, l, o and u, which look like others.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A recovery code: eight letters and digits, shown in two groups, such as `k7xm-2qpd`.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    fn new(random: &[u8; LETTERS]) -> Self {
        // The alphabet has 32 letters, so each byte chooses every letter with the same probability.
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).map(|letter| char::from(*letter));
        Self(random.iter().filter_map(letter).collect())
    }

    /// Parses a code without spaces and dashes. Letters that look like others are read as those.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let known = |letter: char| {
            let letter = match letter.to_ascii_lowercase() {
                'i' | 'l' => '1',
                'o' => '0',
                other => other,
            };
            u8::try_from(letter).is_ok_and(|byte| ALPHABET.contains(&byte)).then_some(letter)
        };
        let letters: Option<String> = text.chars().map(known).collect();
        letters.filter(|letters| letters.len() == LETTERS).map(Self)
    }

    /// Returns the code in two groups. Its owner sees it once.
    pub fn reveal(&self) -> String {
        let (first, second) = self.0.split_at_checked(LETTERS / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }

    /// Returns the hash that is stored.
    pub(super) fn hash(&self, secret: &TotpSecret) -> RecoveryHash {
        // The key is shorter than a block, so HMAC fills it up with zeros.
        let mut key = [0; 64];
        key.iter_mut().zip(secret.bytes()).for_each(|(byte, secret)| *byte = *secret);
        let mut mac = Hmac::<Sha256>::new((&key).into());
        for part in ["holdfast recovery code\n", &self.0] {
            mac.update(part.as_bytes());
        }
        RecoveryHash(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// The stored hash of a recovery code: HMAC-SHA-256, keyed with the secret of the app, in hexadecimal.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryHash(String);

impl PartialEq for RecoveryHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for RecoveryHash {}

impl fmt::Debug for RecoveryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryHash(…)")
    }
}

/// The recovery codes of a person, who sees them once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryCodes(Vec<RecoveryCode>);

impl RecoveryCodes {
    /// Creates the codes from random bytes.
    pub fn new(random: &[u8; RANDOM]) -> Self {
        Self(random.as_chunks::<LETTERS>().0.iter().map(RecoveryCode::new).collect())
    }

    /// Returns the codes.
    pub fn iter(&self) -> impl Iterator<Item = &RecoveryCode> {
        self.0.iter()
    }

    pub(super) fn hashes(&self, secret: &TotpSecret) -> Vec<RecoveryHash> {
        self.iter().map(|code| code.hash(secret)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SECRET: TotpSecret = TotpSecret::new(*b"12345678901234567890");

    #[test]
    fn ten_codes_are_made_of_random_bytes() {
        let random: [u8; RANDOM] =
            std::array::from_fn(|index| u8::try_from((index * 5 + index / 8) % 32).unwrap());
        let codes = RecoveryCodes::new(&random);
        let shown: BTreeSet<_> = codes.iter().map(RecoveryCode::reveal).collect();
        assert_eq!(shown.len(), CODES);
        assert!(shown.iter().all(|code| code.len() == 9 && code.as_bytes()[4] == b'-'), "{shown:?}");
        assert_eq!(RecoveryCodes::new(&[0; RANDOM]).iter().next().unwrap().reveal(), "0000-0000");
        assert_eq!(format!("{codes:?}").matches("RecoveryCode(…)").count(), CODES);
    }

    #[test]
    fn a_hash_is_keyed_with_the_secret() {
        let code = RecoveryCode::parse("k7xm2qpd").unwrap();
        // hmac.new(secret, b"holdfast recovery code\nk7xm2qpd", "sha256"), from Python.
        assert_eq!(code.hash(&SECRET).0, "57554b7ab3247228acc8f9efb6eeea99ba40932dfd9bb4b14fa6b5a4d699e10c");
        assert_ne!(code.hash(&SECRET), code.hash(&TotpSecret::new([7; 20])));
        assert_ne!(code.hash(&SECRET), RecoveryCode::parse("k7xm2qpe").unwrap().hash(&SECRET));
        assert_eq!(format!("{:?}", code.hash(&SECRET)), "RecoveryHash(…)");
    }

    #[test]
    fn letters_that_look_alike_are_the_same() {
        let code = RecoveryCode::parse("01010101").unwrap();
        for text in ["oloiOLOI", "0l0i0L0I", "O1O1o1o1"] {
            assert_eq!(RecoveryCode::parse(text).unwrap(), code, "{text}");
        }
        for text in ["", "k7xm2qp", "k7xm2qpdd", "k7xm2qpu", "k7xm2qp!", "k7xm2qpé", "ｋ7xm2qpd"] {
            assert_eq!(RecoveryCode::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_code_is_read_as_it_is_shown(random: [u8; LETTERS]) {
            let code = RecoveryCode::new(&random);
            let typed = code.reveal().replace('-', "");
            prop_assert_eq!(RecoveryCode::parse(&typed), Some(code.clone()));
            prop_assert_eq!(RecoveryCode::parse(&typed.to_uppercase()), Some(code));
        }
    }
}
