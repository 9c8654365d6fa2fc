//! Validates and hashes passwords. Pure.
//!
//! A password never leaves this module as text. It is parsed, hashed or compared, and its `Debug` output is `…`. The
//! stored hash is an argon2id PHC string, from which the password cannot be recovered.

mod common;

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization;

use crate::base::values::Invalid;

/// 19 MiB, two passes, one lane: "Password Storage Cheat Sheet", OWASP Cheat Sheet Series.
const COST: Params = match Params::new(19_456, 2, 1, None) {
    Ok(params) => params,
    Err(_) => panic!("the parameters are within argon2's limits"),
};

/// The length of a hash in bytes.
const OUTPUT: usize = Params::DEFAULT_OUTPUT_LEN;

/// A password could not be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("argon2 failed: {0}")]
pub struct HashingError(String);

/// The working memory of argon2: empty until its first use, then 19 MiB. Reusing it saves an allocation.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    fn of(&mut self, params: &Params) -> &mut [Block] {
        let blocks = params.block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::new());
        }
        &mut self.0[..blocks]
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> usize {
        self.0.len() * Block::SIZE
    }
}

/// A hash at the same cost for which no password is known: its output is all zeros.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password of 12 to 200 arbitrary characters. The same characters typed on another keyboard or system are the same
/// password (Unicode NFKC, as NIST SP 800-63B recommends).
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// The fewest characters.
    pub const MIN_CHARS: usize = 12;
    /// The most characters.
    pub const MAX_CHARS: usize = 200;

    /// Hashes the password. `salt` must be random and used for this password only.
    ///
    /// # Errors
    /// [`HashingError`] with the message of argon2.
    pub fn hash(&self, salt: &[u8; 16], memory: &mut Memory) -> Result<PasswordHash, HashingError> {
        let refused = |error: phc::Error| HashingError(error.to_string());
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&COST).map_err(|error| HashingError(error.to_string()))?,
            salt: Some(Salt::new(salt).map_err(refused)?),
            hash: Some(Output::new(&self.output(&COST, salt, memory)?).map_err(refused)?),
        };
        Ok(PasswordHash(hash.to_string()))
    }

    fn output(&self, cost: &Params, salt: &[u8], memory: &mut Memory) -> Result<[u8; OUTPUT], HashingError> {
        let mut output = [0; OUTPUT];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.clone());
        let memory = memory.of(cost);
        let hashed = argon2.hash_password_into_with_memory(self.0.as_bytes(), salt, &mut output, memory);
        hashed.map_err(|error| HashingError(error.to_string()))?;
        Ok(output)
    }
}

impl FromStr for Password {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text: String = text.nfkc().take(Self::MAX_CHARS + 1).collect();
        match text.chars().count() {
            0..Self::MIN_CHARS => {
                Err(Invalid::new("Use at least 12 characters; a sentence is easy to remember."))
            }
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(Self(text)),
            _ => Err(Invalid::new("Use at most 200 characters.")),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The stored hash of a password: a PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Returns a hash that no password has. A comparison with it takes as long as any other, so the response time does
    /// not reveal whether an account exists.
    pub fn of_no_account() -> Self {
        Self(DUMMY.to_owned())
    }

    /// Returns whether this is the hash of the password. The comparison takes constant time.
    pub fn is_of(&self, password: &Password, memory: &mut Memory) -> bool {
        self.matches(password, memory).unwrap_or(false)
    }

    /// Returns `None` if this is not a hash that this module creates: argon2id with the length above and at most our
    /// cost.
    fn matches(&self, password: &Password, memory: &mut Memory) -> Option<bool> {
        let hash = phc::PasswordHash::new(&self.0).ok()?;
        let ours =
            hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(Version::V0x13.into());
        let cost = Params::try_from(&hash).ok().filter(|cost| ours && is_bounded(cost))?;
        let output = password.output(&cost, hash.salt?.as_ref(), memory).ok()?;
        Some(output.as_slice().ct_eq(hash.hash?.as_bytes()).into())
    }
}

/// Returns whether hashing at this cost takes no more than hashing at [`COST`].
fn is_bounded(cost: &Params) -> bool {
    cost.m_cost() <= COST.m_cost() && cost.t_cost() <= COST.t_cost() && cost.p_cost() <= COST.p_cost()
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        text.parse().expect(text)
    }

    #[test]
    fn a_password_has_12_to_200_characters() {
        for text in ["", "eleven char", &"é".repeat(11), &"x".repeat(201), &"x".repeat(100_000)] {
            let refused = text.parse::<Password>().expect_err(text);
            assert!(refused.to_string().ends_with('.'), "{refused}");
        }
        for text in ["twelve chars", "            ", &"🎉".repeat(12), &"x".repeat(200)] {
            password(text);
        }
    }

    #[test]
    fn only_the_right_password_matches_a_hash() {
        let hash = password("correct horse battery").hash(&[7; 16], &mut Memory::default()).unwrap();
        assert!(hash.is_of(&password("correct horse battery"), &mut Memory::default()));
        assert!(!hash.is_of(&password("correct horse batterY"), &mut Memory::default()));
        assert!(!hash.is_of(&password("correct horse battery "), &mut Memory::default()));
    }

    #[test]
    fn unicode_forms_of_the_same_characters_are_the_same_password() {
        let hash = password("caf\u{e9} au lait, deux").hash(&[7; 16], &mut Memory::default()).unwrap();
        assert!(hash.is_of(&password("cafe\u{301} au lait, deux"), &mut Memory::default()));
    }

    #[test]
    fn hashes_are_argon2id_at_the_recommended_cost_and_salted() {
        let hashes = [[1; 16], [2; 16]]
            .map(|salt| password("correct horse battery").hash(&salt, &mut Memory::default()).unwrap().0);
        assert_ne!(hashes[0], hashes[1]);
        for hash in hashes {
            assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        }
    }

    #[test]
    fn the_dummy_hash_costs_the_same_and_matches_no_password() {
        let real = password("correct horse battery").hash(&[7; 16], &mut Memory::default()).unwrap().0;
        let (real, dummy) = (phc::PasswordHash::new(&real).unwrap(), phc::PasswordHash::new(DUMMY).unwrap());
        assert_eq!(
            (real.algorithm, real.version, real.params),
            (dummy.algorithm, dummy.version, dummy.params)
        );
        assert_eq!(real.salt.unwrap().len(), dummy.salt.unwrap().len());
        assert_eq!(real.hash.unwrap().len(), dummy.hash.unwrap().len());
        assert!(
            !PasswordHash::of_no_account().is_of(&password("correct horse battery"), &mut Memory::default())
        );
    }

    #[test]
    fn an_invalid_hash_matches_no_password() {
        for text in ["", "plain", "$argon2id$", "$2b$10$abcdefghijklmnopqrstuv"] {
            assert!(
                !PasswordHash(text.to_owned())
                    .is_of(&password("correct horse battery"), &mut Memory::default()),
                "{text}"
            );
        }
    }

    #[test]
    fn reused_memory_gives_the_same_hashes() {
        let mut memory = Memory::default();
        let (first, other) = (password("correct horse battery"), password("another horse battery"));
        let hash = first.hash(&[7; 16], &mut memory).unwrap();
        assert_eq!(memory.size(), 19_456 * 1024);
        assert!(!hash.is_of(&other, &mut memory) && hash.is_of(&first, &mut memory));
        assert_eq!(first.hash(&[7; 16], &mut memory).unwrap(), hash);
        assert_eq!(first.hash(&[7; 16], &mut Memory::default()).unwrap(), hash);
        assert_eq!(memory.size(), 19_456 * 1024, "the memory does not grow");
    }

    #[test]
    fn a_hash_equals_that_of_the_reference_implementation() {
        // argon2-cffi: hash_secret(b"correct horse battery", bytes([7]) * 16, 2, 19456, 1, 32, Type.ID, 19)
        let expected = "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$\
                        WLRGUa13/B3MXznFse33FId4O++DaYL6ulYUMEhpRqE";
        let hash = password("correct horse battery").hash(&[7; 16], &mut Memory::default()).unwrap();
        assert_eq!(hash.0, expected);
    }

    #[test]
    fn a_hash_with_a_higher_cost_matches_no_password() {
        let mut memory = Memory::default();
        let costly = DUMMY.replace("m=19456", "m=1048576");
        assert!(!PasswordHash(costly).is_of(&password("correct horse battery"), &mut memory));
        assert_eq!(memory.size(), 0);
    }

    #[test]
    fn passwords_and_hashes_are_not_printed() {
        let password = password("correct horse battery");
        let hash = password.hash(&[7; 16], &mut Memory::default()).unwrap();
        assert_eq!(format!("{password:?} {hash:?}"), "Password(…) PasswordHash(…)");
    }
}
