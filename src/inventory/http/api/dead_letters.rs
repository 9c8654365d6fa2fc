//! Dead letters in the API: list, read, retry and dismiss.

use serde_json::{Value, json};

use crate::base::fields::{Fields, FromFields, text};
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{DeadLetter, DeadLetterId, Note};
use crate::inventory::groups::{Decided, Decision, Group};
use crate::inventory::http::content::Content;
use crate::shared::api::*;
use crate::shared::dead_letters::api::{dismiss, list, retry};

pub fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/api/inventory/parked", Access::Viewer, list::<Inventory>)
        .post("/api/inventory/parked/retry", Access::Agent, retry_group)
        .post("/api/inventory/parked/dismiss", Access::Agent, dismiss_group)
        .get("/api/inventory/parked/{id}", Access::Viewer, read)
        .post("/api/inventory/parked/{id}/retry", Access::Agent, retry::<Inventory>)
        .delete("/api/inventory/parked/{id}", Access::Agent, dismiss::<Inventory>)
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
