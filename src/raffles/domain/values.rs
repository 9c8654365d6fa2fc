//! Value types of raffles: texts, numbers and ids.

use crate::base::values::{Invalid, text_type, time_ordered_id};
use crate::shared::values::{number_type, single_line};

time_ordered_id!(
    /// A raffle's id.
    RaffleId,
    "a raffle"
);

text_type!(
    /// The title of a raffle: one line of 1 to 120 characters.
    Title,
    |text| one_line(text, Title::MAX_CHARS),
    "A title must be one line of 1 to 120 characters."
);
text_type!(
    /// The prize of a raffle: one line of 1 to 200 characters.
    Prize,
    |text| one_line(text, Prize::MAX_CHARS),
    "A prize must be one line of 1 to 200 characters."
);

impl Title {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 120;
}

impl Prize {
    /// The maximum length in characters.
    pub const MAX_CHARS: usize = 200;
}

/// Normalizes one line. Line breaks and tabs between words are invalid.
fn one_line(text: &str, most: usize) -> Option<String> {
    single_line(text, most).filter(|_| !text.trim().contains(['\n', '\r', '\t']))
}

number_type!(
    /// The number of tickets in a raffle.
    TicketCount,
    1..=100_000,
    "Tickets must be a whole number from 1 to 100,000."
);
number_type!(
    /// The most tickets one person may have.
    Limit,
    1..=50,
    "The limit per person must be a whole number from 1 to 50."
);
number_type!(
    /// The number of tickets requested in one purchase.
    Quantity,
    1..=50,
    "Buy 1 to 50 tickets at once."
);
number_type!(
    /// A ticket number, from 1 to the number of tickets in the raffle.
    TicketNumber,
    1..=100_000,
    "A ticket number must be a whole number from 1 to 100,000."
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
