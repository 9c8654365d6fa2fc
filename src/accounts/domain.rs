//! Who uses Holdfast, and what each may do. Pure.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::password::PasswordHash;
use crate::base::identity::{AccountId, Role, SignedIn, Via};
use crate::base::values::{Email, Invalid, Name, Version, text_value, time_ordered_id};

time_ordered_id!(
    /// An API token's id: its owner names it by this, and a request is not signed in by it.
    TokenId,
    "a token"
);

/// An account, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The id.
    pub id: AccountId,
    /// The person's name.
    pub name: Name,
    /// The address they sign in with; it is of one account, whatever the case of its letters.
    pub email: Email,
    /// What they may do.
    pub role: Role,
    /// What is kept of the password, where they have one. Without one they sign in by links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// Sessions and sign-in links carry the epoch of their making and end when it passes: 1 at creation, one more
    /// with every new password.
    pub epoch: u64,
    /// The version: 1 at creation, one more with every change.
    pub version: Version,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Account {
    /// A new account at its first version.
    pub fn new(
        id: AccountId,
        name: Name,
        email: Email,
        role: Role,
        password: Option<PasswordHash>,
        now: Timestamp,
    ) -> Self {
        let version = Version::FIRST;
        Self { id, name, email, role, password, epoch: 1, version, created_at: now, updated_at: now }
    }

    /// The account with another password, which ends all sessions before it.
    pub fn with_password(self, password: PasswordHash, now: Timestamp) -> Self {
        let (epoch, version) = (self.epoch + 1, self.version.next());
        Self { password: Some(password), epoch, version, updated_at: now, ..self }
    }

    /// The person, as who a request comes from.
    pub fn signed_in(self, via: Via) -> SignedIn {
        SignedIn { id: self.id, name: self.name, email: self.email, role: self.role, via }
    }
}

/// What a token is called by the person who made it: 1 to 60 characters, one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(String);

impl TokenName {
    /// The most characters.
    pub const MAX_CHARS: usize = 60;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        match text.chars().count() {
            0 => {
                Err(Invalid::new("Give the token a name, for example that of the program that will use it."))
            }
            1..=Self::MAX_CHARS if !text.chars().any(char::is_control) => Ok(Self(text.to_owned())),
            _ => Err(Invalid::new("A token's name is one line of at most 60 characters.")),
        }
    }
}

text_value!(TokenName);

/// An API token, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The id.
    pub id: TokenId,
    /// What its owner calls it.
    pub name: TokenName,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What whoever holds it may show instead of a password: 32 random bytes behind an API token or a sign-in link. Only
/// its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// What every secret begins with, so that people and scanners of leaked secrets know one by its looks.
    const PREFIX: &str = "hf_";

    /// The secret made of these random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(random)))
    }

    /// The secret as its holder is given it, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it: SHA-256 in hexadecimal. No salt or slow hash is needed, for nobody can guess 32 random bytes.
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
            _ => Err(Invalid::new("This is not a secret of Holdfast; one begins with hf_.")),
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
    fn a_secret_is_given_out_and_read_back_and_stored_as_a_hash() {
        let secret = Secret::new([0xfb; 32]);
        let text = secret.reveal();
        assert_eq!(text, "hf_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        assert_eq!(text.parse(), Ok(secret.clone()));
        assert_eq!(secret.hash().len(), 64);
        assert_ne!(secret.hash(), Secret::new([0xfa; 32]).hash());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn what_has_not_the_form_of_a_secret_is_none() {
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

    #[test]
    fn a_token_has_a_name_of_one_line() {
        assert_eq!(" night import 🎉 ".parse::<TokenName>().unwrap().as_str(), "night import 🎉");
        assert!("x".repeat(60).parse::<TokenName>().is_ok());
        for text in ["", "  ", "a\nb", "a\u{0}b", &"x".repeat(61)] {
            assert!(text.parse::<TokenName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn each_role_may_what_the_ones_before_it_may() {
        assert!(Role::ALL.is_sorted());
        assert_eq!("AGENT".parse(), Ok(Role::Agent));
        assert!("owner".parse::<Role>().is_err());
    }
}
