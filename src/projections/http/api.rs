//! The JSON API of dead letters, for administrators.

use serde_json::Value;

use crate::projections::Projections;
use crate::projections::dead_letters::domain::DeadLetter;
use crate::projections::dead_letters::store::Stored;
use crate::shared::api::*;
use crate::shared::dead_letters::DeadLetterId;
use crate::shared::dead_letters::api::{dismiss, list, retry};
use crate::store::{Item, StoreError, from_item};

/// Returns the routes.
pub fn routes() -> Routes<Projections> {
    Routes::default()
        .get("/api/automation/dead-letters", Access::Administrator, list::<Projections>)
        .get("/api/automation/dead-letters/{id}", Access::Administrator, read)
        .post("/api/automation/dead-letters/{id}/retry", Access::Administrator, retry::<Projections>)
        .delete("/api/automation/dead-letters/{id}", Access::Administrator, dismiss::<Projections>)
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
