//! The form of a rule, new or edited.
//!
//! Invariants: the form works without JavaScript. A person who loses a race sees the current rule next to what they
//! typed, in a form that they can send again.

use super::form::{FIELDS, Messages, Typed};
use super::parts::{ALREADY_SAVED, PATH};
use crate::base::values::Version;
use crate::commands::specs::SPECS;
use crate::rules::domain::{Rule, RuleId};
use crate::rules::events::EventKind;
use crate::rules::{RuleError, Rules};
use crate::shared::audit_log::AuditActor;
use crate::shared::pages::*;
use crate::store::idempotency::Done;

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

async fn create(State(rules): State<Rules>, target: RenderTarget, submission: Submission) -> PageAnswer {
    let typed = Typed::of_form(&submission.form, "");
    let settings = match typed.settings() {
        Ok(settings) => settings,
        Err(wrong) => {
            let page = RulePage { wrong, ..form(&rules, target.context, None, typed) };
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let idempotency = submission.request_by_key().map(|_| submission.idempotency());
    rules.create(settings, &AuditActor::from(&submission.who), idempotency.as_ref()).await?;
    Ok(target.done(PATH, "Rule created."))
}

async fn save(
    State(rules): State<Rules>,
    target: RenderTarget,
    Path(id): Path<RuleId>,
    submission: Submission,
) -> PageAnswer {
    let edit = Edit::sent(id, &submission)?;
    let change = match edit.typed.change(&edit.base) {
        Ok(change) if change.is_empty() => return Ok(target.done(PATH, "No changes to save.")),
        Ok(change) => change,
        Err(wrong) => return edit.show_errors(&rules, target.context, wrong),
    };
    let (by, idempotency) = (AuditActor::from(&submission.who), Some(submission.idempotency()));
    match rules.update(id, edit.version, &change, &by, idempotency.as_ref()).await {
        Ok(Done::Now(_)) => Ok(target.done(PATH, "Rule saved.")),
        Ok(Done::Replayed(_)) => Ok(target.done(PATH, ALREADY_SAVED)),
        Err(RuleError::Validation { field, invalid }) => {
            edit.show_errors(&rules, target.context, Messages::from([(field, invalid.to_string())]))
        }
        Err(RuleError::Conflict(fresh)) => edit.show_conflict(&rules, target.context, &fresh),
        Err(error) => Err(error.into()),
    }
}

/// An edit of a rule, as sent.
struct Edit {
    id: RuleId,
    /// The version that the person saw.
    version: Version,
    typed: Typed,
    /// The fields as the person saw them.
    base: Typed,
}

impl Edit {
    fn sent(id: RuleId, Submission { form, .. }: &Submission) -> Result<Self, WebError> {
        let (typed, base) = (Typed::of_form(form, ""), Typed::of_form(form, "base."));
        Ok(Self { id, version: form.version()?, typed, base })
    }

    /// Shows the form as it was sent, with its errors.
    fn show_errors(self, rules: &Rules, context: PageContext, wrong: Messages) -> PageAnswer {
        let rule = Some((self.id.to_string(), self.version.get()));
        let page = RulePage { rule, base: self.base, wrong, ..form(rules, context, None, self.typed) };
        html(StatusCode::UNPROCESSABLE_ENTITY, &page)
    }

    /// Shows the edits on top of the current rule, after another person changed it.
    fn show_conflict(self, rules: &Rules, context: PageContext, fresh: &Rule) -> PageAnswer {
        let conflict = Some(ConflictView::of(fresh, &self.base, &self.typed));
        let merged = self.typed.merge(&self.base, &Typed::of_rule(fresh));
        let page = RulePage { conflict, ..form(rules, context, Some(fresh), merged) };
        html(StatusCode::CONFLICT, &page)
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
    /// The idempotency key: a form that is sent twice creates one rule.
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
