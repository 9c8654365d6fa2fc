//! Accounts, API tokens and secrets. Pure.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::password::PasswordHash;
use crate::base::calendar::ZoneName;
use crate::base::identity::{AccountId, Role, SignedIn, Via};
use crate::base::values::{Email, Invalid, Name, Version, text_enum, text_value, time_ordered_id};

time_ordered_id!(
    /// An API token's id. It identifies the token but does not sign a request in.
    TokenId,
    "a token"
);

text_enum! {
    /// Whether an account may sign in.
    pub enum AccountStatus, "A status is invited, active or disabled.";
    /// The person has not used the invitation yet.
    Invited = "invited",
    /// The account may sign in and use its tokens.
    Active = "active",
    /// The account may neither sign in nor use its tokens, until an administrator enables it.
    Disabled = "disabled",
}

text_enum! {
    /// Who uses an account.
    pub enum AccountKind, "An account is for a person or for a service.";
    /// A person, who signs in.
    Person = "person",
    /// A program, which only has tokens.
    Service = "service",
}

/// Returns the status of an account that was stored before accounts had one.
fn active() -> AccountStatus {
    AccountStatus::Active
}

fn person() -> AccountKind {
    AccountKind::Person
}

fn first_epoch() -> u64 {
    1
}

/// An account, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The id.
    pub id: AccountId,
    /// The person's name.
    pub name: Name,
    /// The address for signing in. It belongs to one account, regardless of case.
    pub email: Email,
    /// The role.
    pub role: Role,
    /// Whether the account may sign in.
    #[serde(default = "active")]
    pub status: AccountStatus,
    /// Who uses it.
    #[serde(default = "person")]
    pub kind: AccountKind,
    /// The hash of the password, if the person has one. Without one they sign in by link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// 1 at creation, plus one for each new password. Sessions and sign-in links contain the epoch in which they were
    /// created and end with it.
    pub epoch: u64,
    /// 1 at creation, plus one each time that all tokens are revoked. A token contains the epoch in which it was
    /// created.
    #[serde(default = "first_epoch")]
    pub token_epoch: u64,
    /// The time zone in which the person sees times, or `None` for the workspace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<ZoneName>,
    /// The last time that the person signed in. It is no change, so it has no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<Timestamp>,
    /// 1 at creation, plus one for each change.
    pub version: Version,
    /// The creation time.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

impl Account {
    /// Creates an account at its first version.
    pub fn new(
        id: AccountId,
        name: Name,
        email: Email,
        role: Role,
        password: Option<PasswordHash>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            name,
            email,
            role,
            status: AccountStatus::Active,
            kind: AccountKind::Person,
            password,
            epoch: 1,
            token_epoch: 1,
            time_zone: None,
            last_sign_in_at: None,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns the account with another password, which ends all its sessions.
    pub fn with_password(self, password: PasswordHash, now: Timestamp) -> Self {
        let (epoch, version) = (self.epoch + 1, self.version.next());
        Self { password: Some(password), epoch, version, updated_at: now, ..self }
    }

    /// Returns the person as the sender of a request.
    pub fn signed_in(self, via: Via) -> SignedIn {
        let who = SignedIn::new(self.id, self.name, self.email, self.role, via);
        SignedIn { time_zone: self.time_zone, ..who }
    }
}

/// A token's name, chosen by its owner: one line of 1 to 60 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(String);

impl TokenName {
    /// The most characters.
    pub const MAX_CHARS: usize = 60;

    /// Returns the name as text.
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
    /// The name that its owner chose.
    pub name: TokenName,
    /// The creation time.
    pub created_at: Timestamp,
}

/// The secret of an API token or a sign-in link: 32 random bytes that replace a password. Only its hash is stored.
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

    /// Returns the hash that is stored: SHA-256 in hexadecimal. Nobody can guess 32 random bytes, so it needs neither a
    /// salt nor a slow hash.
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
            _ => Err(Invalid::new("This is not a Holdfast secret; a secret begins with hf_.")),
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

    #[test]
    fn a_token_name_is_one_line() {
        assert_eq!(" night import 🎉 ".parse::<TokenName>().unwrap().as_str(), "night import 🎉");
        assert!("x".repeat(60).parse::<TokenName>().is_ok());
        for text in ["", "  ", "a\nb", "a\u{0}b", &"x".repeat(61)] {
            assert!(text.parse::<TokenName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn roles_are_sorted_by_their_rights() {
        assert!(Role::ALL.is_sorted());
        assert_eq!("AGENT".parse(), Ok(Role::Agent));
        assert!("owner".parse::<Role>().is_err());
    }
}
