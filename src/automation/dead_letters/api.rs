//! The JSON API of dead letters, for administrators.

use axum::Json;
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus};
use super::retry;
use super::store::{self, DeadLetterPage, Stored};
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once};
use crate::dynamo::{Item, StoreError, from_item};
use crate::error::AppError;
use crate::inventory::domain::Note;
use crate::web::access::{Access, Routes};
use crate::web::extract::{InPath, InQuery, expected_version, if_match, version_of};
use crate::web::lists::{Listed, limit, parameter};
use crate::web::respond::answer;

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
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
    State(app): State<App>,
    InQuery(parameters): InQuery<ListParameters>,
) -> Result<Json<Listed<DeadLetter>>, AppError> {
    let status = parameter("status", parameters.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    let limit = limit(parameters.limit)?;
    let DeadLetterPage { letters, next } = store::list(&app, status, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: letters, next }))
}

/// A dead letter with the item as it was before and after, if the record was kept.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    letter: &'a DeadLetter,
    before: Option<Value>,
    after: Option<Value>,
}

/// An item as JSON.
fn as_json(item: Option<Item>) -> Result<Option<Value>, StoreError> {
    item.map(from_item).transpose()
}

async fn read(State(app): State<App>, InPath(id): InPath<DeadLetterId>) -> Result<Answer, AppError> {
    let Stored { letter, record } = store::find(&app, id).await?;
    let (mut before, mut after) = (None, None);
    if let Some(record) = record {
        before = as_json(record.before)?;
        after = as_json(record.after)?;
    }
    let version = letter.version.get();
    Ok(answer(StatusCode::OK, &Whole { letter: &letter, before, after }, version, None))
}

fn shown(letter: &DeadLetter) -> Answer {
    answer(StatusCode::OK, letter, letter.version.get(), None)
}

async fn retry_one(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<DeadLetterId>,
    request: Request,
) -> Result<Answer, AppError> {
    let (version, once) = version_of(&app, request).await?;
    let once = once.map(|request| Once { request, answer: &shown });
    Ok(retry::retry(&app, id, version, &who.actor(), once.as_ref()).await?.answer(shown))
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
    InPath(id): InPath<DeadLetterId>,
    InQuery(parameters): InQuery<DismissParameters>,
    headers: HeaderMap,
) -> Result<StatusCode, AppError> {
    let version = parameter("version", parameters.version, str::parse)?;
    let note: Option<Note> = parameter("note", parameters.note, str::parse)?;
    let version = expected_version(version, if_match(&headers)?)?;
    retry::dismiss(&app, id, version, note, &who.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
