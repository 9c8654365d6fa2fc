//! The form of a rule, new or edited.
//!
//! Invariants: the form works without JavaScript. A person who loses a race sees the current rule next to what they
//! typed, in a form that they can send again.

use super::form::{FIELDS, Messages, Typed};
use super::parts::{PATH, done};
use crate::commands::specs::SPECS;
use crate::rules::domain::{Rule, RuleId};
use crate::rules::events::EventKind;
use crate::rules::{RuleError, Rules};
use crate::shared::audit_log::AuditActor;
use crate::shared::forms::RawForm;
use crate::shared::pages::*;
use crate::store::idempotency::{Answer, Idempotency};
use crate::web::respond::answer;

/// Returns the routes of the page.
pub(super) fn routes() -> Routes<Rules> {
    Routes::default()
        .post(PATH, Access::Administrator, create)
        .get("/automation/rules/new", Access::Administrator, new)
        .get("/automation/rules/{id}", Access::Administrator, edit)
        .post("/automation/rules/{id}", Access::Administrator, save)
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

async fn new(State(rules): State<Rules>, context: PageContext) -> PageAnswer {
    html(StatusCode::OK, &form(&rules, context, None, Typed::empty()))
}

async fn edit(State(rules): State<Rules>, context: PageContext, Path(id): Path<RuleId>) -> PageAnswer {
    let rule = rules.find(id).await?;
    html(StatusCode::OK, &form(&rules, context, Some(&rule), Typed::of_rule(&rule)))
}

async fn create(
    State(rules): State<Rules>,
    context: PageContext,
    who: SignedIn,
    FormData(raw): FormData<RawForm>,
) -> PageAnswer {
    let typed = Typed::of_form(&raw, "");
    let settings = match typed.settings() {
        Ok(settings) => settings,
        Err(wrong) => {
            let page = RulePage { wrong, ..form(&rules, context, None, typed) };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let answer = |rule: &Rule| -> Answer { answer(StatusCode::CREATED, rule, rule.version.get(), None) };
    let request = raw.request_by_key(PATH, &who, rules.clock.now());
    let idempotency = request.map(|request| Idempotency { request, answer: &answer });
    rules.create(settings, &AuditActor::from(&who), idempotency.as_ref()).await?;
    Ok(done(&context, "Rule created."))
}

async fn save(
    State(rules): State<Rules>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RuleId>,
    FormData(raw): FormData<RawForm>,
) -> PageAnswer {
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
        return Ok(done(&context, "No changes to save."));
    }
    match rules.update(id, version, &change, &AuditActor::from(&who), None).await {
        Ok(_) => Ok(done(&context, "Rule saved.")),
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

/// The form of a rule. It also shows a conflict.
#[derive(Template)]
#[template(path = "automation/rule.html", config = "templates/askama.toml")]
struct RulePage {
    context: PageContext,
    /// The id and version of the edited rule; `None` for a new rule.
    rule: Option<(String, u64)>,
    typed: Typed,
    /// The fields as the person saw them.
    base: Typed,
    wrong: Messages,
    conflict: Option<ConflictView>,
    /// The key that makes a repeated form one rule.
    key: String,
}

impl RulePage {
    fn error(&self, name: &str) -> Option<&str> {
        self.wrong.get(name).map(String::as_str)
    }

    fn heading(&self) -> &'static str {
        if self.rule.is_some() { "Edit rule" } else { "New rule" }
    }
}

/// Another person's changes to a rule while it was edited.
struct ConflictView {
    who: String,
    when: DisplayTime,
    fields: Vec<ConflictField>,
}

struct ConflictField {
    label: &'static str,
    now: String,
    yours: String,
    /// Whether both people changed it differently.
    overlaps: bool,
}

impl ConflictView {
    /// Returns the fields that the fresh rule or the person changed from what the person saw.
    fn of(fresh: &Rule, base: &Typed, typed: &Typed) -> Self {
        let now = Typed::of_rule(fresh);
        let field = |(name, label): (&str, &'static str)| {
            let (was, is, mine) = (base.get(name), now.get(name), typed.get(name));
            let shown = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
            (is != was || mine != was).then(|| ConflictField {
                label,
                now: shown(is),
                yours: if mine == was { "not changed".to_owned() } else { shown(mine) },
                overlaps: is != was && mine != was && is != mine,
            })
        };
        let fields = FIELDS.into_iter().filter_map(field).collect();
        Self { who: fresh.updated_by.to_string(), when: fresh.updated_at.into(), fields }
    }
}
