//! Running rules: for each event each rule that answers it, once.
//!
//! What always holds: the ledger has one entry for a rule and an event (for a rule that runs once, one at all), written
//! with the effect; so whoever runs it again, at once or after days, gets the first outcome and changes nothing.

use jiff::SignedDuration;

use super::domain::{RepeatPolicy, Rule};
use super::error::RuleError;
use super::{run, store};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::commands::AutomationError;
use crate::commands::script::{failure_words, outcome_words};
use crate::inventory::InventoryError;
use crate::leads::LeadError;
use crate::orders::OrderError;
use crate::rules::Rules;
use crate::rules::events::Event;
use crate::rules::run::{Run, RunId, RunState};
use crate::shared::audit::{Author, Cause};
use crate::store::ledger::{Done, Idempotency, IdempotentRequest};
use crate::store::{StoreError, WriteError};

/// How many rules may stand behind each other in a row.
pub const DEEPEST: u8 = 5;
/// How often a run is tried before it waits for a person.
pub const ATTEMPTS: u32 = 3;
/// Failed runs that one sweep tries again.
const AT_A_SWEEP: i32 = 25;

impl Rules {
    /// Runs a rule for an event, if it was not run for it yet.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed; running it again is right.
    pub(crate) async fn run(&self, rule: &Rule, event: &Event) -> Result<(), StoreError> {
        if event.depth >= DEEPEST {
            let words = format!(
                "Depth {DEEPEST} reached: {} rules in a row led to this event, so this one did nothing. Rules that set each other off never end by themselves.",
                event.depth
            );
            let stopped = self.record(rule, event, run::stop_id(rule, event), RunState::Stopped, words, None);
            return self.begin_run(&Run { attempts: 0, due: None, ..stopped }).await;
        }
        let id = run::run_id(rule, event);
        if self.get_run(id).await?.is_some() {
            return Ok(());
        }
        let (state, words, command) = match self.attempt(rule, event, id).await? {
            Tried { result: Ok(words), command } => (RunState::Done, words, command),
            Tried { result: Err(words), command } => (RunState::Failed, words, command),
        };
        self.begin_run(&self.record(rule, event, id, state, words, command)).await
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
            rule_name: rule.name.clone(),
            event: event.clone(),
            command: command.unwrap_or_else(|| rule.command.to_string()),
            state,
            result,
            attempts: 1,
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
            due: (state == RunState::Failed).then(|| now.saturating_add(wait(1)).unwrap_or(now)),
            stays: rule.repeat == RepeatPolicy::Once && state != RunState::Stopped,
        }
    }
}

/// How long a failed run waits after so many attempts.
fn wait(attempts: u32) -> SignedDuration {
    SignedDuration::from_mins(5_i64.saturating_pow(attempts.saturating_sub(1)).min(60))
}

/// What an attempt came to, and the command as it was tried.
struct Tried {
    result: Result<String, String>,
    command: Option<String>,
}

impl Rules {
    async fn attempt(&self, rule: &Rule, event: &Event, id: RunId) -> Result<Tried, StoreError> {
        let command = match rule.command.command(event) {
            Ok(command) => command,
            Err(invalid) => return Ok(Tried { result: Err(invalid.to_string()), command: None }),
        };
        let by = Author {
            actor: Actor::new(format!("Rule {}", rule.name)),
            cause: Some(Cause { rule: rule.id.to_string(), depth: event.depth + 1 }),
        };
        // All commands in one future make a large one, and this one is part of many.
        let executed = Box::pin(self.commands.execute(&command, &by, Some(self.once(rule, id))));
        let result = match executed.await {
            Ok(outcome) => Ok(outcome_words(&outcome)),
            Err(error) => Err(failure_words(outage(error)?)),
        };
        Ok(Tried { result, command: Some(command.to_string()) })
    }

    /// The ledger's entry of a run. It knows the rule and the event, and not the command: a rule that is mended between two
    /// attempts is still the same rule. The stream tells an event for a day; what runs once is never forgotten.
    fn once(&self, rule: &Rule, id: RunId) -> IdempotentRequest {
        let scope = format!("rule:{}", rule.id);
        let entry = |key: &str| IdempotentRequest::forever(&scope, key, &[key.as_bytes()]);
        match rule.repeat {
            RepeatPolicy::Always => entry(&id.to_string()).for_a_while(self.clock.now()),
            RepeatPolicy::Once => entry("once"),
        }
    }
}

/// Why a command failed, if it was not because the store did not answer: that passes, and is nobody's fault.
fn outage(error: AutomationError) -> Result<AutomationError, StoreError> {
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
    /// One more attempt of a run, and the run after it.
    async fn run_again(&self, rule: &Rule, before: &Run) -> Result<Run, StoreError> {
        let Tried { result, command } = self.attempt(rule, &before.event, before.id).await?;
        let now = self.clock.now();
        let attempts = before.attempts + 1;
        let (state, result) = match result {
            Ok(words) => (RunState::Done, words),
            Err(words) if attempts < ATTEMPTS => (RunState::Failed, words),
            Err(words) => (RunState::Parked, words),
        };
        let due = (state == RunState::Failed).then(|| now.saturating_add(wait(attempts)).unwrap_or(now));
        let command = command.unwrap_or_else(|| before.command.clone());
        let version = before.version.next();
        Ok(Run { command, state, result, attempts, version, updated_at: now, due, ..before.clone() })
    }

    /// Tries a parked run again, or one that waits for its next attempt.
    ///
    /// # Errors
    /// [`RuleError::NoSuchRun`], [`RuleError::RunConflict`], [`RuleError::NotToRepeat`], [`RuleError::NotFound`] if the rule is
    /// gone.
    pub async fn retry(
        &self,
        id: RunId,
        expected: Version,
        idempotency: Option<&Idempotency<'_, Run>>,
    ) -> Result<Done<Run>, RuleError> {
        let before = self.find_run(id).await?;
        if before.version != expected || matches!(before.state, RunState::Done | RunState::Stopped) {
            // A repeated request finds what it did itself.
            if let Some(answer) = store::recalled(Idempotency::look_up(idempotency, &self.dynamo).await?)? {
                return Ok(Done::Replayed(answer));
            }
            let stale = before.version != expected;
            return Err(if stale {
                RuleError::RunConflict(Box::new(before))
            } else {
                RuleError::NotToRepeat
            });
        }
        let rule = self.find(before.rule).await?;
        let after = self.run_again(&rule, &before).await?;
        let write = Idempotency::record(idempotency, self.begin_again(&before, &after)?, &after)?;
        match self.dynamo.write(write).await {
            Ok(()) => Ok(Done::Now(after)),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) => {
                match store::recalled(Idempotency::recall(idempotency, &refusal)?)? {
                    Some(answer) => Ok(Done::Replayed(answer)),
                    None => Err(RuleError::RunConflict(Box::new(self.find_run(id).await?))),
                }
            }
        }
    }
}

/// How many failures of the store in a row end a sweep: then it is the store that fails, and not one rule.
const MOST_FAILURES: u32 = 3;

/// What failed of many things, of which none holds up the next.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    last: Option<StoreError>,
}

impl Failures {
    /// Notes what one thing came to, and says whether to go on.
    fn note(&mut self, what: &'static str, id: impl std::fmt::Display, done: Result<(), StoreError>) -> bool {
        match done {
            Ok(()) => self.in_a_row = 0,
            Err(error) => {
                tracing::warn!(what, %id, %error, "it failed and is tried again by the next sweep");
                self.in_a_row += 1;
                self.last = Some(error);
            }
        }
        self.in_a_row < MOST_FAILURES
    }

    fn end(self) -> Result<(), StoreError> {
        self.last.map_or(Ok(()), Err)
    }
}

impl Rules {
    /// Tries the failed runs again whose time has come. Those of a rule that is gone or switched off are parked. A run that
    /// fails holds up none of the others.
    ///
    /// # Errors
    /// The last [`StoreError`].
    pub(crate) async fn retry_due(&self, rules: &[Rule]) -> Result<(), StoreError> {
        let mut failures = Failures::default();
        for before in self.due_runs(self.clock.now(), AT_A_SWEEP).await? {
            if !failures.note("run", before.id, self.retry_one(rules, &before).await) {
                break;
            }
        }
        failures.end()
    }

    async fn retry_one(&self, rules: &[Rule], before: &Run) -> Result<(), StoreError> {
        let after = match rules.iter().find(|rule| rule.id == before.rule) {
            Some(rule) if rule.enabled => self.run_again(rule, before).await?,
            rule => self.parked(before, rule.is_none()),
        };
        match self.dynamo.write(self.begin_again(before, &after)?).await {
            // Another process has tried it, and its outcome stays.
            Ok(()) | Err(WriteError::Refused(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    fn parked(&self, before: &Run, gone: bool) -> Run {
        let why = if gone { "The rule was deleted" } else { "The rule is switched off" };
        Run {
            state: RunState::Parked,
            result: format!("{why}, so this was not tried again. Before: {}", before.result),
            version: before.version.next(),
            updated_at: self.clock.now(),
            due: None,
            ..before.clone()
        }
    }

    /// Runs the rules whose time has come. A rule that fails holds up none of the others.
    ///
    /// # Errors
    /// The last [`StoreError`].
    pub(crate) async fn fire_due(&self, rules: &[Rule]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut failures = Failures::default();
        for rule in rules {
            let Some(event) = rule.due(now) else { continue };
            if !failures.note("rule", rule.id, self.run(rule, &event).await) {
                break;
            }
        }
        failures.end()
    }
}
