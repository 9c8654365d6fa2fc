//! Failures about raffles → status and words.

use http::StatusCode;
use serde_json::json;

use super::{Problem, bad_cursor, busy, key_of_another_request, store_problem, web_problem};
use crate::raffle::RaffleError;
use crate::web::extract::WebError;

pub(super) fn problem(error: RaffleError) -> Problem {
    use StatusCode as S;
    match error {
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
        RaffleError::VersionMissing => web_problem(WebError::VersionMissing),
        RaffleError::Misfit { field, invalid } => web_problem(WebError::field(field, &invalid)),
        RaffleError::Crowded => {
            tracing::warn!(%error, "a request about a raffle gave way");
            busy("Others were faster until the deadline. Nothing was written; trying again in a moment is safe.")
        }
        RaffleError::KeyOfAnotherRequest => key_of_another_request(),
        RaffleError::Cursor(error) => bad_cursor(error),
        RaffleError::Store(error) => store_problem(&error),
    }
}
