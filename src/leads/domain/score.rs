//! The lead score.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::values::Invalid;

/// How likely the lead is to buy, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Score(u8);

impl Score {
    /// The lowest score of a CONVERTED lead.
    pub const TO_CONVERT: Self = Self(80);

    /// Returns the score as a number from 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Score {
    type Error = Invalid;

    fn try_from(number: i64) -> Result<Self, Invalid> {
        u8::try_from(number)
            .ok()
            .filter(|score| *score <= 100)
            .map(Self)
            .ok_or_else(|| Invalid::new("A lead score must be a whole number from 0 to 100."))
    }
}

impl From<Score> for i64 {
    fn from(score: Score) -> Self {
        score.0.into()
    }
}

impl FromStr for Score {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.trim()
            .parse::<i64>()
            .map_err(|_| Invalid::new("A lead score must be a whole number from 0 to 100."))
            .and_then(Self::try_from)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
