//! What a rule is, what it answers, and what a change of it may bring. Pure: time and ids are arguments.
//!
//! What always holds: a rule's conditions are about fields that its event has, and its command can be right for some
//! such event.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::on::{Schedule, Trigger};
use super::template::CommandLine;
use crate::base::identity::Actor;
use crate::base::values::{Invalid, Name, UsState, Version, text_value, time_ordered_id};
use crate::leads::domain::Score;
use crate::orders::domain::Quantity;
use crate::rules::events::{Event, EventKind};

time_ordered_id!(
    /// A rule's id.
    RuleId,
    "a rule"
);

/// How often a rule runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RepeatPolicy {
    /// For each event.
    #[default]
    Always,
    /// For the first event that it meets, and never again.
    Once,
}

impl RepeatPolicy {
    /// The name in JSON, in forms and in the table.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Once => "once",
        }
    }
}

impl FromStr for RepeatPolicy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.trim().to_ascii_lowercase().as_str() {
            "always" => Ok(Self::Always),
            "once" => Ok(Self::Once),
            _ => Err(Invalid::new("A rule runs always or once.")),
        }
    }
}

text_value!(RepeatPolicy);

/// Which events a rule answers, of those of its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Conditions {
    /// Only about one of these states, if any is named.
    pub states: Vec<UsState>,
    /// Only of leads with this score or more.
    pub score_at_least: Option<Score>,
    /// Only of this quantity or more.
    pub quantity_at_least: Option<Quantity>,
}

impl Conditions {
    /// Whether an event satisfies them.
    pub fn admit(&self, event: &Event) -> bool {
        let at_least = |field, least: Option<u32>| {
            least.is_none_or(|least| event.number(field).is_some_and(|number| number >= least))
        };
        (self.states.is_empty() || event.states().any(|state| self.states.contains(&state)))
            && at_least("score", self.score_at_least.map(|score| score.get().into()))
            && at_least("quantity", self.quantity_at_least.map(Quantity::get))
    }

    fn folded(mut self) -> Self {
        self.states.sort_unstable();
        self.states.dedup();
        self
    }

    /// The first condition on something that such an event does not have, with what it is about.
    fn misplaced(&self, kind: EventKind) -> Option<(&'static str, Invalid)> {
        let has_state = kind.has("state") || kind.has("states");
        let conditions = [
            ("states", "state", !self.states.is_empty() && !has_state),
            ("scoreAtLeast", "score", self.score_at_least.is_some() && !kind.has("score")),
            ("quantityAtLeast", "quantity", self.quantity_at_least.is_some() && !kind.has("quantity")),
        ];
        let (field, what, _) = conditions.into_iter().find(|(.., misplaced)| *misplaced)?;
        Some((field, Invalid::new(format!("{kind} has no {what}; leave this condition out."))))
    }
}

/// What people set of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is called.
    pub name: Name,
    /// What it answers.
    pub on: Trigger,
    /// Which of these it answers.
    pub conditions: Conditions,
    /// What it does.
    pub command: CommandLine,
    /// How often.
    pub repeat: RepeatPolicy,
    /// Whether it does anything.
    pub enabled: bool,
}

impl Settings {
    /// The settings, if they fit together.
    ///
    /// # Errors
    /// The field that does not fit, with words.
    pub fn checked(self) -> Result<Self, (&'static str, Invalid)> {
        let kind = self.on.kind();
        if let Some(misplaced) = self.conditions.misplaced(kind) {
            return Err(misplaced);
        }
        self.command.check(kind).map_err(|invalid| ("command", invalid))?;
        Ok(Self { conditions: self.conditions.folded(), ..self })
    }
}

/// A change of some of what people set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// Another name.
    pub name: Option<Name>,
    /// Another event.
    pub on: Option<Trigger>,
    /// Other conditions, all of them.
    pub conditions: Option<Conditions>,
    /// Another command.
    pub command: Option<CommandLine>,
    /// Another repeat.
    pub repeat: Option<RepeatPolicy>,
    /// Switched on or off.
    pub enabled: Option<bool>,
}

impl RuleChange {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn over(&self, rule: &Rule) -> Settings {
        let rule = rule.settings();
        Settings {
            name: self.name.clone().unwrap_or(rule.name),
            on: self.on.unwrap_or(rule.on),
            conditions: self.conditions.clone().unwrap_or(rule.conditions),
            command: self.command.clone().unwrap_or(rule.command),
            repeat: self.repeat.unwrap_or(rule.repeat),
            enabled: self.enabled.unwrap_or(rule.enabled),
        }
    }
}

/// A rule, as stored and as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The id.
    pub id: RuleId,
    /// What it is called.
    pub name: Name,
    /// What it answers.
    pub on: Trigger,
    /// Which of these it answers.
    pub conditions: Conditions,
    /// What it does, with places for what is known of the event.
    pub command: CommandLine,
    /// How often.
    pub repeat: RepeatPolicy,
    /// Whether it does anything.
    pub enabled: bool,
    /// Since when it waits for its times: it was created, switched on or given another time then.
    pub since: Timestamp,
    /// 1 at creation, one more with every accepted change.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: Actor,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: Actor,
}

impl Rule {
    /// The most rules that there may be: each event is held against all of them.
    pub const MOST: u64 = 100;

    /// A new rule.
    pub fn new(id: RuleId, settings: Settings, now: Timestamp, by: Actor) -> Self {
        let Settings { name, on, conditions, command, repeat, enabled } = settings;
        Self {
            id,
            name,
            on,
            conditions,
            command,
            repeat,
            enabled,
            since: now,
            version: Version::FIRST,
            created_at: now,
            created_by: by.clone(),
            updated_at: now,
            updated_by: by,
        }
    }

    /// What people set of it.
    pub fn settings(&self) -> Settings {
        Settings {
            name: self.name.clone(),
            on: self.on,
            conditions: self.conditions.clone(),
            command: self.command.clone(),
            repeat: self.repeat,
            enabled: self.enabled,
        }
    }

    /// The rule after a change.
    ///
    /// # Errors
    /// As [`Settings::checked`].
    pub fn changed(
        &self,
        change: &RuleChange,
        now: Timestamp,
        by: Actor,
    ) -> Result<Self, (&'static str, Invalid)> {
        let settings = change.over(self).checked()?;
        let same_times = settings.on == self.on && (self.enabled || !settings.enabled);
        Ok(Self {
            since: if same_times { self.since } else { now },
            version: self.version.next(),
            created_at: self.created_at,
            created_by: self.created_by.clone(),
            ..Self::new(self.id, settings, now, by)
        })
    }

    /// Whether it answers an event.
    pub fn answers(&self, event: &Event) -> bool {
        self.enabled && self.on == Trigger::Event(event.kind) && self.conditions.admit(event)
    }

    /// The time at which it is to run now, if it runs by the clock and one has come since it waits.
    pub fn due(&self, now: Timestamp) -> Option<Event> {
        let Trigger::Schedule(interval) = self.on else { return None };
        let slot = interval.slot(now);
        let at = interval.start(slot);
        (self.enabled && at > self.since).then(|| Event {
            id: format!("every#{}#{slot}", self.id),
            kind: EventKind::Schedule,
            at,
            depth: 0,
            fields: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(on: &str, command: &str) -> Settings {
        Settings {
            name: "Refill".parse().unwrap(),
            on: on.parse().unwrap(),
            conditions: Conditions::default(),
            command: command.parse().unwrap(),
            repeat: RepeatPolicy::Always,
            enabled: true,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn rule(on: &str, since: &str) -> Rule {
        let now = at(since);
        Rule::new(RuleId::new(now, &[7; 10]), settings(on, "get_leads"), now, Actor::new("Ann"))
    }

    #[test]
    fn a_time_comes_once_its_interval_began_after_the_rule_waits() {
        let daily = rule("every 1d", "2026-11-20T12:00:00Z");
        assert_eq!(daily.due(at("2026-11-20T23:59:59Z")), None);
        let event = daily.due(at("2026-11-21T00:00:00Z")).unwrap();
        assert_eq!(event.at, at("2026-11-21T00:00:00Z"));
        assert_eq!(daily.due(at("2026-11-21T23:59:59Z")), Some(event.clone()));
        assert_ne!(daily.due(at("2026-11-22T00:00:00Z")).unwrap().id, event.id);
        let off = RuleChange { enabled: Some(false), ..RuleChange::default() };
        let off = daily.changed(&off, at("2026-11-21T01:00:00Z"), Actor::new("Bob")).unwrap();
        assert_eq!(off.due(at("2026-11-22T00:00:00Z")), None);
        let on = RuleChange { enabled: Some(true), ..RuleChange::default() };
        let on = off.changed(&on, at("2026-11-22T06:00:00Z"), Actor::new("Bob")).unwrap();
        assert_eq!(on.due(at("2026-11-22T07:00:00Z")), None, "it was off when its time came");
        assert!(on.due(at("2026-11-23T00:00:00Z")).is_some());
        let renamed = RuleChange { name: Some("Other".parse().unwrap()), ..RuleChange::default() };
        let renamed = daily.changed(&renamed, at("2026-11-21T00:00:10Z"), Actor::new("Bob")).unwrap();
        assert_eq!(renamed.due(at("2026-11-21T00:00:20Z")), Some(event), "another name is no other time");
    }

    #[test]
    fn conditions_are_about_what_the_event_has() {
        let event = |kind: EventKind, fields: &[(&str, &str)]| Event {
            id: "1".to_owned(),
            kind,
            at: at("2026-11-20T12:00:00Z"),
            depth: 0,
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let states = |codes: &[&str]| Conditions {
            states: codes.iter().map(|code| code.parse().unwrap()).collect(),
            ..Conditions::default()
        };
        let score = Conditions { score_at_least: Some(80.try_into().unwrap()), ..Conditions::default() };
        let quantity = Conditions { quantity_at_least: Some(5.try_into().unwrap()), ..Conditions::default() };
        for (conditions, fields, admitted) in [
            (Conditions::default(), vec![], true),
            (states(&["NY", "CA"]), vec![("state", "CA")], true),
            (states(&["NY"]), vec![("states", "CA,NY")], true),
            (states(&["NY"]), vec![("states", "CA")], false),
            (states(&["NY"]), vec![], false),
            (score.clone(), vec![("score", "80")], true),
            (score, vec![("score", "79")], false),
            (quantity.clone(), vec![("quantity", "5")], true),
            (quantity, vec![("quantity", "4")], false),
        ] {
            assert_eq!(
                conditions.admit(&event(EventKind::OrderCreated, &fields)),
                admitted,
                "{conditions:?} {fields:?}"
            );
        }
    }

    #[test]
    fn settings_that_do_not_fit_together_name_the_field() {
        let score = Conditions { score_at_least: Some(80.try_into().unwrap()), ..Conditions::default() };
        let wrong = Settings { conditions: score, ..settings("order.created", "get_leads") };
        let (field, words) = wrong.checked().unwrap_err();
        assert_eq!(
            (field, words.to_string().as_str()),
            ("scoreAtLeast", "order.created has no score; leave this condition out.")
        );
        let (field, _) = settings("lead.created", "delete_order order_id={orderId}").checked().unwrap_err();
        assert_eq!(field, "command");
        let moved = RuleChange { on: Some("lead.created".parse().unwrap()), ..RuleChange::default() };
        let rule = Rule {
            command: "delete_order order_id={orderId}".parse().unwrap(),
            ..rule("order.created", "2026-11-20T12:00:00Z")
        };
        assert!(rule.changed(&moved, at("2026-11-21T00:00:00Z"), Actor::new("Ann")).is_err());
    }
}
