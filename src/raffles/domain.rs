//! Raffles, their tickets, and the rules for buying them. Pure.

mod fair;
mod pool;
mod sales;
mod state;
mod values;

pub use fair::{Digest, Proof, ProofError, Seed, Verdict, draw};
pub use pool::{Block, Pick, Pool};
pub use sales::{Point, Sales};
pub use state::{Counts, PurchaseErrorState, RaffleState, WinnerState, tag_of};
pub use values::{Limit, Prize, Quantity, RaffleId, TicketCount, TicketNumber, Title};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::{AccountId, Actor};
use crate::base::values::{Email, Invalid, Name, Version, text_enum};

text_enum! {
    /// The status of a raffle.
    pub enum RaffleStatus, exact, "The status must be OPEN or CLOSED.";
    /// The winner is not drawn yet.
    Open = "OPEN",
    /// The winner is drawn, and nothing can change.
    Closed = "CLOSED",
}

/// The terms of a raffle to open. They never change, because people buy tickets under them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRaffle {
    /// The title.
    pub title: Title,
    /// The prize.
    pub prize: Prize,
    /// The number of tickets.
    pub tickets: TicketCount,
    /// The most tickets one person may have.
    pub limit: Limit,
    /// The time the sale ends, if set. An administrator draws the winner later.
    pub closes_at: Option<Timestamp>,
}

impl NewRaffle {
    /// Checks whether the raffle can be opened at `now`.
    ///
    /// # Errors
    /// The name of the wrong field and the right values, if the sale would already be over.
    pub fn check(&self, now: Timestamp) -> Result<(), (&'static str, Invalid)> {
        match self.closes_at {
            Some(at) if at <= now => Err((
                "closesAt",
                Invalid::new("Sales must end in the future. Leave it empty to sell until the draw."),
            )),
            _ => Ok(()),
        }
    }
}

/// The winner of a raffle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Winner {
    /// The winning ticket.
    pub number: TicketNumber,
    /// The account that owns the ticket.
    pub holder: AccountId,
    /// The owner's name.
    pub name: Name,
    /// The owner's email address.
    pub email: Email,
}

/// The result of a draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drawn {
    /// The time of the draw.
    pub at: Timestamp,
    /// Who started the draw.
    pub by: Actor,
    /// The winner.
    pub winner: Winner,
    /// The seed behind the commitment.
    pub seed: Seed,
    /// The hash of the list of sold tickets.
    pub list_hash: Digest,
}

/// A raffle as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Raffle {
    /// The id.
    pub id: RaffleId,
    /// The title.
    pub title: Title,
    /// The prize.
    pub prize: Prize,
    /// The number of tickets.
    pub tickets: TicketCount,
    /// The most tickets one person may have.
    pub limit: Limit,
    /// The time the sale ends, if set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// Whether the winner is drawn.
    pub status: RaffleStatus,
    /// 1 when the raffle is opened, 2 when it is drawn. Each block of tickets has its own [version](Block::version).
    pub version: Version,
    /// The SHA-256 of the seed used in the draw.
    pub commitment: Digest,
    /// The time the raffle was opened.
    pub created_at: Timestamp,
    /// Who opened it.
    pub created_by: Actor,
    /// The result of the draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Drawn>,
}

impl Raffle {
    /// Opens a raffle that is committed to `seed`.
    pub fn open(id: RaffleId, new: &NewRaffle, seed: &Seed, now: Timestamp, by: Actor) -> Self {
        Self {
            id,
            title: new.title.clone(),
            prize: new.prize.clone(),
            tickets: new.tickets,
            limit: new.limit,
            closes_at: new.closes_at,
            status: RaffleStatus::Open,
            version: Version::FIRST,
            commitment: seed.commitment(),
            created_at: now,
            created_by: by,
            drawn: None,
        }
    }

    /// Returns the raffle with the result of its draw.
    pub fn closed(&self, drawn: Drawn) -> Self {
        let version = self.version.next();
        Self { status: RaffleStatus::Closed, version, drawn: Some(drawn), ..self.clone() }
    }

    /// Returns whether the sale has ended, whether or not the winner is drawn.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.closes_at.is_some_and(|at| at <= now)
    }

    /// Checks whether a person with `held` tickets may buy `asked` more while `remaining` are left.
    ///
    /// # Errors
    /// The first reason that applies: the sale has ended, no ticket is left, then the limit.
    pub fn may_sell(
        &self,
        asked: u32,
        held: u32,
        remaining: u32,
        now: Timestamp,
    ) -> Result<(), PurchaseError> {
        let limit = self.limit.get();
        match (self.status, self.closes_at) {
            (RaffleStatus::Closed, _) => return Err(PurchaseError::Drawn),
            (RaffleStatus::Open, Some(at)) if at <= now => return Err(PurchaseError::SaleOver { at }),
            (RaffleStatus::Open, _) => {}
        }
        if remaining == 0 {
            Err(PurchaseError::SoldOut)
        } else if held >= limit {
            Err(PurchaseError::LimitReached { held, limit })
        } else if held + asked > limit {
            Err(PurchaseError::OverLimit { held, limit })
        } else if asked > remaining {
            Err(PurchaseError::OnlyLeft { remaining })
        } else {
            Ok(())
        }
    }
}

/// The reason why a person may not buy tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseError {
    /// The winner is drawn.
    Drawn,
    /// The sale has ended.
    SaleOver {
        /// The time it ended.
        at: Timestamp,
    },
    /// No ticket is left.
    SoldOut,
    /// Fewer tickets are left than requested.
    OnlyLeft {
        /// How many are left.
        remaining: u32,
    },
    /// The person has reached the limit.
    LimitReached {
        /// How many tickets they have.
        held: u32,
        /// The limit.
        limit: u32,
    },
    /// The purchase would exceed the limit.
    OverLimit {
        /// How many tickets they have.
        held: u32,
        /// The limit.
        limit: u32,
    },
}

impl PurchaseError {
    /// Returns the machine-readable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drawn => "drawn",
            Self::SaleOver { .. } => "sale-over",
            Self::SoldOut => "sold-out",
            Self::OnlyLeft { .. } => "only-left",
            Self::LimitReached { .. } => "limit-reached",
            Self::OverLimit { .. } => "over-limit",
        }
    }

    /// Returns a short message that fits on a button.
    pub fn words(self) -> String {
        match self {
            Self::Drawn => "The winner is drawn".to_owned(),
            Self::SaleOver { .. } => "Sales have ended".to_owned(),
            Self::SoldOut => "Sold out".to_owned(),
            Self::OnlyLeft { remaining: 1 } => "Only 1 ticket left".to_owned(),
            Self::OnlyLeft { remaining } => format!("Only {remaining} tickets left"),
            Self::LimitReached { held, limit } => format!("Limit reached: {held} of {limit}"),
            Self::OverLimit { held, limit } => {
                format!("Only {} more: you have {held} of {limit}", limit - held)
            }
        }
    }
}

/// A sold ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The number.
    pub number: TicketNumber,
    /// The account that owns it.
    pub holder: AccountId,
    /// The owner's name.
    pub name: Name,
    /// The owner's email address.
    pub email: Email,
    /// The time it was bought.
    pub bought_at: Timestamp,
    /// Distinguishes this sale of the number from earlier, canceled ones.
    pub version: Version,
}

/// The tickets one person has in a raffle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// The numbers, ascending.
    pub numbers: Vec<TicketNumber>,
    /// How often the holding has changed.
    pub version: u64,
}

impl Holding {
    /// Returns the number of tickets.
    pub fn count(&self) -> u32 {
        u32::try_from(self.numbers.len()).unwrap_or(u32::MAX)
    }

    /// Returns the holding with more tickets.
    pub fn with(&self, numbers: &[TicketNumber]) -> Self {
        let mut all: Vec<_> = self.numbers.iter().chain(numbers).copied().collect();
        all.sort_unstable();
        Self { numbers: all, version: self.version + 1 }
    }

    /// Returns the holding without a ticket.
    pub fn without(&self, number: TicketNumber) -> Self {
        let numbers = self.numbers.iter().copied().filter(|held| *held != number).collect();
        Self { numbers, version: self.version + 1 }
    }
}

/// An event in a raffle's history. Purchases are not events; the tickets record them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum RaffleEvent {
    /// The raffle was opened.
    Opened,
    /// A ticket was canceled.
    #[serde(rename = "CANCELLED")]
    Canceled {
        /// The number.
        number: TicketNumber,
        /// The owner's name.
        name: Name,
    },
    /// The winner was drawn.
    Drawn {
        /// The winning ticket.
        number: TicketNumber,
    },
}

/// An entry of a raffle's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RaffleEntry {
    /// The time of the event.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// The event.
    #[serde(flatten)]
    pub event: RaffleEvent,
}

#[cfg(test)]
mod tests;
