//! A raffle as one person may see it. Pages show it, and the API returns it.
//!
//! Invariants: it never contains the seed; it contains the winner's name only for administrators and the winner.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Digest, Holding, Pool, Prize, PurchaseError, Raffle, RaffleId, RaffleStatus, TicketNumber, Title, Winner,
};
use crate::base::identity::SignedIn;
use crate::base::values::{Email, Name};

/// A raffle as one person may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RaffleState {
    /// The id.
    pub id: RaffleId,
    /// The title.
    pub title: Title,
    /// The prize.
    pub prize: Prize,
    /// The number of tickets.
    pub tickets: u32,
    /// The most tickets one person may have.
    pub limit_per_person: u32,
    /// The time the sale ends, if set.
    pub closes_at: Option<Timestamp>,
    /// Whether the winner is drawn.
    pub status: RaffleStatus,
    /// How many tickets are sold.
    pub sold: u32,
    /// How many are left.
    pub remaining: u32,
    /// The person's own tickets, ascending.
    pub mine: Vec<TicketNumber>,
    /// How many tickets the person may buy now.
    pub may_buy: u32,
    /// Why the person may not buy any.
    #[serde(rename = "denial")]
    pub refusal: Option<PurchaseErrorState>,
    /// Grows with every sale, every canceled ticket, and the draw.
    pub version: u64,
    /// The time the raffle was opened.
    pub created_at: Timestamp,
    /// The SHA-256 of the seed used in the draw.
    pub commitment: Digest,
    /// The time of the draw.
    pub drawn_at: Option<Timestamp>,
    /// The winner, after the draw.
    pub winner: Option<WinnerState>,
    /// The time of `sold` and `remaining`, in lists. Elsewhere they are exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Whether the sale has ended.
    #[serde(skip)]
    pub over: bool,
}

/// The ticket counts of a raffle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// How many tickets are sold.
    pub sold: u32,
    /// How many are left.
    pub remaining: u32,
    /// How often the counts have changed.
    pub changes: u64,
}

impl Counts {
    /// Returns the exact counts of a pool.
    pub fn of(pool: &Pool) -> Self {
        Self { sold: pool.sold(), remaining: pool.remaining(), changes: pool.changes() }
    }
}

/// Why a person may not buy, for programs and people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurchaseErrorState {
    /// The machine-readable name.
    pub name: &'static str,
    /// A short message for people.
    pub words: String,
}

impl From<PurchaseError> for PurchaseErrorState {
    fn from(refusal: PurchaseError) -> Self {
        Self { name: refusal.name(), words: refusal.words() }
    }
}

/// The winner, as one person may see it. Only administrators and the winner see the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WinnerState {
    /// The winning number.
    pub number: TicketNumber,
    /// Whether the person is the winner.
    pub yours: bool,
    /// The name, for administrators and the winner.
    pub name: Option<Name>,
    /// The email address, for administrators.
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
    /// Returns what `who` may see of a raffle now.
    pub fn of(raffle: &Raffle, pool: &Pool, holding: &Holding, who: &SignedIn, now: Timestamp) -> Self {
        Self::counted(raffle, Counts::of(pool), holding, who, now)
    }

    /// Returns what `who` may see of a raffle with these counts.
    pub fn counted(
        raffle: &Raffle,
        counts: Counts,
        holding: &Holding,
        who: &SignedIn,
        now: Timestamp,
    ) -> Self {
        let (remaining, held) = (counts.remaining, holding.count());
        let refusal = raffle.may_sell(1, held, remaining, now).err();
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
            may_buy: if refusal.is_some() { 0 } else { left },
            refusal: refusal.map(Into::into),
            version: raffle.version.get() + counts.changes,
            created_at: raffle.created_at,
            commitment: raffle.commitment,
            drawn_at: raffle.drawn.as_ref().map(|drawn| drawn.at),
            winner: raffle.drawn.as_ref().map(|drawn| WinnerState::of(&drawn.winner, who)),
            as_of: None,
            over: raffle.is_over(now),
        }
    }

    /// Returns a tag that changes whenever the raffle's page changes: the version, and whether the sale has ended.
    pub fn tag(&self) -> String {
        tag(self.version, self.over && self.status == RaffleStatus::Open)
    }
}

/// Returns the version of a raffle including its sales.
fn version(raffle: &Raffle, pool: &Pool) -> u64 {
    raffle.version.get() + pool.changes()
}

/// Returns the [tag](RaffleState::tag) of a raffle's current state.
pub fn tag_of(raffle: &Raffle, pool: &Pool, now: Timestamp) -> String {
    tag(version(raffle, pool), raffle.is_over(now) && raffle.status == RaffleStatus::Open)
}

fn tag(version: u64, over: bool) -> String {
    if over { format!("{version}-over") } else { version.to_string() }
}
