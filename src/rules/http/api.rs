//! The JSON API of rules and their runs.
//!
//! Invariants: viewers and agents can read, and administrators can change; every change names the version that it is based on;
//! a POST with an `Idempotency-Key` takes effect once.

use crate::base::fields::{Fields, FromFields, boolean, text, whole_number};
use crate::rules::Rules;
use crate::rules::domain::{Conditions, Rule, RuleChange, RuleId, Settings};
use crate::rules::run::{Run, RunFilter, RunId};
use crate::shared::api::*;
use crate::shared::audit_log::AuditActor;

/// Returns the routes of the API.
pub fn routes() -> Routes<Rules> {
    Routes::default()
        .get("/api/automation/rules", Access::Viewer, list)
        .post("/api/automation/rules", Access::Administrator, create)
        .get("/api/automation/rules/{id}", Access::Viewer, read)
        .patch("/api/automation/rules/{id}", Access::Administrator, change)
        .delete("/api/automation/rules/{id}", Access::Administrator, delete)
        .get("/api/automation/runs", Access::Viewer, list_runs)
        .get("/api/automation/runs/{id}", Access::Viewer, read_run)
        .post("/api/automation/runs/{id}/retry", Access::Administrator, retry)
}

async fn list(
    State(rules): State<Rules>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Rule>>, Problem> {
    // There are at most 100 rules, so a page without a limit contains them all.
    let (limit, cursor) = parameters.read_or(100)?;
    Ok(Json(rules.list(limit, cursor.as_deref()).await?))
}

impl FromFields for Conditions {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            states: fields.optional_not_null_list("states", text).unwrap_or_default(),
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
        let repeat = fields.optional_not_null("repeat", text).unwrap_or_default();
        let enabled = fields.optional_not_null("enabled", boolean).unwrap_or(true);
        Some(Self { name: name?, on: on?, conditions, command: command?, repeat, enabled })
    }
}

async fn create(
    State(rules): State<Rules>,
    context: PageContext,
    who: SignedIn,
    request: JsonRequest<Settings>,
) -> Result<Answer, Problem> {
    let answer = |rule: &Rule| {
        let location = context.url(&format!("/api/automation/rules/{}", rule.id));
        answer(StatusCode::CREATED, rule, rule.version.get(), Some(location))
    };
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
    let done = rules.create(request.body, &AuditActor::from(&who), idempotency.as_ref()).await?;
    Ok(done.answer(answer))
}

fn rule_answer(rule: &Rule) -> Answer {
    answer(StatusCode::OK, rule, rule.version.get(), None)
}

async fn read(State(rules): State<Rules>, Path(id): Path<RuleId>) -> Result<Answer, Problem> {
    Ok(rule_answer(&rules.find(id).await?))
}

/// A partial change: missing fields keep their values.
impl FromFields for RuleChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.optional_not_null("name", text),
            on: fields.optional_not_null("on", text),
            conditions: fields.nested("conditions"),
            command: fields.optional_not_null("command", text),
            repeat: fields.optional_not_null("repeat", text),
            enabled: fields.optional_not_null("enabled", boolean),
        })
    }
}

async fn change(State(rules): State<Rules>, change: Change<RuleId, RuleChange>) -> Result<Answer, Problem> {
    if change.body.is_empty() {
        let message =
            "Nothing to change. Send at least one of name, on, conditions, command, repeat, enabled.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    let (by, idempotency) = (AuditActor::from(&change.who), change.idempotency(&rule_answer));
    let done = rules.update(change.id, change.version, &change.body, &by, idempotency.as_ref()).await?;
    Ok(done.answer(rule_answer))
}

async fn delete(State(rules): State<Rules>, change: Change<RuleId, Deletion>) -> Result<Answer, Problem> {
    let (by, idempotency) = (AuditActor::from(&change.who), change.idempotency(&|()| no_content()));
    let done = rules.delete(change.id, change.version, &by, idempotency.as_ref()).await?;
    Ok(done.answer(|()| no_content()))
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
    State(rules): State<Rules>,
    Query(parameters): Query<RunParameters>,
) -> Result<Json<Listed<Run>>, Problem> {
    let filter = RunFilter {
        rule: parameter("rule", parameters.rule, str::parse)?,
        state: parameter("state", parameters.state, str::parse)?,
    };
    let RunParameters { limit, cursor, .. } = parameters;
    let (limit, cursor) = PageParameters { limit, cursor }.read()?;
    Ok(Json(rules.list_runs(filter, limit, cursor.as_deref()).await?))
}

fn run_answer(run: &Run) -> Answer {
    answer(StatusCode::OK, run, run.version.get(), None)
}

async fn read_run(State(rules): State<Rules>, Path(id): Path<RunId>) -> Result<Answer, Problem> {
    Ok(run_answer(&rules.find_run(id).await?))
}

async fn retry(State(rules): State<Rules>, change: Change<RunId, EmptyBody>) -> Result<Answer, Problem> {
    let idempotency = change.idempotency(&run_answer);
    Ok(rules.retry(change.id, change.version, idempotency.as_ref()).await?.answer(run_answer))
}
