//! What products and messages are described with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::values::{Invalid, text_value};

/// Makes a text with its one constructor. `$read` gives the text as it is kept, or nothing; `$words` is what would be right.
macro_rules! text {
    ($(#[$doc:meta])* $type:ident, $read:expr, $words:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let read: fn(&str) -> Option<String> = $read;
                read(text).map(Self).ok_or_else(|| Invalid::new($words))
            }
        }

        text_value!($type);
    };
}

/// One line without white space at its ends, with single spaces within, of 1 to `most` characters.
fn one_line(text: &str, most: usize) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = (1..=most).contains(&line.chars().count()) && !line.chars().any(char::is_control);
    fits.then_some(line)
}

fn visible(text: &str, most: usize) -> Option<String> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

text!(
    /// What a product is known by, the same in any case of letters: 1 to 40 letters, digits and the marks `- . _`, kept in
    /// upper case. Of marks alone there is none: an address cannot end in `..`.
    Sku,
    |text| {
        let sku = text.trim().to_ascii_uppercase();
        let fits = (1..=40).contains(&sku.len())
            && sku.bytes().any(|byte| byte.is_ascii_alphanumeric())
            && sku.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        fits.then_some(sku)
    },
    "A sku has 1 to 40 letters, digits and the marks - . _ only, a letter or digit among them, for example 85123A."
);
text!(
    /// What a product is called: one line of 1 to 120 characters.
    ProductName,
    |text| one_line(text, 120),
    "A product's name is one line of 1 to 120 characters."
);
impl From<&Sku> for ProductName {
    /// What a product is called while nobody says otherwise. A sku is one line, and shorter than a name may be.
    fn from(sku: &Sku) -> Self {
        Self(sku.0.clone())
    }
}

text!(
    /// What tells one message from another: 1 to 200 visible ASCII characters.
    MessageId,
    |text| visible(text, 200),
    "A messageId has 1 to 200 visible ASCII characters."
);
text!(
    /// What a message refers to, such as an invoice: one line of 1 to 120 characters.
    Reference,
    |text| one_line(text, 120),
    "A reference is one line of 1 to 120 characters."
);
text!(
    /// Why a person did something: one line of 1 to 500 characters.
    Note,
    |text| one_line(text, 500),
    "A note is one line of 1 to 500 characters."
);

/// Makes a whole number from 0 on.
macro_rules! number {
    ($(#[$doc:meta])* $type:ident, $max:literal, $words:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $type(u64);

        impl $type {
            /// The largest.
            pub const MAX: u64 = $max;

            /// The number.
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $type {
            type Error = Invalid;

            fn try_from(number: u64) -> Result<Self, Invalid> {
                if number <= Self::MAX { Ok(Self(number)) } else { Err(Invalid::new($words)) }
            }
        }

        impl From<$type> for u64 {
            fn from(value: $type) -> Self {
                value.0
            }
        }

        impl FromStr for $type {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.trim().parse::<u64>().map_err(|_| Invalid::new($words)).and_then(Self::try_from)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// How many pieces: of a stock, or of a change.
    Units,
    1_000_000_000,
    "A quantity is a whole number from 0 to 1000000000."
);
number!(
    /// A stock at or under it is low; 0 is low only when nothing is left.
    LowMark,
    1_000_000_000,
    "A low-stock mark is a whole number from 0 to 1000000000."
);

impl Units {
    /// This and more, if it stays within the bounds.
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::try_from(self.0 + other.0).ok()
    }

    /// This less another, if it does not go below zero.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_the_same_in_any_case() {
        assert_eq!(" 15056bl ".parse::<Sku>().unwrap().as_str(), "15056BL");
        for text in ["", " ", "a b", "a#b", "é", "a/b", ".", "..", "-", &"x".repeat(41)] {
            assert!(text.parse::<Sku>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn units_neither_go_below_zero_nor_beyond_their_bound() {
        let units = |number: u64| Units::try_from(number).unwrap();
        assert_eq!(units(3).minus(units(3)), Some(units(0)));
        assert_eq!(units(3).minus(units(4)), None);
        assert_eq!(units(Units::MAX).plus(units(1)), None);
        for text in ["-1", "1.5", "", "1000000001", "1e3"] {
            assert!(text.parse::<Units>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn texts_are_one_line_within_their_bounds() {
        assert_eq!("  WHITE  METAL LANTERN ".parse::<ProductName>().unwrap().as_str(), "WHITE METAL LANTERN");
        assert!("\u{0}".parse::<ProductName>().is_err() && "".parse::<Note>().is_err());
        assert!("a b".parse::<MessageId>().is_err() && "x".repeat(201).parse::<MessageId>().is_err());
        assert!("online-retail:1:17".parse::<MessageId>().is_ok());
    }
}
