//! A raffle as one person may see it: what pages show and programs read.
//!
//! What always holds: the seed is never in it, and a winner's name only for administrators and the winner.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Digest, Holding, Pool, Prize, PurchaseError, Raffle, RaffleId, RaffleStatus, TicketNumber, Title, Winner,
};
use crate::base::identity::SignedIn;
use crate::base::values::{Email, Name};

/// A raffle as one person may see it: the page shows it and programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RaffleState {
    /// The id.
    pub id: RaffleId,
    /// What it is called.
    pub title: Title,
    /// What can be won.
    pub prize: Prize,
    /// How many tickets it has.
    pub tickets: u32,
    /// The most that one person may have.
    pub limit_per_person: u32,
    /// When the sale ends by itself.
    pub closes_at: Option<Timestamp>,
    /// Whether it is drawn.
    pub status: RaffleStatus,
    /// How many tickets are sold.
    pub sold: u32,
    /// How many are left.
    pub remaining: u32,
    /// One's own tickets, ascending.
    pub mine: Vec<TicketNumber>,
    /// How many one may buy now.
    pub may_buy: u32,
    /// Why one may not buy any.
    pub denial: Option<DenialState>,
    /// Grows with every sale, with every ticket that is given back, and with the draw.
    pub version: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// The SHA-256 of the seed that the winner is drawn with.
    pub commitment: Digest,
    /// When it was drawn.
    pub drawn_at: Option<Timestamp>,
    /// The winner, once drawn.
    pub winner: Option<WinnerState>,
    /// The time that `sold` and `remaining` stand for, in lists; elsewhere they are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Whether the time of the sale is over.
    #[serde(skip)]
    pub over: bool,
}

/// How much of a raffle is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// How many tickets are sold.
    pub sold: u32,
    /// How many are left.
    pub remaining: u32,
    /// How often that changed.
    pub changes: u64,
}

impl Counts {
    /// Those of a pool, which are exact.
    pub fn of(pool: &Pool) -> Self {
        Self { sold: pool.sold(), remaining: pool.remaining(), changes: pool.changes() }
    }
}

/// Why one may not buy, for programs and people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DenialState {
    /// The name for programs.
    pub name: &'static str,
    /// A few words for people.
    pub words: String,
}

impl From<PurchaseError> for DenialState {
    fn from(denial: PurchaseError) -> Self {
        Self { name: denial.name(), words: denial.words() }
    }
}

/// The winner, as one person may know them: by number; by name only for administrators and the winner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WinnerState {
    /// The ticket.
    pub number: TicketNumber,
    /// Whether it is one's own.
    pub yours: bool,
    /// The name, for administrators and the winner.
    pub name: Option<Name>,
    /// The e-mail address, for administrators.
    pub email: Option<Email>,
}

impl WinnerState {
    fn of(winner: &Winner, who: &SignedIn) -> Self {
        let yours = winner.holder == who.id;
        let named = yours || who.is_administrator();
        Self {
            number: winner.number,
            yours,
            name: named.then(|| winner.name.clone()),
            email: who.is_administrator().then(|| winner.email.clone()),
        }
    }
}

impl RaffleState {
    /// What `who` may see of a raffle now.
    pub fn of(raffle: &Raffle, pool: &Pool, holding: &Holding, who: &SignedIn, now: Timestamp) -> Self {
        Self::counted(raffle, Counts::of(pool), holding, who, now)
    }

    /// What `who` may see of a raffle of which so much is sold.
    pub fn counted(
        raffle: &Raffle,
        counts: Counts,
        holding: &Holding,
        who: &SignedIn,
        now: Timestamp,
    ) -> Self {
        let (remaining, held) = (counts.remaining, holding.count());
        let denial = raffle.may_sell(1, held, remaining, now).err();
        let left = raffle.limit.get().saturating_sub(held).min(remaining);
        Self {
            id: raffle.id,
            title: raffle.title.clone(),
            prize: raffle.prize.clone(),
            tickets: raffle.tickets.get(),
            limit_per_person: raffle.limit.get(),
            closes_at: raffle.closes_at,
            status: raffle.status,
            sold: counts.sold,
            remaining,
            mine: holding.numbers.clone(),
            may_buy: if denial.is_some() { 0 } else { left },
            denial: denial.map(Into::into),
            version: raffle.version.get() + counts.changes,
            created_at: raffle.created_at,
            commitment: raffle.commitment,
            drawn_at: raffle.drawn.as_ref().map(|drawn| drawn.at),
            winner: raffle.drawn.as_ref().map(|drawn| WinnerState::of(&drawn.winner, who)),
            as_of: None,
            over: raffle.is_over(now),
        }
    }

    /// What changes whenever anything changes that the page shows: its version, and whether the sale is over.
    pub fn tag(&self) -> String {
        tag(self.version, self.over && self.status == RaffleStatus::Open)
    }
}

/// The version of a raffle with all that is sold of it.
fn version(raffle: &Raffle, pool: &Pool) -> u64 {
    raffle.version.get() + pool.changes()
}

/// The [tag](RaffleState::tag) that whoever looks at a raffle now will see.
pub fn tag_of(raffle: &Raffle, pool: &Pool, now: Timestamp) -> String {
    tag(version(raffle, pool), raffle.is_over(now) && raffle.status == RaffleStatus::Open)
}

fn tag(version: u64, over: bool) -> String {
    if over { format!("{version}-over") } else { version.to_string() }
}
