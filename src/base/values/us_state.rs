//! US states.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Invalid, text_value};

/// A US state or the District of Columbia.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UsState(u8);

/// The two-letter codes and names, sorted by code. Source: USPS Publication 28, appendix B.
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
            .ok_or_else(|| Invalid::new("This isn't a US state. Use a two-letter code, for example NY."))
    }
}

text_value!(UsState);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_51_states_and_codes_are_case_insensitive() {
        assert_eq!(UsState::all().count(), 51);
        assert_eq!(" ny ".parse::<UsState>().unwrap().name(), "New York");
        assert!("PR".parse::<UsState>().is_err());
        assert!(UsState::all().is_sorted_by_key(|state| state.as_str()));
    }
}
