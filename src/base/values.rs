//! Values that several features use: email addresses, names of people, US states, versions.
//!
//! Each type has a private field and one fallible constructor that serde uses too, so every existing value is valid.
//! Error messages are whole sentences that say what would be right.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The reason why a text is not a valid value, worded for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// Creates the error with its message, which is a whole sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<std::convert::Infallible> for Invalid {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<std::num::ParseIntError> for Invalid {
    fn from(_: std::num::ParseIntError) -> Self {
        Self::new("This is a whole number, for example 7.")
    }
}

/// Returns the SHA-256 of all parts and their lengths, in hexadecimal. It identifies a request or a message.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The version of a record: 1 at creation, plus 1 with every accepted change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Version(u64);

impl Version {
    /// The version of a newly created record.
    pub const FIRST: Self = Self(1);
    /// The largest integer that JSON numbers and DynamoDB numbers both represent exactly (2^53 - 1).
    const MAX: u64 = (1 << 53) - 1;

    /// Returns the version after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the version before this one. The first version has no predecessor and returns itself.
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1).max(1))
    }

    /// Returns the version as a number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Version {
    type Error = Invalid;

    fn try_from(number: u64) -> Result<Self, Invalid> {
        if (1..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Invalid::new("A version is a whole number, 1 or more."))
        }
    }
}

impl From<Version> for u64 {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl FromStr for Version {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse::<u64>()
            .map_err(|_| Invalid::new("A version is a whole number, 1 or more."))
            .and_then(Self::try_from)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Implements serde and `Display` for a text type through its one constructor, [`FromStr`].
macro_rules! text_value {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_value;

/// Defines an enum whose values are texts in JSON, in the table, in forms and in addresses. `$message` is what a person
/// reads who sends another text. Reading ignores white space around the text and the case of its letters, unless the
/// enum is `exact`.
macro_rules! text_enum {
    (
        $(#[$doc:meta])*
        $vis:vis enum $type:ident $(, $exact:ident)?, $message:literal;
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        $vis enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// All values, in order.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The text of this value.
            pub fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::base::values::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let is_exact = [$(stringify!($exact))?].contains(&"exact");
                let is_text = |value: &Self| match is_exact {
                    true => value.as_str() == text,
                    false => value.as_str().eq_ignore_ascii_case(text.trim()),
                };
                let value = Self::ALL.into_iter().find(is_text);
                value.ok_or_else(|| $crate::base::values::Invalid::new($message))
            }
        }

        $crate::base::values::text_value!($type);
    };
}
pub(crate) use text_enum;

/// Defines the id type of a record: a UUIDv7, so ids sort by creation time. `$what` names the record in error
/// messages, for example "an order".
macro_rules! time_ordered_id {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $type(uuid::Uuid);

        impl $type {
            /// Creates an id from the time `now` and ten random bytes.
            pub fn new(now: jiff::Timestamp, random: &[u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
                Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::base::values::Invalid;

            fn from_str(text: &str) -> Result<Self, $crate::base::values::Invalid> {
                let invalid = concat!(
                    "The id of ",
                    $what,
                    " is a UUID, for example 019f0000-0000-7000-8000-000000000000."
                );
                uuid::Uuid::try_parse(text).map(Self).map_err(|_| $crate::base::values::Invalid::new(invalid))
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use time_ordered_id;

time_ordered_id!(
    /// An order's id. It is defined here because leads store the id of their order.
    OrderId,
    "an order"
);

/// A person's email address as it was written. [`Email::key`] makes it unique.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The most parts (split at `. _ + - @`) of an address. Each is a search index item, and one transaction has at
    /// most 100 actions.
    pub const MAX_PARTS: usize = 15;
    const MAX_BYTES: usize = 254;

    /// Returns the address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address in lowercase. Two addresses are the same if their keys are equal.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Invalid::new("Give an email address."));
        }
        if text.len() > Self::MAX_BYTES {
            return Err(Invalid::new("An email address has at most 254 characters."));
        }
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        if !plain || EmailAddress::parse_with_options(text, options).is_err() {
            return Err(Invalid::new("This is not an email address; one looks like ann.lee@example.com."));
        }
        if email_parts(text).count() > Self::MAX_PARTS {
            return Err(Invalid::new(
                "An email address has at most 15 parts between its dots, dashes and other marks.",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(Email);

/// Splits an email address at `. _ + - @` into the parts that search treats as words.
pub fn email_parts(address: &str) -> impl Iterator<Item = &str> {
    address.split(['.', '_', '+', '-', '@']).filter(|part| !part.is_empty())
}

/// The name of a person or a record, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    const MAX_CHARS: usize = 120;
    /// The most words of a name. Each is a search index item, and one transaction has at most 100 actions.
    pub const MAX_WORDS: usize = 12;

    /// Returns the name without white space at its ends and with single spaces between words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.trim().chars().any(char::is_control) {
            return Err(Invalid::new("A name is one line, without control characters."));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            return Err(Invalid::new("Give a name."));
        }
        let name = words.join(" ");
        if name.chars().count() > Self::MAX_CHARS {
            return Err(Invalid::new("A name has at most 120 characters."));
        }
        if name_parts(&name).count() > Self::MAX_WORDS * 2 || words.len() > Self::MAX_WORDS {
            return Err(Invalid::new("A name has at most 12 words."));
        }
        Ok(Self(name))
    }
}

text_value!(Name);

/// Whether a spreadsheet may run a cell with this text as a formula.
///
/// Source: OWASP, "CSV Injection", <https://owasp.org/www-community/attacks/CSV_Injection>.
pub fn begins_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// Splits a name into its words, and into the parts of words that punctuation joins: `O'Brien-Smith` is found by
/// `o'b`, `brien` and `smith`.
pub fn name_parts(name: &str) -> impl Iterator<Item = &str> {
    name.split_whitespace().flat_map(|word| {
        let parts = word
            .split(|c: char| !c.is_alphanumeric() && !unicode_normalization::char::is_combining_mark(c))
            .filter(move |part| !part.is_empty() && *part != word);
        std::iter::once(word).chain(parts)
    })
}

/// A US state or the District of Columbia.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UsState(u8);

/// Two-letter codes (USPS Publication 28, appendix B) with the names, sorted by code.
const STATES: [(&str, &str); 51] = [
    ("AK", "Alaska"),
    ("AL", "Alabama"),
    ("AR", "Arkansas"),
    ("AZ", "Arizona"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DC", "District of Columbia"),
    ("DE", "Delaware"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("HI", "Hawaii"),
    ("IA", "Iowa"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("MA", "Massachusetts"),
    ("MD", "Maryland"),
    ("ME", "Maine"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MO", "Missouri"),
    ("MS", "Mississippi"),
    ("MT", "Montana"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("NE", "Nebraska"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NV", "Nevada"),
    ("NY", "New York"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VA", "Virginia"),
    ("VT", "Vermont"),
    ("WA", "Washington"),
    ("WI", "Wisconsin"),
    ("WV", "West Virginia"),
    ("WY", "Wyoming"),
];

impl UsState {
    /// Returns all states, sorted by code.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(STATES.len()).map(Self)
    }

    /// Returns the two-letter code, for example `NY`.
    pub fn as_str(&self) -> &'static str {
        STATES[usize::from(self.0)].0
    }

    /// Returns the full name, for example `New York`.
    pub fn name(&self) -> &'static str {
        STATES[usize::from(self.0)].1
    }
}

impl FromStr for UsState {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let code = text.trim();
        Self::all()
            .find(|state| state.as_str().eq_ignore_ascii_case(code))
            .ok_or_else(|| Invalid::new("This is not a US state; give its two-letter code, for example NY."))
    }
}

text_value!(UsState);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_keeps_its_spelling_and_is_unique_in_lowercase() {
        let email: Email = " Ann.Lee@Example.COM ".parse().unwrap();
        assert_eq!(email.as_str(), "Ann.Lee@Example.COM");
        assert_eq!(email.key(), "ann.lee@example.com");
    }

    #[test]
    fn an_invalid_email_is_rejected_with_a_sentence() {
        for text in [
            "",
            " ",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "a b@example.com",
            "a@b@c.com",
            "Ann <ann@example.com>",
            "a\n@example.com",
            "\"a b\"@example.com",
            "a@[127.0.0.1]",
        ] {
            let refused = text.parse::<Email>().expect_err(text);
            assert!(refused.to_string().ends_with('.'), "{refused}");
        }
        assert!(format!("{}@example.com", "a".repeat(250)).parse::<Email>().is_err());
    }

    #[test]
    fn a_name_is_one_line_with_single_spaces() {
        assert_eq!("  Ann \u{a0} Lee ".parse::<Name>().unwrap().as_str(), "Ann Lee");
        for text in ["", "   ", "a\nb", "a\u{0}b", &"x".repeat(121), &"x ".repeat(13)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn name_parts_include_the_parts_that_punctuation_joins() {
        let parts: Vec<_> = name_parts("Mary O'Brien-Smith 🎉").collect();
        assert_eq!(parts, ["Mary", "O'Brien-Smith", "O", "Brien", "Smith", "🎉"]);
    }

    #[test]
    fn there_are_51_states_and_codes_are_case_insensitive() {
        assert_eq!(UsState::all().count(), 51);
        assert_eq!(" ny ".parse::<UsState>().unwrap().name(), "New York");
        assert!("PR".parse::<UsState>().is_err());
        assert!(UsState::all().is_sorted_by_key(|state| state.as_str()));
    }

    #[test]
    fn a_version_starts_at_one() {
        assert_eq!("1".parse::<Version>().unwrap(), Version::FIRST);
        for text in ["0", "-1", "1.5", "", "99999999999999999999"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
