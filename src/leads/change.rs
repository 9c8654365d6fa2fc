//! Changes of a lead: each one guarded write, from the version that was seen to the next one.
//!
//! What always holds: a change names the version it is of; a refusal is explained by one consistent read, stale before
//! rule-breaking; where a large order that was cut off stands in the way, that is settled first and the change goes on.

use jiff::Timestamp;

use super::domain::{
    Action, Guard, HistoryEntry, Lead, LeadChange, LeadId, Reason, Rule, Score, Status, Stock, StoredLead,
};
use super::error::{Conflict, LeadError};
use super::items::{EmailItem, email_key, history_item, lead_item, lead_key, reindex, requeue};
use super::reserved;
use super::store::recalled;
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::store::ledger::{Done, Idempotency, Lookup};
use crate::store::{Condition, GuardedWrite, Retries, StoreError, Update, WriteError, to_attribute, to_item};

impl Leads {
    /// Changes some fields of a lead.
    ///
    /// # Errors
    /// [`LeadError::Conflict`] if `expected` is not the stored version, [`LeadError::RuleViolation`] if it is and a rule
    /// forbids the change.
    pub async fn update(
        &self,
        id: LeadId,
        expected: Version,
        change: &LeadChange,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let broken_rule = |lead: &Lead| change.broken_rule(lead);
        let Some(guard) = guard_of(change)? else {
            // Not sent: no stored lead could allow it. Which of the two refusals it is, the read decides.
            return Err(self.explain(id, expected, broken_rule).await?);
        };
        let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
        let alteration = Alteration { action: Action::Updated, reason: None, guard, apply: &apply };
        self.alter(id, expected, &alteration, idempotency, broken_rule).await
    }
}

/// What the stored lead must satisfy beside its version, or nothing where no stored lead could allow the change.
fn guard_of(change: &LeadChange) -> Result<Option<Option<Condition>>, StoreError> {
    let pipeline = match change.guard() {
        Guard::Never => return Ok(None),
        Guard::VersionAlone => None,
        Guard::NotConverted => Some(Condition::is_not("status", Status::Converted.as_str())),
        Guard::ScoreAllowsConversion => {
            Some(Condition::AtLeast("leadScore", to_attribute(Score::TO_CONVERT)?))
        }
    };
    let Some(state) = change.state else { return Ok(Some(pipeline)) };
    let stays = Condition::Equals("state", to_attribute(state)?);
    let free = Condition::is_not("stock", Stock::Assigned.as_str());
    let either = Condition::Any(vec![free, stays]);
    Ok(Some(Some(match pipeline {
        Some(pipeline) => pipeline.and(either),
        None => either,
    })))
}

impl Leads {
    /// Takes a converted lead back to QUALIFIED, with a reason for the history. Who may do so is the route's matter.
    ///
    /// # Errors
    /// As [`update`].
    pub async fn reopen(
        &self,
        id: LeadId,
        expected: Version,
        reason: Reason,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let change = LeadChange { status: Some(Status::Qualified), ..LeadChange::default() };
        let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
        let guard = Some(Condition::is("status", Status::Converted.as_str()));
        let alteration = Alteration { action: Action::Reopened, reason: Some(reason), guard, apply: &apply };
        let rule = |lead: &Lead| (lead.status != Status::Converted).then_some(Rule::OnlyConvertedReopens);
        self.alter(id, expected, &alteration, idempotency, rule).await
    }

    /// Puts a withheld lead back in stock, at its old place in the queue of its state.
    ///
    /// # Errors
    /// As [`update`]; a lead that is not withheld breaks [`Rule::OnlyWithheldRestocks`].
    pub async fn restock(
        &self,
        id: LeadId,
        expected: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let apply = |before: &Lead, now| before.moved(Stock::Unassigned, None, now, by.clone());
        let guard = Some(Condition::is("stock", Stock::Withheld.as_str()));
        let alteration = Alteration { action: Action::Restocked, reason: None, guard, apply: &apply };
        let rule = |lead: &Lead| (lead.stock != Stock::Withheld).then_some(Rule::OnlyWithheldRestocks);
        self.alter(id, expected, &alteration, idempotency, rule).await
    }

    /// Deletes a lead. Its history stays.
    ///
    /// # Errors
    /// As [`update`]; a lead that is out in an order breaks [`Rule::AssignedStays`].
    pub async fn delete(
        &self,
        id: LeadId,
        expected: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, ()>>,
    ) -> Result<(), LeadError> {
        let rule = |lead: &Lead| (lead.stock == Stock::Assigned).then_some(Rule::AssignedStays);
        let mut retries = self.dynamo.retries();
        loop {
            let before = self.snapshot(id, expected).await?.lead;
            let gone = LeadChange::default().applied_to(&before, self.clock.now(), by.clone());
            let entry = HistoryEntry::of_change(&before, &gone, Action::Deleted, None);
            let guard = Condition::is_number("version", expected.get())
                .and(Condition::is_not("stock", Stock::Assigned.as_str()));
            let write = self
                .dynamo
                .guarded_write()
                .delete("lead", &lead_key(id), guard)
                .put("history", history_item(id, &entry)?, Condition::Absent)
                .delete_derived("email", &email_key(&before.email.key()));
            let write = reindex(requeue(write, Some(&before), None)?, Some(&before), None)?;
            match self.dynamo.write(Idempotency::record(idempotency, write, &())?).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(_)) => self.unsettled(id, expected, &mut retries, rule).await?,
            }
        }
    }
}

/// A change of one lead, whoever makes it.
struct Alteration<'a> {
    action: Action,
    reason: Option<Reason>,
    /// What the stored lead must satisfy beside its version.
    guard: Option<Condition>,
    apply: &'a (dyn Fn(&Lead, Timestamp) -> Lead + Send + Sync),
}

/// How often a change is tried again whose refusal has no cause that can be seen: an order around its lead may just have
/// ended.
const ATTEMPTS: u32 = 8;

impl Leads {
    /// Makes a change of one lead. Where a large order that was cut off stands in its way, that is settled first.
    async fn alter(
        &self,
        id: LeadId,
        expected: Version,
        alteration: &Alteration<'_>,
        idempotency: Option<&Idempotency<'_, Lead>>,
        broken_rule: impl Fn(&Lead) -> Option<Rule> + Copy,
    ) -> Result<Done<Lead>, LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let remembered = self.snapshots.at(id, expected);
            let is_fresh = remembered.is_none();
            let before = match remembered {
                Some(seen) => seen,
                None => match self.fresh(id, expected).await {
                    Err(LeadError::Conflict(conflict)) => return self.stale(conflict, idempotency).await,
                    before => before?,
                },
            };
            if let Some(rule) = broken_rule(&before.lead) {
                let refusal = match is_fresh {
                    true => LeadError::violation(rule),
                    false => self.explain(id, expected, broken_rule).await?,
                };
                if let Some(refused) = self.refused(refusal, idempotency).await? {
                    return refused;
                }
            }
            let after = (alteration.apply)(&before.lead, self.clock.now());
            let write = Idempotency::record(idempotency, alteration.write(self, &before, &after)?, &after)?;
            match self.dynamo.write(write).await {
                Ok(()) => {
                    self.snapshots.keep(&StoredLead { lead: after.clone(), reservation: before.reservation });
                    return Ok(Done::Now(after));
                }
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(refusal)) => {
                    if let Some(answer) = recalled(idempotency, &refusal)? {
                        return Ok(Done::Replayed(answer));
                    }
                    if refusal.of("email") && !refusal.of("lead") {
                        return Err(LeadError::violation(Rule::EmailIsUnique));
                    }
                }
            }
            self.unsettled(id, expected, &mut retries, broken_rule).await?;
        }
    }
}

impl Alteration<'_> {
    /// The change from one version to the next, with everything that belongs to it.
    fn write(&self, leads: &Leads, seen: &StoredLead, after: &Lead) -> Result<GuardedWrite, StoreError> {
        let before = &seen.lead;
        let condition = Condition::is_number("version", before.version.get());
        let condition = match &self.guard {
            Some(guard) => condition.and(guard.clone()),
            None => condition,
        };
        // What a rule has caused before is not the cause of this.
        let update = Update::between(&lead_item(before)?, &lead_item(after)?).remove("cause");
        let entry = HistoryEntry::of_change(before, after, self.action, self.reason.clone());
        let mut write = leads
            .dynamo
            .guarded_write()
            .update("lead", &lead_key(before.id), &update, condition)
            .put("history", history_item(before.id, &entry)?, Condition::Absent);
        if before.email.key() != after.email.key() {
            let email = EmailItem { lead_id: after.id, source: None };
            write = write
                .put("email", to_item(&email_key(&after.email.key()), &email)?, Condition::Absent)
                .delete_derived("old email", &email_key(&before.email.key()));
        }
        if let (Some(_), Some(order)) = (&seen.reservation, before.order_id) {
            write = reserved::check_open(write, order);
        }
        reindex(requeue(write, Some(before), Some(after))?, Some(before), Some(after))
    }
}

impl Leads {
    /// After a refusal: settles what stood in the way, if something did; otherwise says what the refusal means.
    async fn unsettled(
        &self,
        id: LeadId,
        expected: Version,
        retries: &mut Retries<'_>,
        broken_rule: impl Fn(&Lead) -> Option<Rule>,
    ) -> Result<(), LeadError> {
        let (stored, entries) = self.read_written(id, expected).await?;
        if self.reconcile(&stored).await? {
            retries.backoff().await?;
            return Ok(());
        }
        let Some((seen, since)) = self.resolve_with_history(stored, entries).await? else {
            retries.backoff().await?;
            return Ok(());
        };
        self.snapshots.keep(&seen);
        if seen.lead.version == expected && broken_rule(&seen.lead).is_none() && retries.failed() < ATTEMPTS {
            // What stood in the way is gone since: another request settled it.
            retries.backoff().await?;
            return Ok(());
        }
        Err(meaning(seen.lead, since, expected, broken_rule))
    }

    /// The lead as it stood at the expected version: from memory, or read.
    async fn snapshot(&self, id: LeadId, expected: Version) -> Result<StoredLead, LeadError> {
        match self.snapshots.at(id, expected) {
            Some(seen) => Ok(seen),
            None => self.fresh(id, expected).await,
        }
    }

    /// The lead as it stands, if that is the expected version.
    async fn fresh(&self, id: LeadId, expected: Version) -> Result<StoredLead, LeadError> {
        let (fresh, since) = self.read_since(id, expected).await?;
        if fresh.lead.version == expected {
            Ok(fresh)
        } else {
            Err(LeadError::Conflict(Box::new(Conflict { fresh: fresh.lead, since })))
        }
    }

    /// What a change comes to that was not sent, since its write would be refused so. `None` if the stored lead no longer
    /// breaks the rule, for example because its order ended.
    async fn refused(
        &self,
        refusal: LeadError,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Option<Result<Done<Lead>, LeadError>>, LeadError> {
        Ok(match refusal {
            LeadError::Conflict(conflict) => Some(self.stale(conflict, idempotency).await),
            LeadError::RuleViolation(_) => match Idempotency::look_up(idempotency, &self.dynamo).await? {
                Lookup::Other => Some(Err(LeadError::KeyOfAnotherRequest)),
                Lookup::Same(_) | Lookup::Nothing => Some(Err(refusal)),
            },
            _ => None,
        })
    }

    /// A stale request may be the repetition of one that succeeded: then the ledger has its answer.
    async fn stale(
        &self,
        conflict: Box<Conflict>,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        match Idempotency::look_up(idempotency, &self.dynamo).await? {
            Lookup::Same(answer) => Ok(Done::Replayed(answer)),
            Lookup::Other => Err(LeadError::KeyOfAnotherRequest),
            Lookup::Nothing => Err(LeadError::Conflict(conflict)),
        }
    }

    /// What a change would be refused for, by one consistent read.
    async fn explain(
        &self,
        id: LeadId,
        expected: Version,
        broken_rule: impl Fn(&Lead) -> Option<Rule>,
    ) -> Result<LeadError, LeadError> {
        let (fresh, since) = self.read_since(id, expected).await?;
        Ok(meaning(fresh.lead, since, expected, broken_rule))
    }
}

/// What a refusal means: changed meanwhile, or a broken rule, in this order.
fn meaning(
    fresh: Lead,
    since: Vec<HistoryEntry>,
    expected: Version,
    broken_rule: impl Fn(&Lead) -> Option<Rule>,
) -> LeadError {
    if fresh.version != expected {
        return LeadError::Conflict(Box::new(Conflict { fresh, since }));
    }
    match broken_rule(&fresh) {
        Some(rule) => LeadError::violation(rule),
        None => LeadError::Store(StoreError::invariant_violation("TransactWriteItems", &lead_key(fresh.id))),
    }
}
