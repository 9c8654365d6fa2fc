//! Rules: their fields, the events they answer, and their changes. Pure: time and ids are arguments.
//!
//! Invariants: the conditions of a rule use fields that its event has, and its command can be valid for some such
//! event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::events::{Event, EventKind};
use super::template::CommandLine;
pub use super::trigger::{Schedule, Trigger};
use crate::base::identity::Actor;
use crate::base::values::{Invalid, Name, UsState, Version, text_enum, time_ordered_id};
use crate::leads::domain::Score;
use crate::orders::domain::Quantity;

time_ordered_id!(
    /// A rule's id.
    RuleId,
    "a rule"
);

text_enum! {
    /// How often a rule runs.
    #[derive(Default)]
    pub enum RepeatPolicy, "Repeat must be always or once.";
    /// For each matching event.
    #[default]
    Always = "always",
    /// For the first matching event only.
    Once = "once",
}

/// Restrictions on the events of a rule's trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Conditions {
    /// Only events about one of these states; all events if empty.
    pub states: Vec<UsState>,
    /// Only leads with at least this score.
    pub score_at_least: Option<Score>,
    /// Only events with at least this quantity.
    pub quantity_at_least: Option<Quantity>,
}

impl Conditions {
    /// Returns whether an event satisfies all conditions.
    pub fn admit(&self, event: &Event) -> bool {
        let at_least = |field, minimum: Option<u32>| {
            minimum.is_none_or(|minimum| event.number(field).is_some_and(|number| number >= minimum))
        };
        (self.states.is_empty() || event.states().any(|state| self.states.contains(&state)))
            && at_least("score", self.score_at_least.map(|score| score.get().into()))
            && at_least("quantity", self.quantity_at_least.map(Quantity::get))
    }

    fn normalized(mut self) -> Self {
        self.states.sort_unstable();
        self.states.dedup();
        self
    }

    /// Returns the first condition on a field that such an event lacks, with a message.
    fn misplaced(&self, kind: EventKind) -> Option<(&'static str, Invalid)> {
        let has_state = kind.has("state") || kind.has("states");
        let conditions = [
            ("states", "state", !self.states.is_empty() && !has_state),
            ("scoreAtLeast", "score", self.score_at_least.is_some() && !kind.has("score")),
            ("quantityAtLeast", "quantity", self.quantity_at_least.is_some() && !kind.has("quantity")),
        ];
        let (field, what, _) = conditions.into_iter().find(|(.., misplaced)| *misplaced)?;
        Some((field, Invalid::new(format!("{kind} has no {what}. Leave this condition out."))))
    }
}

/// The fields of a rule that people set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The rule's name.
    pub name: Name,
    /// The trigger.
    pub on: Trigger,
    /// The conditions on the event.
    pub conditions: Conditions,
    /// The command to run, with placeholders for fields of the event.
    pub command: CommandLine,
    /// How often it runs.
    pub repeat: RepeatPolicy,
    /// Whether the rule is switched on.
    pub enabled: bool,
}

impl Settings {
    /// Validates that the settings are consistent.
    ///
    /// # Errors
    /// The inconsistent field, with a message.
    pub fn validated(self) -> Result<Self, (&'static str, Invalid)> {
        let kind = self.on.kind();
        if let Some(misplaced) = self.conditions.misplaced(kind) {
            return Err(misplaced);
        }
        self.command.check(kind).map_err(|invalid| ("command", invalid))?;
        Ok(Self { conditions: self.conditions.normalized(), ..self })
    }
}

impl Settings {
    /// Describes the change to these settings in one sentence.
    pub fn change_words(&self, after: &Self) -> String {
        let fields = [
            ("name", self.name != after.name),
            ("trigger", self.on != after.on),
            ("conditions", self.conditions != after.conditions),
            ("command", self.command != after.command),
            ("repetition", self.repeat != after.repeat),
        ];
        let changed: Vec<&str> =
            fields.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
        let switched = match (self.enabled, after.enabled) {
            (false, true) => Some("Rule turned on"),
            (true, false) => Some("Rule turned off"),
            _ => None,
        };
        match (switched, changed.is_empty()) {
            (None, true) => "Rule saved without a change.".to_owned(),
            (None, false) => format!("Rule changed: {}.", changed.join(", ")),
            (Some(switched), true) => format!("{switched}."),
            (Some(switched), false) => format!("{switched} and changed: {}.", changed.join(", ")),
        }
    }
}

/// A partial change of a rule's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleChange {
    /// The new name.
    pub name: Option<Name>,
    /// The new trigger.
    pub on: Option<Trigger>,
    /// The new conditions, which replace all old ones.
    pub conditions: Option<Conditions>,
    /// The new command.
    pub command: Option<CommandLine>,
    /// The new repeat policy.
    pub repeat: Option<RepeatPolicy>,
    /// Whether the rule is switched on.
    pub enabled: Option<bool>,
}

impl RuleChange {
    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn merged_with(&self, old: Settings) -> Settings {
        Settings {
            name: self.name.clone().unwrap_or(old.name),
            on: self.on.unwrap_or(old.on),
            conditions: self.conditions.clone().unwrap_or(old.conditions),
            command: self.command.clone().unwrap_or(old.command),
            repeat: self.repeat.unwrap_or(old.repeat),
            enabled: self.enabled.unwrap_or(old.enabled),
        }
    }
}

/// A rule, as stored and in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The id.
    pub id: RuleId,
    /// The settings.
    #[serde(flatten)]
    pub settings: Settings,
    /// The start of its schedule: when it was created, switched on, or given another schedule.
    pub since: Timestamp,
    /// 1 at creation, incremented with every accepted change.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: Actor,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who last changed it.
    pub updated_by: Actor,
}

impl Rule {
    /// The maximum number of rules: each event is matched against all of them.
    pub const MAX_COUNT: u64 = 100;

    /// Creates a rule.
    pub fn new(id: RuleId, settings: Settings, now: Timestamp, by: Actor) -> Self {
        Self {
            id,
            settings,
            since: now,
            version: Version::FIRST,
            created_at: now,
            created_by: by.clone(),
            updated_at: now,
            updated_by: by,
        }
    }

    /// Returns the rule after a change.
    ///
    /// # Errors
    /// As [`Settings::validated`].
    pub fn changed(
        &self,
        change: &RuleChange,
        now: Timestamp,
        by: Actor,
    ) -> Result<Self, (&'static str, Invalid)> {
        let old = &self.settings;
        let settings = change.merged_with(old.clone()).validated()?;
        let same_schedule = settings.on == old.on && (old.enabled || !settings.enabled);
        Ok(Self {
            since: if same_schedule { self.since } else { now },
            version: self.version.next(),
            created_at: self.created_at,
            created_by: self.created_by.clone(),
            ..Self::new(self.id, settings, now, by)
        })
    }

    /// Returns whether the rule answers an event.
    pub fn answers(&self, event: &Event) -> bool {
        let Settings { enabled, on, conditions, .. } = &self.settings;
        *enabled && *on == Trigger::Event(event.kind) && conditions.admit(event)
    }

    /// Returns the event of the current interval, if the rule has a schedule and the interval started after
    /// [`since`](Self::since).
    pub fn due(&self, now: Timestamp) -> Option<Event> {
        let Trigger::Schedule(interval) = self.settings.on else { return None };
        let slot = interval.slot(now);
        let at = interval.start(slot);
        (self.settings.enabled && at > self.since).then(|| Event {
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

    fn rule(on: &str, command: &str, since: &str) -> Rule {
        let now = at(since);
        Rule::new(RuleId::new(now, &[7; 10]), settings(on, command), now, Actor::new("Ann"))
    }

    #[test]
    fn a_schedule_is_due_in_each_interval_that_starts_after_the_rule() {
        let daily = rule("every 1d", "get_leads", "2026-11-20T12:00:00Z");
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
        assert_eq!(on.due(at("2026-11-22T07:00:00Z")), None, "it was off when the interval started");
        assert!(on.due(at("2026-11-23T00:00:00Z")).is_some());
        let renamed = RuleChange { name: Some("Other".parse().unwrap()), ..RuleChange::default() };
        let renamed = daily.changed(&renamed, at("2026-11-21T00:00:10Z"), Actor::new("Bob")).unwrap();
        assert_eq!(
            renamed.due(at("2026-11-21T00:00:20Z")),
            Some(event),
            "another name does not change the schedule"
        );
    }

    #[test]
    fn conditions_check_the_fields_of_the_event() {
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
    fn inconsistent_settings_name_the_field() {
        let score = Conditions { score_at_least: Some(80.try_into().unwrap()), ..Conditions::default() };
        let wrong = Settings { conditions: score, ..settings("order.created", "get_leads") };
        let (field, words) = wrong.validated().unwrap_err();
        assert_eq!(
            (field, words.to_string().as_str()),
            ("scoreAtLeast", "order.created has no score. Leave this condition out.")
        );
        let (field, _) = settings("lead.created", "delete_order order_id={orderId}").validated().unwrap_err();
        assert_eq!(field, "command");
        let moved = RuleChange { on: Some("lead.created".parse().unwrap()), ..RuleChange::default() };
        let rule = rule("order.created", "delete_order order_id={orderId}", "2026-11-20T12:00:00Z");
        assert!(rule.changed(&moved, at("2026-11-21T00:00:00Z"), Actor::new("Ann")).is_err());
    }
}
