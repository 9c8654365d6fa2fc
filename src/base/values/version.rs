//! The version of a record.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

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
            Err(Invalid::new("A version must be a whole number, 1 or more."))
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
            .map_err(|_| Invalid::new("A version must be a whole number, 1 or more."))
            .and_then(Self::try_from)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_starts_at_one() {
        assert_eq!("1".parse::<Version>().unwrap(), Version::FIRST);
        for text in ["0", "-1", "1.5", "", "99999999999999999999"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
