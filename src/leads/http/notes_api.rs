//! The JSON API of the notes on leads.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::body::NoteBody;
use crate::base::identity::SignedIn;
use crate::leads::Leads;
use crate::leads::domain::{LeadId, Note, NoteId};
use crate::store::idempotency::{Answer, Idempotency};
use crate::web::access::Access;
use crate::web::change::{Change, Deletion};
use crate::web::extract::{JsonRequest, Path, PathPair, Query};
use crate::web::lists::{Listed, PageParameters};
use crate::web::problem::Problem;
use crate::web::respond::{answer, no_content};
use crate::web::routes::Routes;

/// Returns the routes of notes.
pub fn routes() -> Routes<Leads> {
    Routes::default()
        .get("/api/leads/{id}/notes", Access::Viewer, list)
        .post("/api/leads/{id}/notes", Access::Agent, add)
        .patch("/api/leads/{id}/notes/{note}", Access::Agent, edit)
        .delete("/api/leads/{id}/notes/{note}", Access::Agent, delete)
}

async fn list(
    State(leads): State<Leads>,
    Path(id): Path<LeadId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Note>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(leads.notes_of(id, limit, cursor.as_deref()).await?))
}

async fn add(
    State(leads): State<Leads>,
    Path(id): Path<LeadId>,
    who: SignedIn,
    request: JsonRequest<NoteBody>,
) -> Result<Answer, Problem> {
    let created = |note: &Note| answer(StatusCode::CREATED, note, note.version.get(), None);
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &created });
    Ok(leads.add_note(id, request.body.text, &who, idempotency.as_ref()).await?.answer(created))
}

fn edited(note: &Note) -> Answer {
    answer(StatusCode::OK, note, note.version.get(), None)
}

async fn edit(
    State(leads): State<Leads>,
    PathPair(lead, note): PathPair<LeadId, NoteId>,
    change: Change<LeadId, NoteBody>,
) -> Result<Answer, Problem> {
    let idempotency = change.idempotency(&edited);
    let Change { version, body, who, .. } = change;
    let done = leads.edit_note((lead, note), version, body.text, &who, idempotency.as_ref()).await?;
    Ok(done.answer(edited))
}

async fn delete(
    State(leads): State<Leads>,
    PathPair(lead, note): PathPair<LeadId, NoteId>,
    change: Change<LeadId, Deletion>,
) -> Result<Answer, Problem> {
    let idempotency = change.idempotency(&|()| no_content());
    let Change { version, who, .. } = &change;
    let done = leads.delete_note((lead, note), *version, who, idempotency.as_ref()).await?;
    Ok(done.answer(|()| no_content()))
}
