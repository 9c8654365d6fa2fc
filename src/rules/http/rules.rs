//! The list of rules and their runs.
//!
//! Invariants: every form works without JavaScript. A person who loses a race sees the current list, and why nothing
//! was done.

use std::collections::HashMap;

use super::form::{FIELDS, Typed};
use super::parts::{ALREADY_SAVED, PATH};
use crate::rules::domain::{RepeatPolicy, Rule, RuleChange, RuleId, Trigger};
use crate::rules::last::LastRun;
use crate::rules::run::{Run, RunFilter, RunId, RunState};
use crate::rules::runs::Overview;
use crate::rules::{RuleError, Rules};
use crate::shared::audit_log::AuditActor;
use crate::shared::pages::*;
use crate::store::idempotency::Done;
use crate::web::lists::{Listed, parameter};
use crate::web::query::address;

/// The number of runs on a page.
const RUNS: u16 = 25;

/// Returns the routes of the page.
pub(super) fn routes() -> Routes<Rules> {
    Routes::default()
        .get(PATH, Access::Viewer, list)
        .post("/automation/rules/{id}/switch", Access::Administrator, switch)
        .post("/automation/rules/{id}/delete", Access::Administrator, delete)
        .post("/automation/runs/{id}/retry", Access::Administrator, retry)
}

async fn list(
    State(rules): State<Rules>,
    context: PageContext,
    Query(query): Query<ListQuery>,
) -> PageAnswer {
    html(StatusCode::OK, &page(&rules, context, query, None).await?)
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
    let Overview { dead_letters, page, last } =
        rules.runs_overview(&ids, filter, RUNS, cursor.as_deref()).await?;
    let Listed { items: runs, next } = page;
    let of = rule.map(|id| id.to_string()).unwrap_or_default();
    Ok(RulesPage {
        refusal,
        of_rule: rule
            .and_then(|id| all.iter().find(|rule| rule.id == id))
            .map(|rule| rule.settings.name.to_string()),
        rules: RuleView::all(all, last),
        dead_letters: dead_letters.into_iter().map(RunView::from).collect(),
        runs: runs.into_iter().map(RunView::from).collect(),
        next: next.map(|cursor| format!("{}#runs", address(PATH, [("rule", of), ("cursor", cursor)]))),
        context,
    })
}

/// Shows the list with the reason why a request was refused.
async fn show_refusal(rules: &Rules, context: PageContext, words: String) -> PageAnswer {
    html(StatusCode::CONFLICT, &page(rules, context, ListQuery::default(), Some(words)).await?)
}

/// Shows the list after a conflict. Other errors are returned.
async fn show_conflict(rules: &Rules, context: PageContext, error: RuleError, not_done: &str) -> PageAnswer {
    let fresh = match error {
        RuleError::Conflict(fresh) => fresh,
        error => return Err(error.into()),
    };
    let (name, by) = (&fresh.settings.name, &fresh.updated_by);
    let words = format!(
        "“{name}” was changed by {by} while this page was open. {not_done} Here's the current version."
    );
    show_refusal(rules, context, words).await
}

async fn switch(
    State(rules): State<Rules>,
    target: RenderTarget,
    Path(id): Path<RuleId>,
    submission: Submission,
) -> PageAnswer {
    let enabled = submission.form.get("enabled") == Some("on");
    let change = RuleChange { enabled: Some(enabled), ..RuleChange::default() };
    let (by, idempotency) = (AuditActor::from(&submission.who), Some(submission.idempotency()));
    match rules.update(id, submission.version()?, &change, &by, idempotency.as_ref()).await {
        Ok(Done::Replayed(_)) => Ok(target.done(PATH, ALREADY_SAVED)),
        Ok(Done::Now(_)) if enabled => Ok(target.done(PATH, "Rule turned on.")),
        Ok(Done::Now(_)) => Ok(target.done(PATH, "Rule turned off.")),
        Err(error) => show_conflict(&rules, target.context, error, "It wasn't changed.").await,
    }
}

async fn delete(
    State(rules): State<Rules>,
    target: RenderTarget,
    Path(id): Path<RuleId>,
    submission: Submission,
) -> PageAnswer {
    let (by, idempotency) = (AuditActor::from(&submission.who), Some(submission.idempotency()));
    match rules.delete(id, submission.version()?, &by, idempotency.as_ref()).await {
        Ok(_) => Ok(target.done(PATH, "Rule deleted.")),
        Err(error) => show_conflict(&rules, target.context, error, "It wasn't deleted.").await,
    }
}

async fn retry(
    State(rules): State<Rules>,
    target: RenderTarget,
    Path(id): Path<RunId>,
    submission: Submission,
) -> PageAnswer {
    let words = match rules.retry(id, submission.version()?, Some(&submission.idempotency())).await {
        Ok(Done::Now(run)) => return Ok(after_retry(&target, run.state)),
        // The same form was sent before.
        Ok(Done::Replayed(_)) => return Ok(after_retry(&target, rules.find_run(id).await?.state)),
        Err(RuleError::RunConflict(_) | RuleError::NotToRepeat) => {
            "This run has changed. Here's its current state."
        }
        Err(RuleError::NotFound(_)) => "The rule of this run was deleted.",
        Err(error) => return Err(error.into()),
    };
    show_refusal(&rules, target.context, words.to_owned()).await
}

/// Returns to the list with the result of a retry.
fn after_retry(target: &RenderTarget, state: RunState) -> Response {
    if state == RunState::Done {
        return target.done(PATH, "The run is done.");
    }
    with_toast_there(target.redirect(PATH), Tone::Error, "The run failed again. See the reason below.")
}

#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    rule: Option<String>,
    cursor: Option<String>,
}

/// All rules and their runs.
#[derive(Template)]
#[template(path = "automation/rules.html", config = "templates/askama.toml")]
struct RulesPage {
    context: PageContext,
    /// Why the last request was refused.
    refusal: Option<String>,
    rules: Vec<RuleView>,
    /// Runs that wait for a person.
    dead_letters: Vec<RunView>,
    /// All runs, newest first.
    runs: Vec<RunView>,
    /// The name of the rule that the runs are filtered by.
    of_rule: Option<String>,
    /// The address of the next page of runs.
    next: Option<String>,
}

struct RuleView {
    id: String,
    name: String,
    on: String,
    what: &'static str,
    conditions: String,
    command: String,
    once: bool,
    enabled: bool,
    version: u64,
    last: Option<LastView>,
}

struct LastView {
    state: RunState,
    at: DisplayTime,
}

impl RuleView {
    /// Returns the rules, each with its last run.
    fn all(rules: Vec<Rule>, last: Vec<LastRun>) -> Vec<Self> {
        let mut last: HashMap<RuleId, LastRun> = last.into_iter().map(|last| (last.rule, last)).collect();
        rules.into_iter().map(|rule| Self::of(&rule, last.remove(&rule.id))).collect()
    }

    fn of(rule: &Rule, last: Option<LastRun>) -> Self {
        let what = match rule.settings.on {
            Trigger::Event(kind) => kind.what(),
            Trigger::Schedule(_) => "on a schedule",
        };
        let fields = Typed::of_rule(rule);
        let condition = |(name, label): (&str, &str)| {
            let text = fields.get(name);
            (!text.is_empty()).then(|| format!("{label}: {text}"))
        };
        let conditions: Vec<String> = FIELDS[3..6].iter().copied().filter_map(condition).collect();
        Self {
            id: rule.id.to_string(),
            name: rule.settings.name.to_string(),
            on: rule.settings.on.to_string(),
            what,
            conditions: conditions.join("; "),
            command: rule.settings.command.to_string(),
            once: rule.settings.repeat == RepeatPolicy::Once,
            enabled: rule.settings.enabled,
            version: rule.version.get(),
            last: last.map(|last| LastView { state: last.state, at: last.at.into() }),
        }
    }
}

struct RunView {
    id: String,
    version: u64,
    rule: String,
    rule_name: String,
    kind: &'static str,
    depth: u8,
    command: String,
    state: RunState,
    result: String,
    attempts: u32,
    at: DisplayTime,
    due: Option<DisplayTime>,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.to_string(),
            version: run.version.get(),
            rule: run.rule.to_string(),
            rule_name: run.rule_name.to_string(),
            kind: run.event.kind.as_str(),
            depth: run.event.depth,
            command: run.command,
            state: run.state,
            result: run.result,
            attempts: run.attempts,
            at: run.updated_at.into(),
            due: run.due.map(DisplayTime::from),
        }
    }
}

impl RunView {
    /// Returns the name of the state's style.
    fn tone(&self) -> &'static str {
        match self.state {
            RunState::Done => "good",
            RunState::Failed | RunState::DeadLetter => "bad",
            RunState::Stopped => "warn",
        }
    }

    fn can_run_again(&self) -> bool {
        matches!(self.state, RunState::Failed | RunState::DeadLetter)
    }
}
