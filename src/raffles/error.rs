//! What can be wrong with a request about raffles.

use http::StatusCode;
use serde_json::json;

use super::domain::{PurchaseError, RaffleId, RaffleState, Ticket, TicketNumber};
use crate::base::values::Invalid;
use crate::store::{CursorError, DeadlineExceeded, StoreError};
use crate::web::error::WebError;
use crate::web::problem::{IntoProblem, Problem};

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
        denial: PurchaseError,
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
    Validation {
        /// The field.
        field: &'static str,
        /// What would be right.
        invalid: Invalid,
    },
    /// So many buy at once that no attempt came through in time.
    #[error("others were faster until the deadline")]
    Contention,
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
        Self::Contention
    }
}

impl IntoProblem for RaffleError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        match self {
            RaffleError::NotFound(_) => {
                Problem::new(S::NOT_FOUND, "not-found", "There is no such raffle", "Look for it in the list.")
            }
            RaffleError::NoSuchTicket(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "You have no such ticket",
                "It was given back, or never was yours.",
            ),
            RaffleError::Denied { denial, fresh } => Problem::new(
                S::CONFLICT,
                denial.name(),
                "No ticket was sold to you",
                format!("{}. `fresh` is the raffle as it is now.", denial.words()),
            )
            .with("fresh", json!(fresh)),
            RaffleError::Drawn(fresh) => Problem::new(
                S::CONFLICT,
                "drawn",
                "The winner is drawn already",
                "Nothing was written. `fresh` is the raffle as it is now.",
            )
            .with("fresh", json!(fresh)),
            RaffleError::NothingSold => Problem::new(
                S::UNPROCESSABLE_ENTITY,
                "nothing-sold",
                "No ticket is sold",
                "There is nobody to win. Draw once somebody has bought a ticket.",
            ),
            RaffleError::TicketConflict(fresh) => Problem::new(
                S::CONFLICT,
                "conflict",
                "The ticket has changed since it was read",
                "It was given back and sold again. `fresh` is the ticket as it is now; send its version to go on.",
            )
            .with("fresh", json!(fresh)),
            RaffleError::VersionMissing => WebError::VersionMissing.into_problem(),
            RaffleError::Validation { field, invalid } => WebError::field(field, &invalid).into_problem(),
            RaffleError::Contention => {
                tracing::warn!(error = %self, "a request about a raffle gave way");
                Problem::busy("Others were faster until the deadline. Nothing was written; trying again in a moment is safe.")
            }
            RaffleError::KeyOfAnotherRequest => Problem::key_reused(),
            RaffleError::Cursor(error) => error.into_problem(),
            RaffleError::Store(error) => error.into_problem(),
        }
    }
}
