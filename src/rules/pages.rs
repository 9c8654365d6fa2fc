//! The pages of rules and their runs.
//!
//! Invariants: every form works without JavaScript. A person who loses a race sees the fresh rule next to what they
//! typed, in a form that continues from there.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::domain::{Rule, RuleChange, RuleId};
use super::error::RuleError;
use super::forms::{Messages, Typed};
use super::runs::{Overview, RunPage};
use super::views::{ConflictView, RulePage, RuleView, RulesPage, RunView};
use crate::base::identity::SignedIn;
use crate::leads::forms::RawForm;
use crate::rules::Rules;
use crate::rules::run::{RunFilter, RunId, RunState};
use crate::store::StoreError;
use crate::store::idempotency::{Answer as SavedAnswer, Idempotency, IdempotentRequest};
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::lists::parameter;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};
use crate::web::routes::Routes;

/// The address of the list.
const PATH: &str = "/automation/rules";
/// The number of runs on a page.
const RUNS: u16 = 25;

/// Returns the routes of the pages.
pub fn routes() -> Routes<Rules> {
    Routes::default()
        .get(PATH, Access::Agent, list)
        .post(PATH, Access::Administrator, create)
        .get("/automation/rules/new", Access::Administrator, new)
        .get("/automation/rules/{id}", Access::Administrator, edit)
        .post("/automation/rules/{id}", Access::Administrator, save)
        .post("/automation/rules/{id}/switch", Access::Administrator, switch)
        .post("/automation/rules/{id}/delete", Access::Administrator, delete)
        .post("/automation/runs/{id}/retry", Access::Administrator, retry)
}

type Answer = Result<Response, Problem>;

/// The query of the list.
#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    rule: Option<String>,
    cursor: Option<String>,
}

async fn list(State(rules): State<Rules>, context: PageContext, Query(query): Query<ListQuery>) -> Answer {
    let page = page(&rules, context, query, None).await?;
    html(StatusCode::OK, &page)
}

async fn page(
    rules: &Rules,
    context: PageContext,
    query: ListQuery,
    refusal: Option<String>,
) -> Result<RulesPage, Problem> {
    let rule: Option<RuleId> = parameter("rule", query.rule, str::parse)?;
    let all = rules.all().await?;
    let cursor = query.cursor.filter(|text| !text.is_empty());
    let filter = RunFilter { rule, state: None };
    let ids: Vec<RuleId> = all.iter().map(|rule| rule.id).collect();
    let Overview { parked, page, last } = rules.runs_overview(&ids, filter, RUNS, cursor.as_deref()).await?;
    let RunPage { runs, next } = page;
    let of = rule.map(|id| format!("rule={id}&")).unwrap_or_default();
    Ok(RulesPage {
        refusal,
        of_rule: rule.and_then(|id| all.iter().find(|rule| rule.id == id)).map(|rule| rule.name.to_string()),
        rules: RuleView::all(all, last),
        parked: parked.into_iter().map(RunView::from).collect(),
        runs: runs.into_iter().map(RunView::from).collect(),
        next: next.map(|cursor| format!("{PATH}?{of}cursor={cursor}#runs")),
        context,
    })
}

fn form(rules: &Rules, context: PageContext, rule: Option<&Rule>, typed: Typed) -> RulePage {
    RulePage {
        context,
        rule: rule.map(|rule| (rule.id.to_string(), rule.version.get())),
        base: rule.map(Typed::of_rule).unwrap_or_default(),
        typed,
        wrong: Messages::new(),
        conflict: None,
        key: rules.rng.uuid().to_string(),
    }
}

async fn new(State(rules): State<Rules>, context: PageContext) -> Answer {
    html(StatusCode::OK, &form(&rules, context, None, Typed::empty()))
}

async fn edit(State(rules): State<Rules>, context: PageContext, Path(id): Path<RuleId>) -> Answer {
    let rule = rules.find(id).await?;
    html(StatusCode::OK, &form(&rules, context, Some(&rule), Typed::of_rule(&rule)))
}

fn done(context: &PageContext, words: &'static str) -> Response {
    with_toast_there(see_other(context, PATH, false), Tone::Success, words)
}

/// Returns the form as an idempotent request. The typed text is part of the key, because a page from the browser's
/// history has an old key.
fn once(rules: &Rules, who: &SignedIn, form: &RawForm, typed: &Typed) -> Option<IdempotentRequest> {
    let key: uuid::Uuid = form.get("key")?.parse().ok()?;
    let content = format!("{typed:?}");
    let content: [&[u8]; 2] = [PATH.as_bytes(), content.as_bytes()];
    let key = format!("{key}-{}", crate::base::values::fingerprint(&content)).parse().ok()?;
    Some(IdempotentRequest::new(&who.id.to_string(), key, &content, rules.clock.now()))
}

async fn create(
    State(rules): State<Rules>,
    context: PageContext,
    who: SignedIn,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    let typed = Typed::of_form(&raw, "");
    let settings = match typed.settings() {
        Ok(settings) => settings,
        Err(wrong) => {
            let page = RulePage { wrong, ..form(&rules, context, None, typed) };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let answer = |rule: &Rule| -> SavedAnswer { answer(StatusCode::CREATED, rule, rule.version.get(), None) };
    let idempotency =
        once(&rules, &who, &raw, &typed).map(|request| Idempotency { request, answer: &answer });
    rules.create(settings, &who.actor(), idempotency.as_ref()).await?;
    Ok(done(&context, "The rule was created."))
}

async fn save(
    State(rules): State<Rules>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RuleId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    let version = raw.version()?;
    let (typed, base) = (Typed::of_form(&raw, ""), Typed::of_form(&raw, "base."));
    let page_with = |wrong| RulePage {
        rule: Some((id.to_string(), version.get())),
        base: base.clone(),
        wrong,
        ..form(&rules, context.clone(), None, typed.clone())
    };
    let change = match typed.change(&base) {
        Ok(change) => change,
        Err(wrong) => return html(StatusCode::UNPROCESSABLE_ENTITY, &page_with(wrong)),
    };
    if change.is_empty() {
        return Ok(done(&context, "Nothing was changed."));
    }
    match rules.update(id, version, &change, &who.actor(), None).await {
        Ok(_) => Ok(done(&context, "The rule was saved.")),
        Err(RuleError::Validation { field, invalid }) => {
            let wrong = Messages::from([(field, invalid.to_string())]);
            html(StatusCode::UNPROCESSABLE_ENTITY, &page_with(wrong))
        }
        Err(RuleError::Conflict(fresh)) => {
            let merged = typed.merge(&base, &Typed::of_rule(&fresh));
            let conflict = Some(ConflictView::of(&fresh, &base, &typed));
            let page = RulePage { conflict, ..form(&rules, context, Some(&fresh), merged) };
            html(StatusCode::CONFLICT, &page)
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows the list with the reason why a request was refused.
async fn show_refusal(rules: &Rules, context: PageContext, words: String) -> Answer {
    html(StatusCode::CONFLICT, &page(rules, context, ListQuery::default(), Some(words)).await?)
}

fn conflict_message(fresh: &Rule, not_done: &str) -> String {
    format!(
        "“{}” was changed by {} while you were looking at it. {not_done} This is how it is now.",
        fresh.name, fresh.updated_by
    )
}

async fn switch(
    State(rules): State<Rules>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RuleId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    let enabled = raw.get("enabled") == Some("on");
    let change = RuleChange { enabled: Some(enabled), ..RuleChange::default() };
    match rules.update(id, raw.version()?, &change, &who.actor(), None).await {
        Ok(_) if enabled => Ok(done(&context, "The rule was switched on.")),
        Ok(_) => Ok(done(&context, "The rule was switched off.")),
        Err(RuleError::Conflict(fresh)) => {
            show_refusal(&rules, context, conflict_message(&fresh, "It was not switched.")).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn delete(
    State(rules): State<Rules>,
    context: PageContext,
    Path(id): Path<RuleId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    match rules.delete(id, raw.version()?, None).await {
        Ok(()) => Ok(done(&context, "The rule was deleted.")),
        Err(RuleError::Conflict(fresh)) => {
            show_refusal(&rules, context, conflict_message(&fresh, "It was not deleted.")).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn retry(
    State(rules): State<Rules>,
    context: PageContext,
    Path(id): Path<RunId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    match rules.retry(id, raw.version()?, None).await {
        Ok(_) => Ok(match outcome(&rules, id).await? {
            Some(RunState::Done) => done(&context, "It was run again and is done."),
            _ => with_toast_there(
                see_other(&context, PATH, false),
                Tone::Error,
                "It was run again and failed again; the reason stands beside it.",
            ),
        }),
        Err(RuleError::RunConflict(_) | RuleError::NotToRepeat) => {
            let words = "This run was tried meanwhile, by somebody else or by itself. This is how it is now.";
            show_refusal(&rules, context, words.to_owned()).await
        }
        Err(RuleError::NotFound(_)) => {
            let words = "The rule of this run was deleted, so there is nothing to run again.";
            show_refusal(&rules, context, words.to_owned()).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn outcome(rules: &Rules, id: RunId) -> Result<Option<RunState>, StoreError> {
    Ok(rules.get_run(id).await?.map(|run| run.state))
}
