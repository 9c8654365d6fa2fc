//! Errors of raffle requests.

use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::domain::{PurchaseError, RaffleId, RaffleState, Ticket, TicketNumber};
use crate::accounts::authority::NoLongerAllowed;
use crate::base::values::Invalid;
use crate::shared::problems::not_found;
use crate::store::idempotency::KeyReused;
use crate::store::{CursorError, DeadlineExceeded, StoreError};
use crate::web::error::WebError;
use crate::web::problem::{IntoProblem, Problem};

/// An error of a raffle request. Nothing was written. Each state is what the requesting person may see.
#[derive(Debug, thiserror::Error)]
pub enum RaffleError {
    /// The raffle does not exist.
    #[error("there is no raffle {0}")]
    NotFound(RaffleId),
    /// The ticket is not sold, or the requesting person may not know who owns it.
    #[error("ticket {0} does not exist or belongs to another person")]
    NoSuchTicket(TicketNumber),
    /// The person may not buy tickets.
    #[error("{}", refusal.words())]
    Refused {
        /// The reason.
        refusal: PurchaseError,
        /// The current raffle.
        fresh: Box<RaffleState>,
    },
    /// The winner is already drawn. Contains the current raffle.
    #[error("the winner is already drawn")]
    Drawn(Box<RaffleState>),
    /// No ticket is sold, so no one can win.
    #[error("no ticket is sold")]
    NothingSold,
    /// The ticket was canceled and sold again since it was read. Contains the current ticket.
    #[error("the ticket has changed since it was read")]
    TicketConflict(Box<Ticket>),
    /// The request cancels another person's ticket without its version.
    #[error("the version of another person's ticket is missing")]
    VersionMissing,
    /// A field is invalid at this time or together with another field.
    #[error("{field}: {invalid}")]
    Validation {
        /// The name of the field.
        field: &'static str,
        /// The right values.
        invalid: Invalid,
    },
    /// Concurrent writes prevented success before the deadline.
    #[error("concurrent writes prevented success before the deadline")]
    Contention,
    /// The idempotency key was used for another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The cursor does not belong to this list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The sender was disabled, or lost the role that the change requires.
    #[error(transparent)]
    NoLongerAllowed(#[from] NoLongerAllowed),
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
        match self {
            Self::NotFound(_) => not_found("Raffle not found", "It was deleted or never existed."),
            Self::NoSuchTicket(_) => not_found("Ticket not found", "It was returned, or it isn't yours."),
            Self::Refused { refusal, fresh } => {
                let detail = format!("{}. `fresh` is the current raffle.", refusal.words());
                conflict(refusal.name(), "No tickets were sold to you", detail, &fresh)
            }
            Self::Drawn(fresh) => {
                let detail = "Nothing was saved. `fresh` is the current raffle.";
                conflict("drawn", "The winner was already drawn", detail, &fresh)
            }
            Self::NothingSold => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "nothing-sold",
                "No tickets sold",
                "Sell at least one ticket first.",
            ),
            Self::TicketConflict(fresh) => {
                conflict("conflict", "This ticket has changed", SOLD_AGAIN, &fresh)
            }
            Self::VersionMissing => WebError::VersionMissing.into_problem(),
            Self::Validation { field, invalid } => WebError::field(field, &invalid).into_problem(),
            Self::Contention => {
                tracing::warn!(error = %self, "a raffle request failed because of contention");
                Problem::busy("Other requests kept changing the same data. Nothing was saved; try again.")
            }
            Self::KeyReused(error) => error.into_problem(),
            Self::Cursor(error) => error.into_problem(),
            Self::NoLongerAllowed(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}

const SOLD_AGAIN: &str =
    "It was returned and sold again. `fresh` is the current ticket; send its version to continue.";

/// Creates the problem of a request that came too late. It contains the current record.
fn conflict(
    name: &'static str,
    title: &'static str,
    detail: impl Into<String>,
    fresh: &impl Serialize,
) -> Problem {
    Problem::new(StatusCode::CONFLICT, name, title, detail).with("fresh", json!(fresh))
}
