//! Value types of raffles: texts, numbers and ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::values::{Invalid, text_value, time_ordered_id};

time_ordered_id!(
    /// A raffle's id.
    RaffleId,
    "a raffle"
);

/// Defines a one-line text type with a maximum length. `$what` begins its messages: "A title".
macro_rules! one_line {
    ($(#[$doc:meta])* $type:ident, $max:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The maximum length in characters.
            pub const MAX_CHARS: usize = $max;

            /// Returns the text, trimmed, with runs of white space collapsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
                let is_line = !line.chars().any(char::is_control) && !text.trim().contains(['\n', '\r', '\t']);
                if is_line && (1..=Self::MAX_CHARS).contains(&line.chars().count()) {
                    Ok(Self(line))
                } else {
                    let words = concat!($what, " is one line of 1 to ", $max, " characters.");
                    Err(Invalid::new(words))
                }
            }
        }

        text_value!($type);
    };
}

one_line!(
    /// The title of a raffle: one line of 1 to 120 characters.
    Title,
    120,
    "A title"
);
one_line!(
    /// The prize of a raffle: one line of 1 to 200 characters.
    Prize,
    200,
    "A prize"
);

/// Defines a whole-number type from 1 to a maximum. `$words` is its message.
macro_rules! bounded {
    ($(#[$doc:meta])* $type:ident, $max:literal, $words:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $type(u32);

        impl $type {
            /// The largest value.
            pub const MAX: u32 = $max;

            /// Returns the number.
            pub fn get(self) -> u32 {
                self.0
            }
        }

        impl TryFrom<u32> for $type {
            type Error = Invalid;

            fn try_from(number: u32) -> Result<Self, Invalid> {
                if (1..=Self::MAX).contains(&number) { Ok(Self(number)) } else { Err(Invalid::new($words)) }
            }
        }

        impl From<$type> for u32 {
            fn from(value: $type) -> Self {
                value.0
            }
        }

        impl FromStr for $type {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.trim().parse::<u32>().map_err(|_| Invalid::new($words)).and_then(Self::try_from)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

bounded!(
    /// The number of tickets in a raffle.
    TicketCount,
    100_000,
    "A raffle has 1 to 100000 tickets, a whole number."
);
bounded!(
    /// The most tickets one person may have.
    Limit,
    50,
    "The limit per person is a whole number from 1 to 50."
);
bounded!(
    /// The number of tickets requested in one purchase.
    Quantity,
    50,
    "Ask for 1 to 50 tickets at once, a whole number."
);
bounded!(
    /// A ticket number, from 1 to the number of tickets in the raffle.
    TicketNumber,
    100_000,
    "A ticket's number is a whole number from 1 to 100000."
);

impl TicketCount {
    /// The default number of tickets.
    pub const DEFAULT: Self = Self(100);
}

impl Limit {
    /// The default limit. It may exceed the number of tickets.
    pub const DEFAULT: Self = Self(2);
}

impl Quantity {
    /// One ticket.
    pub const ONE: Self = Self(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_nonempty_line() {
        assert_eq!("  The  autumn raffle 🎟 ".parse::<Title>().unwrap().as_str(), "The autumn raffle 🎟");
        assert!("x".repeat(120).parse::<Title>().is_ok() && "x".repeat(200).parse::<Prize>().is_ok());
        for text in ["", "   ", "a\nb", "a\tb", "a\u{0}b", &"x".repeat(121)] {
            assert!(text.parse::<Title>().is_err(), "{text:?}");
        }
        assert!("x".repeat(201).parse::<Prize>().is_err());
    }

    #[test]
    fn numbers_must_be_whole_and_in_range() {
        assert_eq!(" 100000 ".parse::<TicketCount>().unwrap().get(), 100_000);
        for text in ["", "0", "-1", "1.5", "100001", "1e3", "4294967297", "ten"] {
            assert!(text.parse::<TicketCount>().is_err(), "{text:?}");
        }
        assert!("51".parse::<Limit>().is_err() && "51".parse::<Quantity>().is_err());
        let read = serde_json::from_value::<Quantity>;
        assert!(read(serde_json::json!(2)).is_ok());
        for json in
            [serde_json::json!(0), serde_json::json!("2"), serde_json::json!(1.5), serde_json::json!(-1)]
        {
            assert!(read(json.clone()).is_err(), "{json}");
        }
    }
}
