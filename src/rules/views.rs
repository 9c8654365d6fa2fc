//! The pages of rules.

use std::collections::HashMap;

use askama::Template;

use super::domain::{Rule, RuleId, Trigger};
use super::forms::{FIELDS, Messages, Typed};
use super::last::LastRun;
use crate::base::identity::Role;
use crate::commands::specs::{CommandSpec, SPECS};
use crate::rules::events::EventKind;
use crate::rules::run::{Run, RunState};
use crate::web::pages::{DisplayTime, PageContext};

fn changes_rules(context: &PageContext) -> bool {
    context.account.as_ref().is_some_and(|account| account.role == Role::Administrator)
}

/// All rules and their runs.
#[derive(Template)]
#[template(path = "automation/rules.html")]
pub(super) struct RulesPage {
    pub(super) context: PageContext,
    /// Why the last request was refused.
    pub(super) refusal: Option<String>,
    pub(super) rules: Vec<RuleView>,
    /// Runs that wait for a person.
    pub(super) parked: Vec<RunView>,
    /// All runs, newest first.
    pub(super) runs: Vec<RunView>,
    /// The name of the rule that the runs are filtered by.
    pub(super) of_rule: Option<String>,
    /// The address of the next page of runs.
    pub(super) next: Option<String>,
}

impl RulesPage {
    fn is_admin(&self) -> bool {
        changes_rules(&self.context)
    }
}

/// A rule in the list.
pub(super) struct RuleView {
    id: String,
    name: String,
    on: String,
    what: String,
    conditions: String,
    command: String,
    once: bool,
    enabled: bool,
    version: u64,
    last: Option<LastView>,
}

/// The last run of a rule.
struct LastView {
    state: RunState,
    at: DisplayTime,
}

impl From<LastRun> for LastView {
    fn from(last: LastRun) -> Self {
        Self { state: last.state, at: last.at.into() }
    }
}

impl RuleView {
    /// Returns the rules, each with its last run.
    pub(super) fn all(rules: Vec<Rule>, last: Vec<LastRun>) -> Vec<Self> {
        let mut last: HashMap<RuleId, LastRun> = last.into_iter().map(|last| (last.rule, last)).collect();
        rules.into_iter().map(|rule| Self::of(&rule, last.remove(&rule.id))).collect()
    }

    fn of(rule: &Rule, last: Option<LastRun>) -> Self {
        let what = match rule.on {
            Trigger::Event(kind) => kind.what().to_owned(),
            Trigger::Schedule(_) => "by the clock".to_owned(),
        };
        let fields = Typed::of_rule(rule);
        let condition = |(name, label): (&str, &str)| {
            let text = fields.get(name);
            (!text.is_empty()).then(|| format!("{label}: {text}"))
        };
        let conditions: Vec<String> = FIELDS[3..6].iter().copied().filter_map(condition).collect();
        Self {
            id: rule.id.to_string(),
            name: rule.name.to_string(),
            on: rule.on.to_string(),
            what,
            conditions: conditions.join("; "),
            command: rule.command.to_string(),
            once: rule.repeat == super::domain::RepeatPolicy::Once,
            enabled: rule.enabled,
            version: rule.version.get(),
            last: last.map(Into::into),
        }
    }
}

/// A run in the lists.
pub(super) struct RunView {
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
            RunState::Failed | RunState::Parked => "bad",
            RunState::Stopped => "warn",
        }
    }

    fn can_run_again(&self) -> bool {
        matches!(self.state, RunState::Failed | RunState::Parked)
    }
}

/// The form of a rule. It also shows a conflict.
#[derive(Template)]
#[template(path = "automation/rule.html")]
pub(super) struct RulePage {
    pub(super) context: PageContext,
    /// The id and version of the edited rule; `None` for a new rule.
    pub(super) rule: Option<(String, u64)>,
    pub(super) typed: Typed,
    /// The fields as the person saw them.
    pub(super) base: Typed,
    pub(super) wrong: Messages,
    pub(super) conflict: Option<ConflictView>,
    /// The key that makes a repeated form one rule.
    pub(super) key: String,
}

impl RulePage {
    fn value(&self, name: &str) -> &str {
        self.typed.get(name)
    }

    fn error(&self, name: &str) -> Option<&str> {
        self.wrong.get(name).map(String::as_str)
    }

    fn fields(&self) -> [(&'static str, &'static str); 9] {
        FIELDS
    }

    fn kinds(&self) -> [EventKind; 9] {
        EventKind::ALL
    }

    fn specs(&self) -> &'static [CommandSpec] {
        &SPECS
    }

    fn heading(&self) -> &'static str {
        if self.rule.is_some() { "Edit rule" } else { "New rule" }
    }
}

/// Another person's changes to a rule while it was edited.
pub(super) struct ConflictView {
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
    pub(super) fn of(fresh: &Rule, base: &Typed, typed: &Typed) -> Self {
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
