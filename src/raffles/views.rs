//! The pages of raffles: one struct per template, display logic as methods. Templates escape every value.
//!
//! What always holds: what they show of a raffle to one person is a [`RaffleState`], which names nobody whom they may
//! not know.

mod list;
mod manage;
mod new;
mod proof;
mod raffle;

pub use list::ListPage;
pub use manage::{ManagePage, TicketRow, TicketRowPart};
pub use new::NewPage;
pub use proof::{ProofPage, VerifyPage};
pub use raffle::{LivePart, LiveView, RafflePage, Told};

use super::domain::{RaffleState, RaffleStatus, TicketNumber};

/// Where a raffle stands, as far as a page says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Tickets are to be had.
    Open,
    /// None is left.
    SoldOut,
    /// The time of the sale is over, and the winner is not drawn yet.
    Over,
    /// The winner is drawn.
    Drawn,
}

impl Phase {
    /// That of a raffle.
    pub fn of(state: &RaffleState) -> Self {
        match state.status {
            RaffleStatus::Closed => Self::Drawn,
            RaffleStatus::Open if state.over => Self::Over,
            RaffleStatus::Open if state.remaining == 0 => Self::SoldOut,
            RaffleStatus::Open => Self::Open,
        }
    }

    /// The name, for style sheets and scripts.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::SoldOut => "sold-out",
            Self::Over => "over",
            Self::Drawn => "drawn",
        }
    }

    /// A word for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::SoldOut => "Sold out",
            Self::Over => "Sale over",
            Self::Drawn => "Drawn",
        }
    }
}

/// `ticket 17`, `tickets 3, 9 and 17`.
fn named(numbers: &[TicketNumber]) -> String {
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => "no ticket".to_owned(),
        [one] => format!("ticket {one}"),
        [first @ .., last] => format!("tickets {} and {last}", first.join(", ")),
    }
}

/// `1 ticket`, `2 tickets`.
fn counted(count: u32) -> String {
    format!("{count} {}", if count == 1 { "ticket" } else { "tickets" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_named_as_people_say_them() {
        let numbers = |numbers: &[u32]| -> Vec<TicketNumber> {
            numbers.iter().map(|number| (*number).try_into().unwrap()).collect()
        };
        for (of, words) in [
            (numbers(&[]), "no ticket"),
            (numbers(&[17]), "ticket 17"),
            (numbers(&[3, 17]), "tickets 3 and 17"),
            (numbers(&[3, 9, 17]), "tickets 3, 9 and 17"),
        ] {
            assert_eq!(named(&of), words);
        }
        assert_eq!((counted(1), counted(0)), ("1 ticket".to_owned(), "0 tickets".to_owned()));
    }
}
