//! The JSON API of dead letters, for administrators.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus};
use super::store::{DeadLetterPage, Stored};
use crate::inventory::Dismissal;
use crate::projections::Projections;
use crate::store::idempotency::Answer;
use crate::store::{Item, StoreError, from_item};
use crate::web::access::Access;
use crate::web::change::{Change, NoBody};
use crate::web::extract::{Path, Query};
use crate::web::lists::{Listed, limit, parameter};
use crate::web::problem::Problem;
use crate::web::respond::answer;
use crate::web::routes::Routes;

/// Returns the routes.
pub fn routes() -> Routes<Projections> {
    Routes::default()
        .get("/api/automation/dead-letters", Access::Administrator, list)
        .get("/api/automation/dead-letters/{id}", Access::Administrator, read)
        .post("/api/automation/dead-letters/{id}/retry", Access::Administrator, retry_one)
        .delete("/api/automation/dead-letters/{id}", Access::Administrator, dismiss)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    status: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(projections): State<Projections>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<DeadLetter>>, Problem> {
    let status = parameter("status", parameters.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    let limit = limit(parameters.limit)?;
    let DeadLetterPage { letters, next } =
        projections.list_dead_letters(status, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: letters, next }))
}

/// A dead letter with the item before and after the change, if the record was stored.
#[derive(Debug, Serialize)]
struct DeadLetterDetail<'a> {
    #[serde(flatten)]
    letter: &'a DeadLetter,
    before: Option<Value>,
    after: Option<Value>,
}

/// Converts an item to JSON.
fn as_json(item: Option<Item>) -> Result<Option<Value>, StoreError> {
    item.map(from_item).transpose()
}

async fn read(
    State(projections): State<Projections>,
    Path(id): Path<DeadLetterId>,
) -> Result<Answer, Problem> {
    let Stored { letter, record } = projections.find_dead_letter(id).await?;
    let (mut before, mut after) = (None, None);
    if let Some(record) = record {
        before = as_json(record.before)?;
        after = as_json(record.after)?;
    }
    let version = letter.version.get();
    Ok(answer(StatusCode::OK, &DeadLetterDetail { letter: &letter, before, after }, version, None))
}

fn letter_answer(letter: &DeadLetter) -> Answer {
    answer(StatusCode::OK, letter, letter.version.get(), None)
}

async fn retry_one(
    State(projections): State<Projections>,
    change: Change<DeadLetterId, NoBody>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&letter_answer));
    let done = projections.retry_dead_letter(change.id, change.version, &by, idempotency.as_ref()).await?;
    Ok(done.answer(letter_answer))
}

async fn dismiss(
    State(projections): State<Projections>,
    change: Change<DeadLetterId, Dismissal>,
) -> Result<StatusCode, Problem> {
    let Change { id, version, body: Dismissal { note }, who, .. } = change;
    projections.dismiss_dead_letter(id, version, note, &who.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
