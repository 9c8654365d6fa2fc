//! Runs each rule that answers an event once.
//!
//! Invariant: a rule and an event have one idempotency record, which is written with the effect (a rule that runs
//! once has one record in total). So running a rule again, immediately or days later, returns the first outcome and
//! changes nothing.

use jiff::{SignedDuration, Timestamp};

use super::domain::{RepeatPolicy, Rule};
use super::error::RuleError;
use super::events::Event;
use super::run::{self, Run, RunId, RunState};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::commands::AutomationError;
use crate::commands::script::{failure_words, outcome_words};
use crate::inventory::InventoryError;
use crate::leads::LeadError;
use crate::orders::OrderError;
use crate::rules::Rules;
use crate::shared::audit::{Author, RuleCause};
use crate::shared::idempotency::{refuse, write_with_record};
use crate::store::StoreError;
use crate::store::idempotency::{Done, Idempotency, IdempotentRequest};

/// The maximum number of rules in a row, each triggered by the one before.
pub const MAX_DEPTH: u8 = 5;
/// How often a run is tried before it waits for a person.
pub const MAX_ATTEMPTS: u32 = 3;
/// The number of failed runs that one sweep retries.
const RUNS_PER_SWEEP: i32 = 25;

impl Rules {
    /// Runs a rule for an event, unless it has run for it before.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed; it is safe to repeat.
    pub(crate) async fn run(&self, rule: &Rule, event: &Event) -> Result<(), StoreError> {
        if event.depth >= MAX_DEPTH {
            let words = format!(
                "Depth {MAX_DEPTH} reached: {} rules in a row led to this event, so this rule did not run. Rules that trigger each other would never stop by themselves.",
                event.depth
            );
            let stopped = self.record(rule, event, run::stop_id(rule, event), RunState::Stopped, words, None);
            return self.insert_run(&Run { attempts: 0, due: None, ..stopped }).await;
        }
        let id = run::run_id(rule, event);
        if self.get_run(id).await?.is_some() {
            return Ok(());
        }
        let (state, words, command) = match self.attempt(rule, event, id).await? {
            RunOutcome { result: Ok(words), command } => (RunState::Done, words, command),
            RunOutcome { result: Err(words), command } => (RunState::Failed, words, command),
        };
        self.insert_run(&self.record(rule, event, id, state, words, command)).await
    }

    fn record(
        &self,
        rule: &Rule,
        event: &Event,
        id: RunId,
        state: RunState,
        result: String,
        command: Option<String>,
    ) -> Run {
        let now = self.clock.now();
        Run {
            id,
            rule: rule.id,
            rule_name: rule.settings.name.clone(),
            event: event.clone(),
            command: command.unwrap_or_else(|| rule.settings.command.to_string()),
            state,
            result,
            attempts: 1,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            due: next_attempt(state, 1, now),
            stays: rule.settings.repeat == RepeatPolicy::Once && state != RunState::Stopped,
        }
    }
}

/// Returns when a run is tried again after this many attempts, if it has failed.
fn next_attempt(state: RunState, attempts: u32, now: Timestamp) -> Option<Timestamp> {
    let delay = SignedDuration::from_mins(5_i64.saturating_pow(attempts.saturating_sub(1)).min(60));
    (state == RunState::Failed).then(|| now.saturating_add(delay).unwrap_or(now))
}

/// The outcome of one attempt, and the command that was tried.
struct RunOutcome {
    result: Result<String, String>,
    command: Option<String>,
}

impl Rules {
    async fn attempt(&self, rule: &Rule, event: &Event, id: RunId) -> Result<RunOutcome, StoreError> {
        let command = match rule.settings.command.command(event) {
            Ok(command) => command,
            Err(invalid) => return Ok(RunOutcome { result: Err(invalid.to_string()), command: None }),
        };
        let by = Author {
            cause: Some(RuleCause { rule: rule.id.to_string(), depth: event.depth + 1 }),
            ..Actor::new(format!("Rule {}", rule.settings.name)).into()
        };
        // A future with all commands is large, and this one is part of many.
        let executed =
            Box::pin(self.commands.execute(&command, &by, Some(self.idempotent_request(rule, id))));
        let result = match executed.await {
            Ok(outcome) => Ok(outcome_words(&outcome)),
            Err(error) => Err(failure_words(unless_outage(error)?)),
        };
        Ok(RunOutcome { result, command: Some(command.to_string()) })
    }

    /// Returns the idempotent request of a run. It identifies the rule and the event but not the command, so a rule
    /// whose command is corrected between two attempts still takes effect once. The stream delivers an event for a
    /// day; the record of a rule that runs once never expires.
    fn idempotent_request(&self, rule: &Rule, id: RunId) -> IdempotentRequest {
        let scope = format!("rule:{}", rule.id);
        let entry = |key: &str| IdempotentRequest::forever(&scope, key, &[key.as_bytes()]);
        match rule.settings.repeat {
            RepeatPolicy::Always => entry(&id.to_string()).for_a_while(self.clock.now()),
            RepeatPolicy::Once => entry("once"),
        }
    }
}

/// Returns a command's error, unless the store was unavailable: that is temporary, and says nothing about the
/// command.
fn unless_outage(error: AutomationError) -> Result<AutomationError, StoreError> {
    match error {
        AutomationError::Store(error)
        | AutomationError::Order(OrderError::Store(error) | OrderError::Lead(LeadError::Store(error)))
        | AutomationError::Lead(LeadError::Store(error))
        | AutomationError::Inventory(InventoryError::Store(error))
            if error.is_outage() =>
        {
            Err(error)
        }
        error => Ok(error),
    }
}

impl Rules {
    /// Tries a run once more, and returns the run after that.
    async fn try_again(&self, rule: &Rule, before: &Run) -> Result<Run, StoreError> {
        let RunOutcome { result, command } = self.attempt(rule, &before.event, before.id).await?;
        let now = self.clock.now();
        let attempts = before.attempts + 1;
        let (state, result) = match result {
            Ok(words) => (RunState::Done, words),
            Err(words) if attempts < MAX_ATTEMPTS => (RunState::Failed, words),
            Err(words) => (RunState::DeadLetter, words),
        };
        let due = next_attempt(state, attempts, now);
        let command = command.unwrap_or_else(|| before.command.clone());
        let version = before.version.next();
        Ok(Run { command, state, result, attempts, version, updated_at: now, due, ..before.clone() })
    }

    /// Retries a run that waits for a person or for its next attempt.
    ///
    /// # Errors
    /// [`RuleError::NoSuchRun`], [`RuleError::RunConflict`], [`RuleError::NotToRepeat`], [`RuleError::NotFound`] if
    /// the rule was deleted.
    pub async fn retry(
        &self,
        id: RunId,
        expected: Version,
        idempotency: Option<&Idempotency<'_, Run>>,
    ) -> Result<Done<Run>, RuleError> {
        let before = self.find_run(id).await?;
        if before.version != expected || matches!(before.state, RunState::Done | RunState::Stopped) {
            let error = match before.version == expected {
                true => RuleError::NotToRepeat,
                false => RuleError::RunConflict(Box::new(before)),
            };
            // A repeated request finds its own first result here.
            return refuse(&self.dynamo, idempotency, error).await;
        }
        let rule = self.find(before.rule).await?;
        let after = self.try_again(&rule, &before).await?;
        let write = self.update_run(&before, &after)?;
        match write_with_record::<_, RuleError>(&self.dynamo, write, after, idempotency).await? {
            Ok(done) => Ok(done),
            Err(_) => Err(RuleError::RunConflict(Box::new(self.find_run(id).await?))),
        }
    }
}

/// A sweep ends after this many consecutive failures, because then the store has failed and not one rule.
const MAX_CONSECUTIVE_FAILURES: u32 = 3;

/// The failures of independent steps. A failed step does not block the next one.
#[derive(Default)]
pub(crate) struct Failures {
    /// The number of failed steps.
    pub(crate) count: usize,
    /// The last error.
    pub(crate) last: Option<StoreError>,
    consecutive: u32,
}

impl Failures {
    /// Records the result of a step, and returns whether to continue.
    fn record(
        &mut self,
        what: &'static str,
        id: impl std::fmt::Display,
        done: Result<(), StoreError>,
    ) -> bool {
        match done {
            Ok(()) => self.consecutive = 0,
            Err(error) => {
                tracing::warn!(what, %id, %error, "the store failed; the next sweep will retry it");
                self.consecutive += 1;
                self.count += 1;
                self.last = Some(error);
            }
        }
        self.consecutive < MAX_CONSECUTIVE_FAILURES
    }
}

impl Rules {
    /// Retries the failed runs that are due. A run whose rule was deleted or switched off stops and waits for a
    /// person. A run that fails does not block the others.
    ///
    /// # Errors
    /// [`StoreError`] if the runs cannot be read.
    pub(crate) async fn retry_due(&self, rules: &[Rule]) -> Result<Failures, StoreError> {
        let mut failures = Failures::default();
        for before in self.due_runs(self.clock.now(), RUNS_PER_SWEEP).await? {
            if !failures.record("run", before.id, self.retry_one(rules, &before).await) {
                break;
            }
        }
        Ok(failures)
    }

    async fn retry_one(&self, rules: &[Rule], before: &Run) -> Result<(), StoreError> {
        let after = match rules.iter().find(|rule| rule.id == before.rule) {
            Some(rule) if rule.settings.enabled => self.try_again(rule, before).await?,
            rule => self.dead_letter(before, rule.is_none()),
        };
        // If another process has tried it, its outcome stays.
        self.dynamo.try_write(self.update_run(before, &after)?).await.map(drop)
    }

    fn dead_letter(&self, before: &Run, gone: bool) -> Run {
        let why = if gone { "The rule was deleted" } else { "The rule is off" };
        Run {
            state: RunState::DeadLetter,
            result: format!("{why}, so this run wasn't retried. Last result: {}", before.result),
            version: before.version.next(),
            updated_at: self.clock.now(),
            due: None,
            ..before.clone()
        }
    }

    /// Runs the rules that are due by their schedule. A rule that fails does not block the others.
    pub(crate) async fn fire_due(&self, rules: &[Rule]) -> Failures {
        let now = self.clock.now();
        let mut failures = Failures::default();
        for rule in rules {
            let Some(event) = rule.due(now) else { continue };
            if !failures.record("rule", rule.id, self.run(rule, &event).await) {
                break;
            }
        }
        failures
    }
}
