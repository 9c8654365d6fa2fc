//! The pages of rules and their runs.
//!
//! What always holds: every form works without JavaScript; whoever loses a race gets the fresh rule beside what they
//! typed, and a form that goes on from there.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::domain::{Rule, RuleChange, RuleId};
use super::error::RuleError;
use super::forms::{Messages, Typed};
use super::runs::{self, Overview, RunFilter, RunId, RunPage, RunState};
use super::views::{ConflictView, RulePage, RuleView, RulesPage, RunView};
use super::{running, store};
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::StoreError;
use crate::dynamo::ledger::{Answer as Kept, Once, OnceOnly};
use crate::error::AppError;
use crate::leads::forms::RawForm;
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, InPath, InQuery};
use crate::web::lists::parameter;
use crate::web::pages::Shell;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};

/// The address of the list.
const PATH: &str = "/automation/rules";
/// Runs on one page.
const RUNS: u16 = 25;

/// The routes of the pages.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get(PATH, Access::Agent, list)
        .post(PATH, Access::Administrator, create)
        .get("/automation/rules/new", Access::Administrator, new)
        .get("/automation/rules/{id}", Access::Administrator, edit)
        .post("/automation/rules/{id}", Access::Administrator, save)
        .post("/automation/rules/{id}/switch", Access::Administrator, switch)
        .post("/automation/rules/{id}/delete", Access::Administrator, delete)
        .post("/automation/runs/{id}/retry", Access::Administrator, retry)
}

type Answer = Result<Response, AppError>;

/// Which runs the list shows.
#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    rule: Option<String>,
    cursor: Option<String>,
}

async fn list(State(app): State<App>, shell: Shell, InQuery(query): InQuery<ListQuery>) -> Answer {
    let page = page(&app, shell, query, None).await?;
    html(StatusCode::OK, &page)
}

async fn page(
    app: &App,
    shell: Shell,
    query: ListQuery,
    refusal: Option<String>,
) -> Result<RulesPage, AppError> {
    let rule: Option<RuleId> = parameter("rule", query.rule, str::parse)?;
    let rules = store::all(app).await?;
    let cursor = query.cursor.filter(|text| !text.is_empty());
    let filter = RunFilter { rule, state: None };
    let ids: Vec<RuleId> = rules.iter().map(|rule| rule.id).collect();
    let Overview { parked, page, last } = runs::overview(app, &ids, filter, RUNS, cursor.as_deref()).await?;
    let RunPage { runs, next } = page;
    let of = rule.map(|id| format!("rule={id}&")).unwrap_or_default();
    Ok(RulesPage {
        refusal,
        of_rule: rule
            .and_then(|id| rules.iter().find(|rule| rule.id == id))
            .map(|rule| rule.name.to_string()),
        rules: RuleView::all(rules, last),
        parked: parked.into_iter().map(RunView::from).collect(),
        runs: runs.into_iter().map(RunView::from).collect(),
        next: next.map(|cursor| format!("{PATH}?{of}cursor={cursor}#runs")),
        shell,
    })
}

fn form(app: &App, shell: Shell, rule: Option<&Rule>, typed: Typed) -> RulePage {
    RulePage {
        shell,
        rule: rule.map(|rule| (rule.id.to_string(), rule.version.get())),
        base: rule.map(Typed::of_rule).unwrap_or_default(),
        typed,
        wrong: Messages::new(),
        conflict: None,
        key: app.entropy.uuid().to_string(),
    }
}

async fn new(State(app): State<App>, shell: Shell) -> Answer {
    html(StatusCode::OK, &form(&app, shell, None, Typed::empty()))
}

async fn edit(State(app): State<App>, shell: Shell, InPath(id): InPath<RuleId>) -> Answer {
    let rule = store::find(&app, id).await?;
    html(StatusCode::OK, &form(&app, shell, Some(&rule), Typed::of_rule(&rule)))
}

fn done(shell: &Shell, words: &'static str) -> Response {
    with_toast_there(see_other(shell, PATH, false), Tone::Success, words)
}

/// The form as a request that happens once. What was typed is part of it: a page that a browser brought back has an old
/// key.
fn once(app: &App, who: &SignedIn, form: &RawForm, typed: &Typed) -> Option<OnceOnly> {
    let key: uuid::Uuid = form.get("key")?.parse().ok()?;
    let asked = format!("{typed:?}");
    let asked: [&[u8]; 2] = [PATH.as_bytes(), asked.as_bytes()];
    let key = format!("{key}-{}", crate::values::fingerprint(&asked)).parse().ok()?;
    Some(OnceOnly::new(&who.id.to_string(), key, &asked, app.clock.now()))
}

async fn create(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    let typed = Typed::of_form(&raw, "");
    let settings = match typed.settings() {
        Ok(settings) => settings,
        Err(wrong) => {
            let page = RulePage { wrong, ..form(&app, shell, None, typed) };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let answer = |rule: &Rule| -> Kept { answer(StatusCode::CREATED, rule, rule.version.get(), None) };
    let once = once(&app, &who, &raw, &typed).map(|request| Once { request, answer: &answer });
    store::create(&app, settings, &who.actor(), once.as_ref()).await?;
    Ok(done(&shell, "The rule was created."))
}

async fn save(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    InPath(id): InPath<RuleId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    let version = raw.version()?;
    let (typed, base) = (Typed::of_form(&raw, ""), Typed::of_form(&raw, "base."));
    let shown = |wrong| RulePage {
        rule: Some((id.to_string(), version.get())),
        base: base.clone(),
        wrong,
        ..form(&app, shell.clone(), None, typed.clone())
    };
    let change = match typed.change(&base) {
        Ok(change) => change,
        Err(wrong) => return html(StatusCode::UNPROCESSABLE_ENTITY, &shown(wrong)),
    };
    if change.is_empty() {
        return Ok(done(&shell, "Nothing was changed."));
    }
    match store::update(&app, id, version, &change, &who.actor(), None).await {
        Ok(_) => Ok(done(&shell, "The rule was saved.")),
        Err(RuleError::Misfit { field, invalid }) => {
            let wrong = Messages::from([(field, invalid.to_string())]);
            html(StatusCode::UNPROCESSABLE_ENTITY, &shown(wrong))
        }
        Err(RuleError::Conflict(fresh)) => {
            let merged = typed.over(&base, &Typed::of_rule(&fresh));
            let conflict = Some(ConflictView::of(&fresh, &base, &typed));
            let page = RulePage { conflict, ..form(&app, shell, Some(&fresh), merged) };
            html(StatusCode::CONFLICT, &page)
        }
        Err(error) => Err(error.into()),
    }
}

/// The list with why what was asked was not done.
async fn refused(app: &App, shell: Shell, words: String) -> Answer {
    html(StatusCode::CONFLICT, &page(app, shell, ListQuery::default(), Some(words)).await?)
}

fn changed_meanwhile(fresh: &Rule, not_done: &str) -> String {
    format!(
        "“{}” was changed by {} while you were looking at it. {not_done} This is how it is now.",
        fresh.name, fresh.updated_by
    )
}

async fn switch(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    InPath(id): InPath<RuleId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    let enabled = raw.get("enabled") == Some("on");
    let change = RuleChange { enabled: Some(enabled), ..RuleChange::default() };
    match store::update(&app, id, raw.version()?, &change, &who.actor(), None).await {
        Ok(_) if enabled => Ok(done(&shell, "The rule was switched on.")),
        Ok(_) => Ok(done(&shell, "The rule was switched off.")),
        Err(RuleError::Conflict(fresh)) => {
            refused(&app, shell, changed_meanwhile(&fresh, "It was not switched.")).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn delete(
    State(app): State<App>,
    shell: Shell,
    InPath(id): InPath<RuleId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    match store::delete(&app, id, raw.version()?, None).await {
        Ok(()) => Ok(done(&shell, "The rule was deleted.")),
        Err(RuleError::Conflict(fresh)) => {
            refused(&app, shell, changed_meanwhile(&fresh, "It was not deleted.")).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn retry(
    State(app): State<App>,
    shell: Shell,
    InPath(id): InPath<RunId>,
    FormData(raw): FormData<RawForm>,
) -> Answer {
    match running::retry(&app, id, raw.version()?, None).await {
        Ok(_) => Ok(match outcome(&app, id).await? {
            Some(RunState::Done) => done(&shell, "It was run again and is done."),
            _ => with_toast_there(
                see_other(&shell, PATH, false),
                Tone::Error,
                "It was run again and failed again; the reason stands beside it.",
            ),
        }),
        Err(RuleError::RunConflict(_) | RuleError::NotToRepeat) => {
            let words = "This run was tried meanwhile, by somebody else or by itself. This is how it is now.";
            refused(&app, shell, words.to_owned()).await
        }
        Err(RuleError::NotFound(_)) => {
            let words = "The rule of this run was deleted, so there is nothing to run again.";
            refused(&app, shell, words.to_owned()).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn outcome(app: &App, id: RunId) -> Result<Option<RunState>, StoreError> {
    Ok(runs::get(app, id).await?.map(|run| run.state))
}
