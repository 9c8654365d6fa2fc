//! What can be wrong with a request about raffles.

use super::domain::{Denial, RaffleId, RaffleState, Ticket, TicketNumber};
use crate::dynamo::{CursorError, DeadlineExceeded, StoreError};
use crate::values::Invalid;

/// Why a request about raffles was not done. Nothing was written. The states are as the person who asked may see them.
#[derive(Debug, thiserror::Error)]
pub enum RaffleError {
    /// There is no such raffle.
    #[error("there is no raffle {0}")]
    NotFound(RaffleId),
    /// Nobody has this ticket, or nobody of whom the asking person may know.
    #[error("there is no ticket {0} of theirs")]
    NoSuchTicket(TicketNumber),
    /// No ticket is sold to them, and this is why, with the raffle as it is now.
    #[error("{}", denial.words())]
    Denied {
        /// Why.
        denial: Denial,
        /// The raffle now.
        fresh: Box<RaffleState>,
    },
    /// The winner is drawn already; the raffle is as it is now.
    #[error("the winner is drawn already")]
    Drawn(Box<RaffleState>),
    /// No ticket is sold, so there is nobody to win.
    #[error("no ticket is sold")]
    NothingSold,
    /// The ticket was given back and sold again since it was read.
    #[error("the ticket has changed since it was read")]
    TicketConflict(Box<Ticket>),
    /// Another's ticket is named without its version.
    #[error("the version of another's ticket is missing")]
    VersionMissing,
    /// A field does not fit the time or another one.
    #[error("{field}: {invalid}")]
    Misfit {
        /// The field.
        field: &'static str,
        /// What would be right.
        invalid: Invalid,
    },
    /// So many buy at once that no attempt came through in time.
    #[error("others were faster until the deadline")]
    Crowded,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor is none of this list's.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DeadlineExceeded> for RaffleError {
    fn from(_: DeadlineExceeded) -> Self {
        Self::Crowded
    }
}
