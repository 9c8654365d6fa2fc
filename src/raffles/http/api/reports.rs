//! Reports about a raffle: the proof of its draw for everyone; tickets, CSV export, sales and history for
//! administrators.

use http::header;

use super::address;
use crate::raffles::Raffles;
use crate::raffles::domain::{Point, RaffleEntry, RaffleId, RaffleStatus, Ticket};
use crate::shared::api::*;
use crate::shared::audit_log::AuditActor;
use crate::shared::exports::{ExportCursor, ExportPart};
use crate::web::respond::{csv_part, header_text};

pub fn routes() -> Routes<Raffles> {
    Routes::default()
        .get("/api/raffles/{id}/proof", Access::SignedIn, proof)
        .get("/api/raffles/{id}/tickets", Access::Administrator, tickets)
        .get("/api/raffles/{id}/tickets/csv", Access::Administrator, export)
        .get("/api/raffles/{id}/sales", Access::Administrator, sales)
        .get("/api/raffles/{id}/history", Access::Administrator, history)
}

/// Returns the published proof of the draw. After the draw, the response is a file to download.
async fn proof(State(raffles): State<Raffles>, Path(id): Path<RaffleId>) -> Result<Response, Problem> {
    let proof = raffles.proof(id).await?;
    let drawn = proof.status == RaffleStatus::Closed;
    let mut response = Json(proof).into_response();
    if drawn {
        let file = format!("attachment; filename=\"raffle-{id}.json\"");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, header_text(&file));
    }
    Ok(response)
}

async fn tickets(
    State(raffles): State<Raffles>,
    Path(id): Path<RaffleId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Ticket>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(raffles.tickets(id, limit, cursor.as_deref()).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportParameters {
    cursor: Option<String>,
}

async fn export(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    Query(ExportParameters { cursor }): Query<ExportParameters>,
) -> Result<Response, Problem> {
    let cursor = ExportCursor::read(cursor);
    let ExportPart { csv, next } = raffles.export_part(id, cursor.position()).await?;
    let entry = raffles.record_export(id, &cursor, &AuditActor::from(&who)).await?;
    let next = next.map(|position| ExportCursor::next(entry, &position));
    // A cursor contains no characters that need escaping in a URL.
    let next =
        next.map(|cursor| (context.url(&format!("{}/tickets/csv?cursor={cursor}", address(id))), cursor));
    Ok(csv_part("tickets.csv", csv, next))
}

async fn sales(
    State(raffles): State<Raffles>,
    Path(id): Path<RaffleId>,
) -> Result<Json<Listed<Point>>, Problem> {
    Ok(Json(Listed { items: raffles.sales(id).await?, next: None }))
}

async fn history(
    State(raffles): State<Raffles>,
    Path(id): Path<RaffleId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<RaffleEntry>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(raffles.history(id, limit, cursor.as_deref()).await?))
}
