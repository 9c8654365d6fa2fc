//! A raffle's page for administrators: tickets with their owners, sales, history, and the draw.

use axum::extract::State;
use futures_util::future::try_join3;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::raffles::Raffles;
use crate::raffles::domain::{RaffleId, TicketNumber};
use crate::raffles::error::RaffleError;
use crate::raffles::views::{ManagePage, TicketRow, TicketRowFragment};
use crate::web::access::Access;
use crate::web::extract::{Path, Query};
use crate::web::pages::PageContext;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast_there};
use crate::web::routes::Routes;

pub fn routes() -> Routes<Raffles> {
    Routes::default().get("/raffles/{id}/tickets", Access::Administrator, show).post(
        "/raffles/{id}/draw",
        Access::Administrator,
        draw,
    )
}

/// The tickets of one page.
const TICKETS: u16 = 50;
/// The history entries of one page.
const HISTORY: u16 = 20;

/// The cursors of the page's two lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ManageQuery {
    cursor: String,
    history: String,
}

async fn show(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    Query(query): Query<ManageQuery>,
) -> Answer {
    html(StatusCode::OK, &page(&raffles, context, id, &who, query).await?)
}

fn cursor(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

async fn page(
    raffles: &Raffles,
    context: PageContext,
    id: RaffleId,
    who: &SignedIn,
    query: ManageQuery,
) -> Result<ManagePage, RaffleError> {
    let ((state, sales), tickets, history) = try_join3(
        raffles.read_with_sales(id, who),
        raffles.tickets(id, TICKETS, cursor(&query.cursor)),
        raffles.history(id, HISTORY, cursor(&query.history)),
    )
    .await?;
    Ok(ManagePage::new(context, state, tickets, history, &sales, query.cursor))
}

async fn draw(
    State(raffles): State<Raffles>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<RaffleId>,
) -> Answer {
    let words = match raffles.draw(id, &who, None).await {
        Ok(_) => "The winner is drawn.",
        // Another administrator has just drawn the winner. There is one winner, so the result is the same.
        Err(RaffleError::Drawn(_)) => "The winner was drawn already: this is the result.",
        Err(RaffleError::NothingSold) => {
            let page = page(&raffles, context, id, &who, ManageQuery::default()).await?;
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page.refused());
        }
        Err(error) => return Err(error.into()),
    };
    let redirect = see_other(&context, &format!("/raffles/{id}"), fragment);
    Ok(with_toast_there(redirect, Tone::Success, words))
}

/// Cancels a ticket in the list, of any owner, at the version that the list shows.
pub async fn cancel(
    raffles: &Raffles,
    context: PageContext,
    fragment: bool,
    who: &SignedIn,
    (id, number): (RaffleId, TicketNumber),
    version: Option<Version>,
    cursor: &str,
) -> Answer {
    let (tone, words) = match raffles.cancel(id, number, version, who, None).await {
        Ok(_) => (Tone::Success, "The ticket is back in the pool."),
        Err(RaffleError::NoSuchTicket(_)) => (Tone::Info, "That ticket was given back already."),
        Err(RaffleError::Drawn(_)) => (Tone::Info, "The winner is drawn: no ticket is given back any more."),
        Err(RaffleError::TicketConflict(fresh)) => {
            let row = TicketRow::of(&fresh).overtaken();
            if fragment {
                let part = TicketRowFragment { context, id, is_open: true, cursor: cursor.to_owned(), row };
                return html(StatusCode::CONFLICT, &part);
            }
            let query = ManageQuery { cursor: cursor.to_owned(), ..ManageQuery::default() };
            let page = page(raffles, context, id, who, query).await?;
            return html(StatusCode::CONFLICT, &page.with(row));
        }
        Err(error) => return Err(error.into()),
    };
    let query = serde_urlencoded::to_string([("cursor", cursor)]).unwrap_or_default();
    let path = match cursor {
        "" => format!("/raffles/{id}/tickets"),
        _ => format!("/raffles/{id}/tickets?{query}"),
    };
    Ok(with_toast_there(see_other(&context, &path, fragment), tone, words))
}
