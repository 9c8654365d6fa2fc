//! Parked messages for programs: listed, looked at, retried, dismissed.

use axum::Json;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once};
use crate::error::AppError;
use crate::fields::{Fields, FromFields, text};
use crate::inventory::domain::{Note, Parked, ParkedId, ParkedStatus};
use crate::inventory::groups::{self, Decided, Decision, Group};
use crate::inventory::store::{self, ParkedPage};
use crate::values::Invalid;
use crate::web::access::{Access, Routes};
use crate::web::extract::{
    InPath, InQuery, JsonRequest, WebError, WithKey, expected_version, if_match, version_of,
};
use crate::web::lists::{Listed, limit, parameter};
use crate::web::respond::{answer, no_content};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
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
    State(app): State<App>,
    InQuery(parameters): InQuery<ListParameters>,
) -> Result<Json<Listed<Parked>>, AppError> {
    let status = parameter("status", parameters.status, str::parse)?.unwrap_or(ParkedStatus::Open);
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    let limit = limit(parameters.limit)?;
    let ParkedPage { parked, next } = store::list_parked(&app, status, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: parked, next }))
}

/// A parked message with what came: as text where it is one, else in base64.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    parked: &'a Parked,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    Base64(String),
}

async fn read(State(app): State<App>, InPath(id): InPath<ParkedId>) -> Result<Answer, AppError> {
    let (parked, raw) = store::find_parked(&app, id).await?;
    let content = match String::from_utf8(raw) {
        Ok(text) => Content::Text(text),
        Err(bytes) => Content::Base64(STANDARD.encode(bytes.as_bytes())),
    };
    let version = parked.version.get();
    Ok(answer(StatusCode::OK, &Whole { parked: &parked, content }, version, None))
}

fn shown(parked: &Parked) -> Answer {
    answer(StatusCode::OK, parked, parked.version.get(), None)
}

async fn retry(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<ParkedId>,
    request: Request,
) -> Result<Answer, AppError> {
    let (version, once) = version_of(&app, request).await?;
    let once = once.map(|request| Once { request, answer: &shown });
    Ok(store::retry_once(&app, id, version, &who.actor(), once.as_ref()).await?.answer(shown))
}

/// Which dead letters, and where the request before ended. Nothing is kept under an `Idempotency-Key`, for these are many
/// transactions: what was decided is not open any more, so the same request again goes on.
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

/// What came of a group: `applied` or `dismissed`, those that stay, and where the next request goes on.
fn decided(what: &str, Decided { done, refused, next }: &Decided) -> Json<Value> {
    Json(json!({ what: done, "refused": refused, "next": next }))
}

async fn retry_group(
    State(app): State<App>,
    who: SignedIn,
    request: JsonRequest<GroupBody>,
) -> Result<Json<Value>, AppError> {
    let GroupBody { group, note, cursor } = request.body;
    if note.is_some() {
        let words = Invalid::new("Only what is dismissed has a note; leave it out.");
        return Err(WebError::field("note", &words).into());
    }
    let done = groups::decide(&app, &group, &Decision::Retry, &who.actor(), cursor.as_deref()).await?;
    Ok(decided("applied", &done))
}

async fn dismiss_group(
    State(app): State<App>,
    who: SignedIn,
    request: JsonRequest<GroupBody>,
) -> Result<Json<Value>, AppError> {
    let GroupBody { group, note, cursor } = request.body;
    let decision = Decision::Dismiss(note);
    Ok(decided("dismissed", &groups::decide(&app, &group, &decision, &who.actor(), cursor.as_deref()).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DismissParameters {
    version: Option<String>,
    note: Option<String>,
}

async fn dismiss(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<ParkedId>,
    InQuery(parameters): InQuery<DismissParameters>,
    headers: HeaderMap,
    WithKey(once): WithKey,
) -> Result<Answer, AppError> {
    let version = parameter("version", parameters.version, str::parse)?;
    let note: Option<Note> = parameter("note", parameters.note, str::parse)?;
    let version = expected_version(version, if_match(&headers)?)?;
    let once = once.map(|request| Once { request, answer: &|_: &Parked| no_content() });
    let dismiss = async { Ok(store::dismiss(&app, id, version, note, &who.actor(), once.as_ref()).await?) };
    Ok(Once::run::<AppError>(once.as_ref(), &app.dynamo, dismiss).await?.answer(|_| no_content()))
}
