//! Raffles, their tickets and who may buy how many. Pure.

mod fair;
mod pool;
mod sales;
mod state;
mod values;

pub use fair::{Digest, Proof, ProofError, Seed, Verdict, draw};
pub use pool::{Block, Pick, Pool};
pub use sales::{Point, Sales};
pub use state::{Counts, DenialState, RaffleState, WinnerState, tag_of};
pub use values::{Limit, Prize, Quantity, RaffleId, TicketCount, TicketNumber, Title};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::identity::AccountId;
use crate::base::identity::Actor;
use crate::base::values::{Email, Invalid, Name, Version};

/// Whether tickets may still be sold and given back, or the winner is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RaffleStatus {
    /// Not drawn yet.
    Open,
    /// Drawn: nothing changes any more.
    Closed,
}

impl RaffleStatus {
    /// The name everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Closed => "CLOSED",
        }
    }
}

/// A raffle that is to be opened. Its terms stay as they are: people buy under them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRaffle {
    /// What it is called.
    pub title: Title,
    /// What can be won.
    pub prize: Prize,
    /// How many tickets it has.
    pub tickets: TicketCount,
    /// The most that one person may have.
    pub limit: Limit,
    /// When the sale ends by itself; the draw is later, and an administrator's.
    pub closes_at: Option<Timestamp>,
}

impl NewRaffle {
    /// Whether it can be opened at `now`; if not, the field and what would be right.
    ///
    /// # Errors
    /// For a sale that would be over already.
    pub fn check(&self, now: Timestamp) -> Result<(), (&'static str, Invalid)> {
        match self.closes_at {
            Some(at) if at <= now => {
                Err(("closesAt", Invalid::new("The sale ends in the future, or when the winner is drawn.")))
            }
            _ => Ok(()),
        }
    }
}

/// Who won, with which ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Winner {
    /// The ticket.
    pub number: TicketNumber,
    /// Whose it is.
    pub holder: AccountId,
    /// Their name.
    pub name: Name,
    /// Their e-mail address.
    pub email: Email,
}

/// How a raffle was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drawn {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// The one winner.
    pub winner: Winner,
    /// The seed that the commitment was made of.
    pub seed: Seed,
    /// The hash of the list of sold tickets.
    pub list_hash: Digest,
}

/// A raffle, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Raffle {
    /// The id.
    pub id: RaffleId,
    /// What it is called.
    pub title: Title,
    /// What can be won.
    pub prize: Prize,
    /// How many tickets it has.
    pub tickets: TicketCount,
    /// The most that one person may have.
    pub limit: Limit,
    /// When the sale ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// Whether it is drawn.
    pub status: RaffleStatus,
    /// 1 when it is opened, 2 when it is drawn. What is sold has [versions of its own](Block::version).
    pub version: Version,
    /// The SHA-256 of the seed that the winner will be drawn with.
    pub commitment: Digest,
    /// When it was opened.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: Actor,
    /// How it was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Drawn>,
}

impl Raffle {
    /// A raffle that is opened now, committed to a seed.
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

    /// The raffle, drawn.
    pub fn closed(&self, drawn: Drawn) -> Self {
        Self {
            status: RaffleStatus::Closed,
            version: self.version.next(),
            drawn: Some(drawn),
            ..self.clone()
        }
    }

    /// Whether the time of the sale is over, if the winner is drawn or not.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.closes_at.is_some_and(|at| at <= now)
    }

    /// Whether somebody who has `held` tickets may buy `asked` more while `remaining` are left.
    ///
    /// # Errors
    /// The first reason why not: that nothing is sold any more, then that nothing is left, then the limit.
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

/// Why somebody may not buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseError {
    /// The winner is drawn.
    Drawn,
    /// The time of the sale is over.
    SaleOver {
        /// Since when.
        at: Timestamp,
    },
    /// No ticket is left.
    SoldOut,
    /// Fewer tickets are left than were asked for.
    OnlyLeft {
        /// How many.
        remaining: u32,
    },
    /// They have as many as one person may have.
    LimitReached {
        /// How many they have.
        held: u32,
        /// The limit.
        limit: u32,
    },
    /// They would have more than one person may have.
    OverLimit {
        /// How many they have.
        held: u32,
        /// The limit.
        limit: u32,
    },
}

impl PurchaseError {
    /// The name for programs.
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

    /// The reason in a few words, as a button says it.
    pub fn words(self) -> String {
        match self {
            Self::Drawn => "The winner is drawn".to_owned(),
            Self::SaleOver { .. } => "The sale is over".to_owned(),
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

/// A ticket that is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Its number.
    pub number: TicketNumber,
    /// Whose it is.
    pub holder: AccountId,
    /// Their name.
    pub name: Name,
    /// Their e-mail address.
    pub email: Email,
    /// When it was bought.
    pub bought_at: Timestamp,
    /// Tells this sale of the number from an earlier one, of a ticket that was given back.
    pub version: Version,
}

/// The tickets that one person has in a raffle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// Their numbers, ascending.
    pub numbers: Vec<TicketNumber>,
    /// How often it changed.
    pub version: u64,
}

impl Holding {
    /// How many there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.numbers.len()).unwrap_or(u32::MAX)
    }

    /// With more tickets.
    pub fn with(&self, numbers: &[TicketNumber]) -> Self {
        let mut all: Vec<_> = self.numbers.iter().chain(numbers).copied().collect();
        all.sort_unstable();
        Self { numbers: all, version: self.version + 1 }
    }

    /// Without a ticket.
    pub fn without(&self, number: TicketNumber) -> Self {
        let numbers = self.numbers.iter().copied().filter(|held| *held != number).collect();
        Self { numbers, version: self.version + 1 }
    }
}

/// What happened to a raffle beside purchases, which its tickets tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum RaffleEvent {
    /// It was opened.
    Opened,
    /// A ticket was given back.
    Cancelled {
        /// Which.
        number: TicketNumber,
        /// Whose it was.
        name: Name,
    },
    /// The winner was drawn.
    Drawn {
        /// The winning ticket.
        number: TicketNumber,
    },
}

/// One entry of a raffle's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RaffleEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What.
    #[serde(flatten)]
    pub happening: RaffleEvent,
}

#[cfg(test)]
mod tests;
