//! Passwords: what may be one, and how one is kept. Pure.
//!
//! A password never leaves this module as text: it is read, hashed or compared, and shown as `…` where something
//! prints it. What is kept is a PHC string of argon2id, from which it cannot be had back.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::{self, phc};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::values::Invalid;

/// 19 MiB, two passes, one lane: "Password Storage Cheat Sheet", OWASP Cheat Sheet Series.
const COST: Params = match Params::new(19_456, 2, 1, None) {
    Ok(params) => params,
    Err(_) => panic!("the parameters are within argon2's bounds"),
};

/// A hash at the same cost that no password is known to have: its output is all zeros.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password: 12 to 200 characters, any of them. The same letters typed on another keyboard or system are the same
/// password (Unicode's NFKC, as NIST SP 800-63B asks).
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// The fewest characters.
    pub const MIN_CHARS: usize = 12;
    /// The most characters.
    pub const MAX_CHARS: usize = 200;

    /// What is kept of the password. `salt` is random and of this password alone.
    ///
    /// # Errors
    /// That argon2 has no memory to work in.
    pub fn hash(&self, salt: &[u8; 16]) -> Result<PasswordHash, password_hash::Error> {
        let hash: phc::PasswordHash = argon2().hash_password_with_salt(self.0.as_bytes(), salt)?;
        Ok(PasswordHash(hash.to_string()))
    }
}

impl FromStr for Password {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text: String = text.nfkc().take(Self::MAX_CHARS + 1).collect();
        match text.chars().count() {
            0..Self::MIN_CHARS => {
                Err(Invalid::new("A password has at least 12 characters; a sentence is easy to remember."))
            }
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(Self(text)),
            _ => Err(Invalid::new("A password has at most 200 characters.")),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is kept of a password: a PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash that no password has. To compare with it costs what any comparison costs, so that the time of an answer
    /// does not say whether there is an account.
    pub fn of_nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Whether it is the hash of this password. The comparison takes the same time wherever two hashes differ.
    pub fn is_of(&self, password: &Password) -> bool {
        let hash = phc::PasswordHash::new(&self.0);
        hash.is_ok_and(|hash| argon2().verify_password(password.0.as_bytes(), &hash).is_ok())
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, COST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        text.parse().expect(text)
    }

    #[test]
    fn a_password_has_12_to_200_characters_whatever_they_are() {
        for text in ["", "eleven char", &"é".repeat(11), &"x".repeat(201), &"x".repeat(100_000)] {
            let refused = text.parse::<Password>().expect_err(text);
            assert!(refused.to_string().ends_with('.'), "{refused}");
        }
        for text in ["twelve chars", "            ", &"🎉".repeat(12), &"x".repeat(200)] {
            password(text);
        }
    }

    #[test]
    fn the_right_password_is_known_again_and_no_other_one() {
        let hash = password("correct horse battery").hash(&[7; 16]).unwrap();
        assert!(hash.is_of(&password("correct horse battery")));
        assert!(!hash.is_of(&password("correct horse batterY")));
        assert!(!hash.is_of(&password("correct horse battery ")));
    }

    #[test]
    fn the_same_letters_in_another_unicode_form_are_the_same_password() {
        let hash = password("caf\u{e9} au lait, deux").hash(&[7; 16]).unwrap();
        assert!(hash.is_of(&password("cafe\u{301} au lait, deux")));
    }

    #[test]
    fn hashes_are_argon2id_at_the_recommended_cost_and_salted() {
        let hashes = [[1; 16], [2; 16]].map(|salt| password("correct horse battery").hash(&salt).unwrap().0);
        assert_ne!(hashes[0], hashes[1]);
        for hash in hashes {
            assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        }
    }

    #[test]
    fn the_hash_of_nobody_costs_the_same_and_is_of_no_password() {
        let real = password("correct horse battery").hash(&[7; 16]).unwrap().0;
        let (real, nobody) =
            (phc::PasswordHash::new(&real).unwrap(), phc::PasswordHash::new(NOBODY).unwrap());
        assert_eq!(
            (real.algorithm, real.version, real.params),
            (nobody.algorithm, nobody.version, nobody.params)
        );
        assert_eq!(real.salt.unwrap().len(), nobody.salt.unwrap().len());
        assert_eq!(real.hash.unwrap().len(), nobody.hash.unwrap().len());
        assert!(!PasswordHash::of_nobody().is_of(&password("correct horse battery")));
    }

    #[test]
    fn what_is_no_hash_is_of_no_password() {
        for text in ["", "plain", "$argon2id$", "$2b$10$abcdefghijklmnopqrstuv"] {
            assert!(!PasswordHash(text.to_owned()).is_of(&password("correct horse battery")), "{text}");
        }
    }

    #[test]
    fn neither_a_password_nor_its_hash_is_printed() {
        let password = password("correct horse battery");
        let hash = password.hash(&[7; 16]).unwrap();
        assert_eq!(format!("{password:?} {hash:?}"), "Password(…) PasswordHash(…)");
    }
}
