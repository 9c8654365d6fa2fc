//! What the pages of raffles share: the phases of a raffle, and texts about tickets.
//!
//! Invariants: one URL serves the page, or its fragment when htmx asks; every form works without JavaScript; a poll
//! costs one read if nothing has changed, and never discards input that is not submitted yet; pages show a person only
//! a [`RaffleState`], which names no one that the person may not know.

use crate::raffles::domain::{RaffleState, RaffleStatus, TicketNumber};

/// The phase of a raffle, as pages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Tickets are on sale.
    Open,
    /// No ticket is left.
    SoldOut,
    /// The sale has ended, and the winner is not drawn yet.
    Over,
    /// The winner is drawn.
    Drawn,
}

impl Phase {
    pub(super) fn of(state: &RaffleState) -> Self {
        match state.status {
            RaffleStatus::Closed => Self::Drawn,
            RaffleStatus::Open if state.over => Self::Over,
            RaffleStatus::Open if state.remaining == 0 => Self::SoldOut,
            RaffleStatus::Open => Self::Open,
        }
    }

    /// Returns the name for style sheets and scripts.
    pub(super) fn slug(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::SoldOut => "sold-out",
            Self::Over => "over",
            Self::Drawn => "drawn",
        }
    }

    /// Returns the label for people.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::SoldOut => "Sold out",
            Self::Over => "Sales have ended",
            Self::Drawn => "Drawn",
        }
    }
}

/// For a ticket that cannot be canceled because the winner is drawn.
pub(super) const DRAWN: &str = "The winner is drawn. Tickets can no longer be returned.";

/// Formats ticket numbers: `ticket 17`, `tickets 3, 9, and 17`.
pub(super) fn named(numbers: &[TicketNumber]) -> String {
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => "no ticket".to_owned(),
        [one] => format!("ticket {one}"),
        [one, two] => format!("tickets {one} and {two}"),
        [first @ .., last] => format!("tickets {}, and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_numbers_are_formatted_as_a_list() {
        let numbers = |numbers: &[u32]| -> Vec<TicketNumber> {
            numbers.iter().map(|number| (*number).try_into().unwrap()).collect()
        };
        for (of, words) in [
            (numbers(&[]), "no ticket"),
            (numbers(&[17]), "ticket 17"),
            (numbers(&[3, 17]), "tickets 3 and 17"),
            (numbers(&[3, 9, 17]), "tickets 3, 9, and 17"),
        ] {
            assert_eq!(named(&of), words);
        }
    }
}
