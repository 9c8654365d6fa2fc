//! Dead letters in the API: list, read, retry and dismiss.

use serde_json::{Value, json};

use crate::base::fields::{Fields, FromFields, text};
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{DeadLetter, DeadLetterId, Note};
use crate::inventory::groups::{Decided, Decision, Group};
use crate::inventory::http::content::Content;
use crate::shared::api::*;
use crate::shared::dead_letters::requests::{Dismissal, ListParameters};

pub fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/api/inventory/parked", Access::Viewer, list)
        .post("/api/inventory/parked/retry", Access::Agent, retry_group)
        .post("/api/inventory/parked/dismiss", Access::Agent, dismiss_group)
        .get("/api/inventory/parked/{id}", Access::Viewer, read)
        .post("/api/inventory/parked/{id}/retry", Access::Agent, retry)
        .delete("/api/inventory/parked/{id}", Access::Agent, dismiss)
}

async fn list(
    State(inventory): State<Inventory>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<DeadLetter>>, Problem> {
    let (status, limit, cursor) = parameters.read()?;
    Ok(Json(inventory.list_dead_letters(status, limit, cursor.as_deref()).await?))
}

/// A dead letter with the received message.
#[derive(Debug, Serialize)]
struct DeadLetterWithContent<'a> {
    #[serde(flatten)]
    dead_letter: &'a DeadLetter,
    #[serde(flatten)]
    content: Content,
}

async fn read(State(inventory): State<Inventory>, Path(id): Path<DeadLetterId>) -> Result<Answer, Problem> {
    let (dead_letter, raw) = inventory.find_dead_letter(id).await?;
    let (content, version) = (Content::from(raw), dead_letter.version.get());
    Ok(answer(StatusCode::OK, &DeadLetterWithContent { dead_letter: &dead_letter, content }, version, None))
}

fn dead_letter_answer(dead_letter: &DeadLetter) -> Answer {
    answer(StatusCode::OK, dead_letter, dead_letter.version.get(), None)
}

async fn retry(
    State(inventory): State<Inventory>,
    change: Change<DeadLetterId, EmptyBody>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&dead_letter_answer));
    let retry = inventory.retry(change.id, change.version, &by, idempotency.as_ref());
    let done = Idempotency::run(idempotency.as_ref(), &inventory.dynamo, retry).await?;
    Ok(done.answer(dead_letter_answer))
}

async fn dismiss(
    State(inventory): State<Inventory>,
    change: Change<DeadLetterId, Dismissal>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&|_: &DeadLetter| no_content()));
    let Change { id, version, body: Dismissal { note }, .. } = change;
    let dismiss = inventory.dismiss(id, version, note, &by, idempotency.as_ref());
    let done = Idempotency::run(idempotency.as_ref(), &inventory.dynamo, dismiss).await?;
    Ok(done.answer(|_| no_content()))
}

/// The dead letters to decide about, and the cursor of the previous answer. No answer is stored under an
/// `Idempotency-Key`, because a group spans many transactions. Decided dead letters are no longer open, so repeating
/// the request continues.
#[derive(Debug)]
struct GroupBody {
    group: Group,
    note: Option<Note>,
    cursor: Option<String>,
}

impl FromFields for GroupBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let group = Group { reason: fields.optional("reason", text), sku: fields.optional("sku", text) };
        Some(Self { group, note: fields.optional("note", text), cursor: fields.optional("cursor", text) })
    }
}

/// Answers with the number `applied` or `dismissed`, the refused dead letters, and the cursor of the next request.
fn decided(what: &str, Decided { done, refused, next }: &Decided) -> Json<Value> {
    Json(json!({ what: done, "refused": refused, "next": next }))
}

async fn retry_group(
    State(inventory): State<Inventory>,
    who: SignedIn,
    request: JsonRequest<GroupBody>,
) -> Result<Json<Value>, Problem> {
    let GroupBody { group, note, cursor } = request.body;
    if note.is_some() {
        let words = Invalid::new("Only a dismissal can have a note. Leave it out.");
        return Err(WebError::field("note", &words).into());
    }
    let done = inventory.decide(&group, &Decision::Retry, &who.actor(), cursor.as_deref()).await?;
    Ok(decided("applied", &done))
}

async fn dismiss_group(
    State(inventory): State<Inventory>,
    who: SignedIn,
    request: JsonRequest<GroupBody>,
) -> Result<Json<Value>, Problem> {
    let GroupBody { group, note, cursor } = request.body;
    let done = inventory.decide(&group, &Decision::Dismiss(note), &who.actor(), cursor.as_deref()).await?;
    Ok(decided("dismissed", &done))
}
