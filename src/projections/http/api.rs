//! The JSON API of dead letters, for administrators.

use serde_json::Value;

use crate::projections::Projections;
use crate::projections::dead_letters::domain::DeadLetter;
use crate::projections::dead_letters::store::Stored;
use crate::shared::api::*;
use crate::shared::dead_letters::DeadLetterId;
use crate::shared::dead_letters::requests::{Dismissal, ListParameters};
use crate::store::{Item, StoreError, from_item};

/// Returns the routes.
pub fn routes() -> Routes<Projections> {
    Routes::default()
        .get("/api/automation/dead-letters", Access::Administrator, list)
        .get("/api/automation/dead-letters/{id}", Access::Administrator, read)
        .post("/api/automation/dead-letters/{id}/retry", Access::Administrator, retry_one)
        .delete("/api/automation/dead-letters/{id}", Access::Administrator, dismiss)
}

async fn list(
    State(projections): State<Projections>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<DeadLetter>>, Problem> {
    let (status, limit, cursor) = parameters.read()?;
    Ok(Json(projections.list_dead_letters(status, limit, cursor.as_deref()).await?))
}

/// A dead letter with the item before and after the change, if the record was stored.
#[derive(Debug, Serialize)]
struct DeadLetterDetail<'a> {
    #[serde(flatten)]
    letter: &'a DeadLetter,
    before: Option<Value>,
    after: Option<Value>,
}

fn as_json(item: Option<Item>) -> Result<Option<Value>, StoreError> {
    item.map(from_item).transpose()
}

async fn read(
    State(projections): State<Projections>,
    Path(id): Path<DeadLetterId>,
) -> Result<Answer, Problem> {
    let Stored { letter, record } = projections.find_dead_letter(id).await?;
    let (before, after) = record.map(|record| (record.before, record.after)).unwrap_or_default();
    let (before, after, version) = (as_json(before)?, as_json(after)?, letter.version.get());
    Ok(answer(StatusCode::OK, &DeadLetterDetail { letter: &letter, before, after }, version, None))
}

fn letter_answer(letter: &DeadLetter) -> Answer {
    answer(StatusCode::OK, letter, letter.version.get(), None)
}

async fn retry_one(
    State(projections): State<Projections>,
    change: Change<DeadLetterId, EmptyBody>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&letter_answer));
    let done = projections.retry_dead_letter(change.id, change.version, &by, idempotency.as_ref()).await?;
    Ok(done.answer(letter_answer))
}

async fn dismiss(
    State(projections): State<Projections>,
    change: Change<DeadLetterId, Dismissal>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&|_: &DeadLetter| no_content()));
    let Change { id, version, body: Dismissal { note }, .. } = change;
    let done = projections.dismiss_dead_letter(id, version, note, &by, idempotency.as_ref()).await?;
    Ok(done.answer(|_| no_content()))
}
