//! API tokens.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::base::identity::Role;
use crate::base::values::{Invalid, text_value, time_ordered_id};

time_ordered_id!(
    /// An API token's id. It identifies the token but does not sign a request in.
    TokenId,
    "a token"
);

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
            0 => Err(Invalid::new("Enter a name, for example the program that will use the token.")),
            1..=Self::MAX_CHARS if !text.chars().any(char::is_control) => Ok(Self(text.to_owned())),
            _ => Err(Invalid::new("A token name must be one line of at most 60 characters.")),
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
    /// The role in which it acts, unless its account has a lower one.
    pub role: Role,
    /// Its first characters, by which its owner recognizes it. Tokens of version 0.1 have none.
    pub prefix: Option<String>,
    /// The creation time.
    pub created_at: Timestamp,
    /// The time from which it is refused, if it has one.
    pub expires_at: Option<Timestamp>,
    /// The last time that it was used, up to ten minutes late.
    pub last_used_at: Option<Timestamp>,
}

/// The input for a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDraft {
    /// The name.
    pub name: TokenName,
    /// The role, at most that of its account.
    pub role: Role,
    /// How many days it lasts, or `None` if it does not expire.
    pub days: Option<TokenDays>,
}

/// How many days a token lasts: 1 to 3,650.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenDays(u16);

impl TokenDays {
    /// The suggested number of days.
    pub const SUGGESTED: u16 = 90;
    const MAX: u16 = 3_650;

    /// Returns the time at which a token that is created now expires.
    pub fn from(self, now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_hours(24 * i64::from(self.0))).unwrap_or(Timestamp::MAX)
    }
}

impl TryFrom<u64> for TokenDays {
    type Error = Invalid;

    fn try_from(days: u64) -> Result<Self, Invalid> {
        let days = u16::try_from(days).ok().filter(|days| (1..=Self::MAX).contains(days));
        days.map(Self).ok_or_else(|| Invalid::new("A token can last 1 to 3,650 days."))
    }
}

impl FromStr for TokenDays {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.trim()
            .parse()
            .map_err(|_| Invalid::new("A token can last 1 to 3,650 days."))
            .and_then(|days: u64| days.try_into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_name_is_one_line() {
        assert_eq!(" night import 🎉 ".parse::<TokenName>().unwrap().as_str(), "night import 🎉");
        assert!("x".repeat(60).parse::<TokenName>().is_ok());
        for text in ["", "  ", "a\nb", "a\u{0}b", &"x".repeat(61)] {
            assert!(text.parse::<TokenName>().is_err(), "{text:?}");
        }
    }
}
