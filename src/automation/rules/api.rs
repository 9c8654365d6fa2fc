//! The JSON API of rules and their runs.
//!
//! What always holds: agents read, administrators change; every change names the version it is of; a POST with an
//! `Idempotency-Key` happens once.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::domain::{Conditions, Rule, RuleChange, RuleId, Settings};
use super::running;
use super::runs::{self, Run, RunFilter, RunId};
use super::store;
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once};
use crate::error::AppError;
use crate::fields::{Fields, FromFields, boolean, text, whole_number};
use crate::values::Version;
use crate::web::access::{Access, Routes};
use crate::web::extract::{
    InPath, InQuery, JsonRequest, VersionBody, WebError, WithKey, expected_version, if_match,
};
use crate::web::lists::{Listed, PageParameters, limit, parameter};
use crate::web::pages::Shell;
use crate::web::respond::{answer, no_content};

/// The routes of the API.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/api/automation/rules", Access::Agent, list)
        .post("/api/automation/rules", Access::Administrator, create)
        .get("/api/automation/rules/{id}", Access::Agent, read)
        .patch("/api/automation/rules/{id}", Access::Administrator, change)
        .delete("/api/automation/rules/{id}", Access::Administrator, delete)
        .get("/api/automation/runs", Access::Agent, list_runs)
        .get("/api/automation/runs/{id}", Access::Agent, read_run)
        .post("/api/automation/runs/{id}/retry", Access::Administrator, retry)
}

async fn list(
    State(app): State<App>,
    InQuery(parameters): InQuery<PageParameters>,
) -> Result<Json<Listed<Rule>>, AppError> {
    // There are at most 100, so that is what a page has that names no limit.
    let (limit, cursor) = parameters.read_or(100)?;
    let store::RulePage { rules, next } = store::list(&app, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: rules, next }))
}

impl FromFields for Conditions {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            states: fields.present_list("states", text).unwrap_or_default(),
            score_at_least: fields.optional("scoreAtLeast", whole_number),
            quantity_at_least: fields.optional("quantityAtLeast", whole_number),
        })
    }
}

impl FromFields for Settings {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, on) = (fields.required("name", text), fields.required("on", text));
        let conditions = fields.nested("conditions").unwrap_or_default();
        let command = fields.required("command", text);
        let repeat = fields.present("repeat", text).unwrap_or_default();
        let enabled = fields.present("enabled", boolean).unwrap_or(true);
        Some(Self { name: name?, on: on?, conditions, command: command?, repeat, enabled })
    }
}

async fn create(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    request: JsonRequest<Settings>,
) -> Result<Answer, AppError> {
    let answer = |rule: &Rule| {
        let location = shell.url(&format!("/api/automation/rules/{}", rule.id));
        answer(StatusCode::CREATED, rule, rule.version.get(), Some(location))
    };
    let once = request.once.map(|request| Once { request, answer: &answer });
    let done = store::create(&app, request.body, &who.actor(), once.as_ref()).await?;
    Ok(done.answer(answer))
}

fn shown(rule: &Rule) -> Answer {
    answer(StatusCode::OK, rule, rule.version.get(), None)
}

async fn read(State(app): State<App>, InPath(id): InPath<RuleId>) -> Result<Answer, AppError> {
    Ok(shown(&store::find(&app, id).await?))
}

/// A partial change: fields that are missing stay.
#[derive(Debug)]
struct ChangeBody {
    version: Option<Version>,
    change: RuleChange,
}

impl FromFields for ChangeBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let version = fields.optional("version", whole_number);
        let change = RuleChange {
            name: fields.present("name", text),
            on: fields.present("on", text),
            conditions: fields.nested("conditions"),
            command: fields.present("command", text),
            repeat: fields.present("repeat", text),
            enabled: fields.present("enabled", boolean),
        };
        Some(Self { version, change })
    }
}

async fn change(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<RuleId>,
    request: JsonRequest<ChangeBody>,
) -> Result<Answer, AppError> {
    let version = request.version(request.body.version)?;
    let change = request.body.change;
    if change.is_empty() {
        let message =
            "The change is empty; send at least one of name, on, conditions, command, repeat, enabled.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    let once = request.once.map(|request| Once { request, answer: &shown });
    let update = async { Ok(store::update(&app, id, version, &change, &who.actor(), once.as_ref()).await?) };
    Ok(Once::run::<AppError>(once.as_ref(), &app.dynamo, update).await?.answer(shown))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteParameters {
    version: Option<String>,
}

async fn delete(
    State(app): State<App>,
    InPath(id): InPath<RuleId>,
    InQuery(parameters): InQuery<DeleteParameters>,
    headers: HeaderMap,
    WithKey(once): WithKey,
) -> Result<Answer, AppError> {
    let version = parameter("version", parameters.version, str::parse)?;
    let version = expected_version(version, if_match(&headers)?)?;
    let once = once.map(|request| Once { request, answer: &|()| no_content() });
    let delete = async { Ok(store::delete(&app, id, version, once.as_ref()).await?) };
    Ok(Once::run::<AppError>(once.as_ref(), &app.dynamo, delete).await?.answer(|()| no_content()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunParameters {
    rule: Option<String>,
    state: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list_runs(
    State(app): State<App>,
    InQuery(parameters): InQuery<RunParameters>,
) -> Result<Json<Listed<Run>>, AppError> {
    let filter = RunFilter {
        rule: parameter("rule", parameters.rule, str::parse)?,
        state: parameter("state", parameters.state, str::parse)?,
    };
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    let page = runs::list(&app, filter, limit(parameters.limit)?, cursor.as_deref()).await?;
    Ok(Json(Listed { items: page.runs, next: page.next }))
}

fn shown_run(run: &Run) -> Answer {
    answer(StatusCode::OK, run, run.version.get(), None)
}

async fn read_run(State(app): State<App>, InPath(id): InPath<RunId>) -> Result<Answer, AppError> {
    Ok(shown_run(&runs::find(&app, id).await?))
}

async fn retry(
    State(app): State<App>,
    InPath(id): InPath<RunId>,
    request: JsonRequest<VersionBody>,
) -> Result<Answer, AppError> {
    let version = request.version(request.body.version)?;
    let once = request.once.map(|request| Once { request, answer: &shown_run });
    let done = running::retry(&app, id, version, once.as_ref()).await?;
    Ok(done.answer(shown_run))
}
