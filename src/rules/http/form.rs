//! The forms of rules: the typed text, its parsing, and all its errors at once. Pure.
//!
//! Invariants: a form can be shown again with every typed character. A change contains only the fields that differ
//! from what the person saw, so two people who edit different fields never overwrite each other.

use std::collections::BTreeMap;

use crate::base::values::{Invalid, UsState};
use crate::orders::domain::RequestedStates;
use crate::rules::domain::{Conditions, Rule, RuleChange, Settings, Trigger};
use crate::rules::events::EventKind;
use crate::shared::forms::RawForm;

/// The fields in form order, with their labels.
pub(super) const FIELDS: [(&str, &str); 9] = [
    ("name", "Name"),
    ("on", "On"),
    ("interval", "Every"),
    ("states", "States"),
    ("scoreAtLeast", "Score at least"),
    ("quantityAtLeast", "Quantity at least"),
    ("command", "Command"),
    ("repeat", "Runs"),
    ("enabled", "Switched on"),
];

/// The fields as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Typed(BTreeMap<&'static str, String>);

/// The error messages, by field.
pub(super) type Messages = BTreeMap<&'static str, String>;

impl Typed {
    /// Reads the fields of a form. A prefix selects another set of fields in the same form.
    pub(super) fn of_form(form: &RawForm, prefix: &str) -> Self {
        let text = |name: &str| form.get(&format!("{prefix}{name}")).unwrap_or_default().trim().to_owned();
        Self(FIELDS.map(|(name, _)| (name, text(name))).into())
    }

    /// Returns the fields of a rule.
    pub(super) fn of_rule(rule: &Rule) -> Self {
        let interval = match rule.on {
            Trigger::Schedule(interval) => interval.to_string(),
            Trigger::Event(_) => String::new(),
        };
        let states: Vec<_> = rule.conditions.states.iter().map(UsState::as_str).collect();
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let texts = [
            rule.name.to_string(),
            rule.on.kind().to_string(),
            interval,
            states.join(", "),
            number(rule.conditions.score_at_least.map(|score| score.get().into())),
            number(rule.conditions.quantity_at_least.map(|quantity| quantity.get())),
            rule.command.to_string(),
            rule.repeat.to_string(),
            if rule.enabled { "on" } else { "" }.to_owned(),
        ];
        Self(FIELDS.map(|(name, _)| name).into_iter().zip(texts).collect())
    }

    /// Returns the fields of a new rule.
    pub(super) fn empty() -> Self {
        let mut typed = Self(FIELDS.map(|(name, _)| (name, String::new())).into());
        typed.0.insert("on", EventKind::LeadCreated.to_string());
        typed.0.insert("repeat", "always".to_owned());
        typed.0.insert("enabled", "on".to_owned());
        typed
    }

    /// Returns the text of a field.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Keeps the fields that differ from `base`, and takes the others from `fresh`.
    pub(super) fn merge(&self, base: &Self, fresh: &Self) -> Self {
        let field = |name: &'static str| {
            let kept = self.get(name) != base.get(name);
            (name, if kept { self.get(name) } else { fresh.get(name) }.to_owned())
        };
        Self(FIELDS.map(|(name, _)| field(name)).into())
    }

    fn on(&self) -> Result<Trigger, (&'static str, Invalid)> {
        if self.get("on") == EventKind::Schedule.as_str() {
            return self
                .get("interval")
                .parse()
                .map(Trigger::Schedule)
                .map_err(|invalid| ("interval", invalid));
        }
        self.get("on").parse().map_err(|invalid| ("on", invalid))
    }

    /// Parses the fields.
    ///
    /// # Errors
    /// All errors.
    pub(super) fn settings(&self) -> Result<Settings, Messages> {
        let mut wrong = Messages::new();
        let mut refuse = |(name, invalid): (&'static str, Invalid)| {
            wrong.insert(name, invalid.to_string());
        };
        let at = |name| move |invalid| (name, invalid);
        let name = self.get("name").parse().map_err(at("name")).map_err(&mut refuse).ok();
        let on = self.on().map_err(&mut refuse).ok();
        let states = match self.get("states") {
            "" => Ok(Vec::new()),
            text => text.parse::<RequestedStates>().map(Vec::from).map_err(at("states")),
        };
        let states = states.map_err(&mut refuse).ok();
        let score = optional(self.get("scoreAtLeast")).map_err(at("scoreAtLeast")).map_err(&mut refuse).ok();
        let quantity = optional(self.get("quantityAtLeast"));
        let quantity = quantity.map_err(at("quantityAtLeast")).map_err(&mut refuse).ok();
        let command = self.get("command").parse().map_err(at("command")).map_err(&mut refuse).ok();
        let repeat = self.get("repeat").parse().map_err(at("repeat")).map_err(&mut refuse).ok();
        let settings = || {
            let conditions =
                Conditions { states: states?, score_at_least: score?, quantity_at_least: quantity? };
            let (name, on, command, repeat) = (name?, on?, command?, repeat?);
            Some(Settings { name, on, conditions, command, repeat, enabled: !self.get("enabled").is_empty() })
        };
        match settings() {
            Some(settings) => {
                settings.validated().map_err(|(name, invalid)| Messages::from([(name, invalid.to_string())]))
            }
            None => Err(wrong),
        }
    }

    /// Returns the change from what the person saw.
    ///
    /// # Errors
    /// As [`settings`](Self::settings).
    pub(super) fn change(&self, base: &Self) -> Result<RuleChange, Messages> {
        let Settings { name, on, conditions, command, repeat, enabled } = self.settings()?;
        let differs = |names: &[&str]| names.iter().any(|name| self.get(name) != base.get(name));
        Ok(RuleChange {
            name: differs(&["name"]).then_some(name),
            on: differs(&["on", "interval"]).then_some(on),
            conditions: differs(&["states", "scoreAtLeast", "quantityAtLeast"]).then_some(conditions),
            command: differs(&["command"]).then_some(command),
            repeat: differs(&["repeat"]).then_some(repeat),
            enabled: differs(&["enabled"]).then_some(enabled),
        })
    }
}

fn optional<T: std::str::FromStr<Err = Invalid>>(text: &str) -> Result<Option<T>, Invalid> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::identity::Actor;
    use crate::rules::domain::RuleId;
    use jiff::Timestamp;

    fn typed(fields: &[(&'static str, &str)]) -> Typed {
        let mut typed = Typed::empty();
        typed.0.insert("name", "Refill".to_owned());
        typed.0.insert("command", "get_leads".to_owned());
        for (name, text) in fields {
            typed.0.insert(name, (*text).to_owned());
        }
        typed
    }

    fn rule(typed: &Typed) -> Rule {
        let now = Timestamp::UNIX_EPOCH;
        Rule::new(RuleId::new(now, &[7; 10]), typed.settings().unwrap(), now, Actor::new("Ann"))
    }

    #[test]
    fn a_rule_round_trips_through_its_form() {
        for fields in [
            &[][..],
            &[("on", "every"), ("interval", "2h"), ("repeat", "once"), ("enabled", "")],
            &[("states", "CA, NY"), ("scoreAtLeast", "80")],
            &[("on", "stock.low"), ("quantityAtLeast", "5"), ("command", "get_leads state={state}")],
        ] {
            let typed = typed(fields);
            assert_eq!(Typed::of_rule(&rule(&typed)), typed);
        }
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let wrong = typed(&[
            ("name", ""),
            ("on", "every"),
            ("interval", "30s"),
            ("states", "XX"),
            ("scoreAtLeast", "101"),
            ("quantityAtLeast", "0"),
            ("command", "sing"),
            ("repeat", "twice"),
        ]);
        let names: Vec<_> = wrong.settings().unwrap_err().into_keys().collect();
        let expected = ["command", "interval", "name", "quantityAtLeast", "repeat", "scoreAtLeast", "states"];
        assert_eq!(names, expected);
        let inconsistent = typed(&[("on", "order.created"), ("scoreAtLeast", "80")]).settings().unwrap_err();
        assert!(inconsistent["scoreAtLeast"].contains("has no score"));
    }

    #[test]
    fn only_edited_fields_change_and_others_come_from_the_fresh_rule() {
        let base = typed(&[("states", "NY")]);
        let mine = typed(&[("states", "NY"), ("name", "Mine")]);
        let change = mine.change(&base).unwrap();
        assert_eq!(change, RuleChange { name: Some("Mine".parse().unwrap()), ..RuleChange::default() });
        let theirs = typed(&[("states", "CA"), ("name", "Theirs")]);
        let merged = mine.merge(&base, &theirs);
        assert_eq!((merged.get("name"), merged.get("states")), ("Mine", "CA"));
        assert!(mine.change(&mine).unwrap().is_empty());
    }
}
