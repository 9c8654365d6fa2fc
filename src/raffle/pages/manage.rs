//! What administrators see of a raffle: its tickets with their owners, its sales and its history; and the draw.

use axum::extract::State;
use futures_util::future::try_join3;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::raffle::domain::{RaffleId, TicketNumber};
use crate::raffle::error::RaffleError;
use crate::raffle::store;
use crate::raffle::views::{ManagePage, TicketRow, TicketRowPart};
use crate::values::Version;
use crate::web::access::{Access, Routes};
use crate::web::extract::{InPath, InQuery};
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast_there};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app).get("/raffles/{id}/tickets", Access::Administrator, show).post(
        "/raffles/{id}/draw",
        Access::Administrator,
        draw,
    )
}

/// Tickets on one page.
const TICKETS: u16 = 50;
/// Entries of the history on one page.
const HISTORY: u16 = 20;

/// Where the lists of the page begin.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ManageQuery {
    cursor: String,
    history: String,
}

async fn show(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    InPath(id): InPath<RaffleId>,
    InQuery(query): InQuery<ManageQuery>,
) -> Answer {
    html(StatusCode::OK, &page(&app, shell, id, &who, query).await?)
}

fn cursor(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

async fn page(
    app: &App,
    shell: Shell,
    id: RaffleId,
    who: &SignedIn,
    query: ManageQuery,
) -> Result<ManagePage, RaffleError> {
    let ((state, sales), tickets, history) = try_join3(
        store::read_with_sales(app, id, who),
        store::tickets(app, id, TICKETS, cursor(&query.cursor)),
        store::history(app, id, HISTORY, cursor(&query.history)),
    )
    .await?;
    Ok(ManagePage::new(shell, state, tickets, history, &sales, query.cursor))
}

async fn draw(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    InPath(id): InPath<RaffleId>,
) -> Answer {
    let words = match store::draw(&app, id, &who, None).await {
        Ok(_) => "The winner is drawn.",
        // Somebody else drew a moment ago: there is one winner, and this is it.
        Err(RaffleError::Drawn(_)) => "The winner was drawn already: this is the result.",
        Err(RaffleError::NothingSold) => {
            let page = page(&app, shell, id, &who, ManageQuery::default()).await?;
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page.refused());
        }
        Err(error) => return Err(error.into()),
    };
    let there = see_other(&shell, &format!("/raffles/{id}"), fragment);
    Ok(with_toast_there(there, Tone::Success, words))
}

/// Gives a ticket back that stands in the list: anybody's, at the version that the list shows.
pub async fn cancel(
    app: &App,
    shell: Shell,
    fragment: bool,
    who: &SignedIn,
    (id, number): (RaffleId, TicketNumber),
    version: Option<Version>,
    cursor: &str,
) -> Answer {
    let (tone, words) = match store::cancel(app, id, number, version, who, None).await {
        Ok(_) => (Tone::Success, "The ticket is back in the pool."),
        Err(RaffleError::NoSuchTicket(_)) => (Tone::Info, "That ticket was given back already."),
        Err(RaffleError::Drawn(_)) => (Tone::Info, "The winner is drawn: no ticket is given back any more."),
        Err(RaffleError::TicketConflict(fresh)) => {
            let row = TicketRow::of(&fresh).overtaken();
            if fragment {
                let part = TicketRowPart { shell, id, is_open: true, cursor: cursor.to_owned(), row };
                return html(StatusCode::CONFLICT, &part);
            }
            let query = ManageQuery { cursor: cursor.to_owned(), ..ManageQuery::default() };
            let page = page(app, shell, id, who, query).await?;
            return html(StatusCode::CONFLICT, &page.with(row));
        }
        Err(error) => return Err(error.into()),
    };
    let query = serde_urlencoded::to_string([("cursor", cursor)]).unwrap_or_default();
    let path = match cursor {
        "" => format!("/raffles/{id}/tickets"),
        _ => format!("/raffles/{id}/tickets?{query}"),
    };
    Ok(with_toast_there(see_other(&shell, &path, fragment), tone, words))
}
