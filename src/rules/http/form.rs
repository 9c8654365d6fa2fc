//! The forms of rules: the typed text, its parsing, and all its errors at once. Pure.
//!
//! Invariants: a form can be shown again with everything that was typed. A change contains only the fields that
//! differ from what the person saw, so two people who edit different fields never overwrite each other.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::base::values::{Invalid, UsState};
use crate::orders::domain::RequestedStates;
use crate::rules::domain::{Conditions, Rule, RuleChange, Settings, Trigger};
use crate::rules::events::EventKind;
use crate::shared::forms::RawForm;

/// The fields in form order, with their labels.
pub(super) const FIELDS: [(&str, &str); 9] = [
    ("name", "Name"),
    ("on", "When"),
    ("interval", "Interval"),
    ("states", "State is one of"),
    ("scoreAtLeast", "Lead score at least"),
    ("quantityAtLeast", "Quantity at least"),
    ("command", "Command"),
    ("repeat", "Runs"),
    ("enabled", "Enabled"),
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
        let Settings { name, on, conditions, command, repeat, enabled } = &rule.settings;
        let interval = match on {
            Trigger::Schedule(interval) => interval.to_string(),
            Trigger::Event(_) => String::new(),
        };
        let states: Vec<_> = conditions.states.iter().map(UsState::as_str).collect();
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let texts = [
            name.to_string(),
            on.kind().to_string(),
            interval,
            states.join(", "),
            number(conditions.score_at_least.map(|score| score.get().into())),
            number(conditions.quantity_at_least.map(|quantity| quantity.get())),
            command.to_string(),
            repeat.to_string(),
            if *enabled { "on" } else { "" }.to_owned(),
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

    /// Parses a field, or stores its error.
    fn parse<T: FromStr<Err = Invalid>>(&self, name: &'static str, wrong: &mut Messages) -> Option<T> {
        self.get(name).parse::<T>().map_err(|invalid| wrong.insert(name, invalid.to_string())).ok()
    }

    /// Parses a field that may be empty, or stores its error.
    fn parse_optional<T: FromStr<Err = Invalid>>(
        &self,
        name: &'static str,
        wrong: &mut Messages,
    ) -> Option<Option<T>> {
        if self.get(name).is_empty() { Some(None) } else { self.parse(name, wrong).map(Some) }
    }

    fn on(&self, wrong: &mut Messages) -> Option<Trigger> {
        match self.get("on") == EventKind::Schedule.as_str() {
            true => self.parse("interval", wrong).map(Trigger::Schedule),
            false => self.parse("on", wrong),
        }
    }

    /// Parses the fields.
    ///
    /// # Errors
    /// All errors.
    pub(super) fn settings(&self) -> Result<Settings, Messages> {
        let mut wrong = Messages::new();
        let (name, on) = (self.parse("name", &mut wrong), self.on(&mut wrong));
        let states = self.parse_optional::<RequestedStates>("states", &mut wrong);
        let score_at_least = self.parse_optional("scoreAtLeast", &mut wrong);
        let quantity_at_least = self.parse_optional("quantityAtLeast", &mut wrong);
        let command = self.parse("command", &mut wrong);
        let repeat = self.parse("repeat", &mut wrong);
        let enabled = !self.get("enabled").is_empty();
        let settings = || {
            let states = states?.map(Vec::from).unwrap_or_default();
            let (score_at_least, quantity_at_least) = (score_at_least?, quantity_at_least?);
            let conditions = Conditions { states, score_at_least, quantity_at_least };
            Some(Settings { name: name?, on: on?, conditions, command: command?, repeat: repeat?, enabled })
        };
        let validated = settings().ok_or(wrong)?.validated();
        validated.map_err(|(name, invalid)| Messages::from([(name, invalid.to_string())]))
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
