//! What is told of a raffle beside its state: the proof of its draw for everybody; its tickets, their export, its sales
//! and its history for administrators.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Deserialize;

use super::address;
use crate::app::App;
use crate::error::AppError;
use crate::raffle::domain::{Point, RaffleEntry, RaffleId, RaffleStatus, Ticket};
use crate::raffle::export::{Part, part};
use crate::raffle::store::{self, HistoryPage, TicketPage};
use crate::web::access::{Access, Routes};
use crate::web::extract::{InPath, InQuery};
use crate::web::lists::{Listed, PageParameters};
use crate::web::pages::Shell;
use crate::web::respond::{csv_part, header_text};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/api/raffles/{id}/proof", Access::SignedIn, proof)
        .get("/api/raffles/{id}/tickets", Access::Administrator, tickets)
        .get("/api/raffles/{id}/tickets/csv", Access::Administrator, export)
        .get("/api/raffles/{id}/sales", Access::Administrator, sales)
        .get("/api/raffles/{id}/history", Access::Administrator, history)
}

/// What is published of the draw. Once it is whole it is a file to keep.
async fn proof(State(app): State<App>, InPath(id): InPath<RaffleId>) -> Result<Response, AppError> {
    let proof = store::proof(&app, id).await?;
    let drawn = proof.status == RaffleStatus::Closed;
    let mut response = Json(proof).into_response();
    if drawn {
        let file = format!("attachment; filename=\"raffle-{id}.json\"");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, header_text(&file));
    }
    Ok(response)
}

async fn tickets(
    State(app): State<App>,
    InPath(id): InPath<RaffleId>,
    InQuery(parameters): InQuery<PageParameters>,
) -> Result<Json<Listed<Ticket>>, AppError> {
    let (limit, cursor) = parameters.read()?;
    let TicketPage { tickets, next } = store::tickets(&app, id, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: tickets, next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportParameters {
    cursor: Option<String>,
}

async fn export(
    State(app): State<App>,
    shell: Shell,
    InPath(id): InPath<RaffleId>,
    InQuery(ExportParameters { cursor }): InQuery<ExportParameters>,
) -> Result<Response, AppError> {
    let cursor = cursor.filter(|text| !text.is_empty());
    let Part { csv, next } = part(&app, id, cursor.as_deref()).await?;
    // A cursor has nothing in it that an address would have to escape.
    let next =
        next.map(|cursor| (shell.url(&format!("{}/tickets/csv?cursor={cursor}", address(id))), cursor));
    Ok(csv_part("tickets.csv", csv, next))
}

async fn sales(
    State(app): State<App>,
    InPath(id): InPath<RaffleId>,
) -> Result<Json<Listed<Point>>, AppError> {
    Ok(Json(Listed { items: store::sales(&app, id).await?, next: None }))
}

async fn history(
    State(app): State<App>,
    InPath(id): InPath<RaffleId>,
    InQuery(parameters): InQuery<PageParameters>,
) -> Result<Json<Listed<RaffleEntry>>, AppError> {
    let (limit, cursor) = parameters.read()?;
    let HistoryPage { entries, next } = store::history(&app, id, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: entries, next }))
}
