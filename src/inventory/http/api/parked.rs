//! Dead letters in the API: list, read, retry and dismiss.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::fields::{Fields, FromFields, text};
use crate::base::identity::SignedIn;
use crate::base::values::Invalid;
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::inventory::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, Note};
use crate::inventory::groups::{Decided, Decision, Group};
use crate::inventory::store::DeadLetterPage;
use crate::store::idempotency::{Answer, Idempotency};
use crate::web::access::Access;
use crate::web::change::{self, Change, ChangeBody, NoBody};
use crate::web::error::WebError;
use crate::web::extract::{JsonRequest, Path, Query};
use crate::web::lists::{Listed, limit, parameter};
use crate::web::problem::Problem;
use crate::web::respond::{answer, no_content};
use crate::web::routes::Routes;
use http::request::Parts;

pub fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/api/inventory/parked", Access::Agent, list)
        .post("/api/inventory/parked/retry", Access::Agent, retry_group)
        .post("/api/inventory/parked/dismiss", Access::Agent, dismiss_group)
        .get("/api/inventory/parked/{id}", Access::Agent, read)
        .post("/api/inventory/parked/{id}/retry", Access::Agent, retry)
        .delete("/api/inventory/parked/{id}", Access::Agent, dismiss)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    status: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(inventory): State<Inventory>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<DeadLetter>>, Problem> {
    let status = parameter("status", parameters.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    let limit = limit(parameters.limit)?;
    let DeadLetterPage { dead_letters, next } =
        inventory.list_dead_letters(status, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: dead_letters, next }))
}

/// A dead letter with the received message: as text if it is UTF-8, else in base64.
#[derive(Debug, Serialize)]
struct DeadLetterWithContent<'a> {
    #[serde(flatten)]
    dead_letter: &'a DeadLetter,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    Base64(String),
}

async fn read(State(inventory): State<Inventory>, Path(id): Path<DeadLetterId>) -> Result<Answer, Problem> {
    let (dead_letter, raw) = inventory.find_dead_letter(id).await?;
    let content = match String::from_utf8(raw) {
        Ok(text) => Content::Text(text),
        Err(bytes) => Content::Base64(STANDARD.encode(bytes.as_bytes())),
    };
    let version = dead_letter.version.get();
    Ok(answer(StatusCode::OK, &DeadLetterWithContent { dead_letter: &dead_letter, content }, version, None))
}

fn shown(dead_letter: &DeadLetter) -> Answer {
    answer(StatusCode::OK, dead_letter, dead_letter.version.get(), None)
}

async fn retry(
    State(inventory): State<Inventory>,
    change: Change<DeadLetterId, NoBody>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&shown));
    let done = inventory.retry_idempotent(change.id, change.version, &by, idempotency.as_ref()).await?;
    Ok(done.answer(shown))
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
        let words = Invalid::new("Only a dismissal can have a note; leave it out.");
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
    let decision = Decision::Dismiss(note);
    Ok(decided("dismissed", &inventory.decide(&group, &decision, &who.actor(), cursor.as_deref()).await?))
}

/// The dismissal of a dead letter: its address may have the parameters `version` and `note`.
#[derive(Debug)]
pub struct Dismissal {
    /// Why it needs no retry.
    pub note: Option<Note>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DismissalParameters {
    version: Option<String>,
    note: Option<String>,
}

impl ChangeBody for Dismissal {
    fn check(_: &Parts) -> Result<(), WebError> {
        Ok(())
    }

    fn read(parts: &Parts, _: &[u8]) -> Result<(Option<Version>, Self), WebError> {
        let DismissalParameters { version, note } = change::parameters(parts)?;
        let note = parameter("note", note, str::parse)?;
        Ok((parameter("version", version, str::parse)?, Self { note }))
    }
}

async fn dismiss(
    State(inventory): State<Inventory>,
    change: Change<DeadLetterId, Dismissal>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&|_: &DeadLetter| no_content()));
    let Change { id, version, body: Dismissal { note }, .. } = change;
    let dismiss = async { Ok(inventory.dismiss(id, version, note, &by, idempotency.as_ref()).await?) };
    let done = Idempotency::run::<Problem>(idempotency.as_ref(), &inventory.dynamo, dismiss).await?;
    Ok(done.answer(|_| no_content()))
}
