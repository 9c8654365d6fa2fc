//! Changes of a lead: each is one guarded write from the expected version to the next one.
//!
//! Invariants: a change names the version that it is based on. One consistent read explains a refusal, and a stale
//! version takes precedence over a broken rule. If an interrupted large order blocks a change, the order is reconciled
//! first and the change is retried.

use jiff::Timestamp;

use super::custom_field_items::EditedFields;
use super::domain::{
    Action, FieldEdits, Guard, HistoryEntry, Lead, LeadChange, LeadId, Reason, Rule, Score, Status, Stock,
    StoredLead,
};
use super::error::{Conflict, LeadError};
use super::items::{
    CURRENT_INDEX, EmailItem, WORD_INDEX, email_key, history_item, lead_item, lead_key, requeue,
};
use super::reserved;
use super::word_index::reindex;
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::shared::idempotency::{refuse, write_with_record};
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, Retries, StoreError, Update, to_attribute, to_item};

impl Leads {
    /// Changes some fields of a lead.
    ///
    /// # Errors
    /// [`LeadError::Conflict`] if `expected` is not the stored version; [`LeadError::RuleViolation`] if it is, but a
    /// rule forbids the change.
    pub async fn update(
        &self,
        id: LeadId,
        expected: Version,
        change: &LeadChange,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let broken_rule = |lead: &Lead| change.broken_rule(lead);
        let Some(guard) = update_guard(change)? else {
            // No stored lead allows the change, so it is not sent. The read decides between conflict and violation.
            let (Ok(error) | Err(error)) = self.explain(id, expected, broken_rule).await;
            return self.replayed_or(error, idempotency).await;
        };
        let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
        let fields = Some(&change.fields);
        let alteration = Alteration { guard, fields, ..Alteration::of(Action::Updated, &apply) };
        self.alter(id, expected, &alteration, idempotency, broken_rule).await
    }
}

/// Returns the condition on the stored lead besides its version, or `None` if no stored lead allows the change.
pub(super) fn update_guard(change: &LeadChange) -> Result<Option<Option<Condition>>, StoreError> {
    let pipeline = match change.guard() {
        Guard::Never => return Ok(None),
        Guard::VersionAlone => None,
        Guard::NotConverted => Some(Condition::is_not("status", Status::Converted.as_str())),
        Guard::ScoreAllowsConversion => {
            Some(Condition::AtLeast("leadScore", to_attribute(Score::TO_CONVERT)?))
        }
    };
    Ok(Some(stock_guard(change, pipeline)?))
}

/// Adds to a condition that a lead in an open order keeps its state.
pub(super) fn stock_guard(
    change: &LeadChange,
    condition: Option<Condition>,
) -> Result<Option<Condition>, StoreError> {
    let Some(state) = change.state else { return Ok(condition) };
    let stays = Condition::Equals("state", to_attribute(state)?);
    let free = Condition::is_not("stock", Stock::Assigned.as_str());
    let either = Condition::Any(vec![free, stays]);
    Ok(Some(match condition {
        Some(condition) => condition.and(either),
        None => either,
    }))
}

impl Leads {
    /// Changes a converted lead back to QUALIFIED and records the reason in the history. The route checks the role.
    ///
    /// # Errors
    /// As [`update`](Self::update).
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
        let reason = Some(reason);
        let alteration = Alteration { reason, guard, ..Alteration::of(Action::Reopened, &apply) };
        let rule = |lead: &Lead| (lead.status != Status::Converted).then_some(Rule::OnlyConvertedReopens);
        self.alter(id, expected, &alteration, idempotency, rule).await
    }

    /// Puts a withheld lead back in stock, at its old position in the queue of its state.
    ///
    /// # Errors
    /// As [`update`](Self::update). A lead that is not withheld breaks [`Rule::OnlyWithheldRestocks`].
    pub async fn restock(
        &self,
        id: LeadId,
        expected: Version,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let apply = |before: &Lead, now| before.moved(Stock::Unassigned, None, now, by.clone());
        let guard = Some(Condition::is("stock", Stock::Withheld.as_str()));
        let alteration = Alteration { guard, ..Alteration::of(Action::Restocked, &apply) };
        let rule = |lead: &Lead| (lead.stock != Stock::Withheld).then_some(Rule::OnlyWithheldRestocks);
        self.alter(id, expected, &alteration, idempotency, rule).await
    }
}

/// A change of one lead, independent of its use case.
pub(super) struct Alteration<'a> {
    pub(super) action: Action,
    pub(super) reason: Option<Reason>,
    /// The condition on the stored lead besides its version.
    pub(super) guard: Option<Condition>,
    pub(super) apply: &'a (dyn Fn(&Lead, Timestamp) -> Lead + Send + Sync),
    /// The edits of custom fields.
    pub(super) fields: Option<&'a FieldEdits>,
    /// The row of an import that makes the change.
    pub(super) source: Option<&'a str>,
}

impl<'a> Alteration<'a> {
    /// Creates an alteration whose only condition is the version.
    pub(super) fn of(action: Action, apply: &'a (dyn Fn(&Lead, Timestamp) -> Lead + Send + Sync)) -> Self {
        Self { action, reason: None, guard: None, apply, fields: None, source: None }
    }
}

/// How often a change is retried after a refusal without a visible cause. The lead's order may have just ended.
const ATTEMPTS: u32 = 8;

impl Leads {
    /// Changes one lead. If an interrupted large order blocks the change, it is reconciled first.
    pub(super) async fn alter(
        &self,
        id: LeadId,
        expected: Version,
        alteration: &Alteration<'_>,
        idempotency: Option<&Idempotency<'_, Lead>>,
        broken_rule: impl Fn(&Lead) -> Option<Rule> + Copy,
    ) -> Result<Done<Lead>, LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (before, fields) = match self.prepare(id, expected, alteration, broken_rule).await {
                Ok(prepared) => prepared,
                Err(error) => return self.replayed_or(error, idempotency).await,
            };
            let after = fields.mark((alteration.apply)(&before.lead, self.clock.now()));
            let write = fields.write(alteration.write(self, &before, &after, &fields)?, &after)?;
            match write_with_record::<_, LeadError>(&self.dynamo, write, after, idempotency).await? {
                Ok(Done::Now(after)) => {
                    let free = StoredLead::free(after.clone());
                    self.snapshots.insert(&StoredLead { reservation: before.reservation, ..free });
                    return Ok(Done::Now(after));
                }
                Ok(replayed) => return Ok(replayed),
                Err(refusal) if refusal.of("email") && !refusal.of("lead") => {
                    return Err(LeadError::violation(Rule::EmailIsUnique));
                }
                Err(_) => {}
            }
            self.retry_or_explain(id, expected, &mut retries, broken_rule).await?;
        }
    }

    /// Returns the lead at the expected version, and its custom fields before and after the change.
    async fn prepare(
        &self,
        id: LeadId,
        expected: Version,
        alteration: &Alteration<'_>,
        broken_rule: impl Fn(&Lead) -> Option<Rule> + Copy,
    ) -> Result<(StoredLead, EditedFields), LeadError> {
        let cached = self.snapshots.get(id, expected);
        let was_read = cached.is_none();
        let before = match cached {
            Some(cached) => cached,
            None => self.fresh(id, expected).await?,
        };
        if let Some(rule) = broken_rule(&before.lead) {
            let refusal = match was_read {
                true => LeadError::violation(rule),
                false => self.explain(id, expected, broken_rule).await?,
            };
            // Otherwise the stored lead no longer breaks the rule, for example because its order ended.
            if matches!(refusal, LeadError::Conflict(_) | LeadError::RuleViolation(_)) {
                return Err(refusal);
            }
        }
        let fields = match alteration.fields.filter(|edits| !edits.is_empty()) {
            Some(edits) => self.edit_fields(&before.lead, edits).await?,
            None => EditedFields::default(),
        };
        Ok((before, fields))
    }
}

impl Alteration<'_> {
    /// Returns the write from one version to the next, including the history entry and the indexes.
    fn write(
        &self,
        leads: &Leads,
        stored: &StoredLead,
        after: &Lead,
        fields: &EditedFields,
    ) -> Result<GuardedWrite, StoreError> {
        let before = &stored.lead;
        let condition = Condition::is_number("version", before.version.get());
        let condition = match &self.guard {
            Some(guard) => condition.and(guard.clone()),
            None => condition,
        };
        // `cause` names the rule behind the previous change, not behind this one.
        let mut update = Update::between(&lead_item(before)?, &lead_item(after)?).remove("cause");
        if stored.word_index != CURRENT_INDEX {
            update = update.set(WORD_INDEX, to_attribute(CURRENT_INDEX)?);
        }
        let entry = HistoryEntry::of_change(before, after, self.action, self.reason.clone());
        let entry = entry.with_fields(fields.changes()).with_source(self.source);
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
        if let (Some(_), Some(order)) = (&stored.reservation, before.order_id) {
            write = reserved::check_open(write, order);
        }
        reindex(requeue(write, Some(before), Some(after))?, Some(stored), Some(after))
    }
}

impl Leads {
    /// Handles a refused write. Returns `Ok` if the change should be retried, otherwise the error that explains the
    /// refusal. An interrupted large order that blocks the change is reconciled.
    pub(super) async fn retry_or_explain(
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
        let Some((lead, since)) = self.resolve_with_history(stored, entries).await? else {
            retries.backoff().await?;
            return Ok(());
        };
        self.snapshots.insert(&lead);
        if lead.lead.version == expected && broken_rule(&lead.lead).is_none() && retries.failed() < ATTEMPTS {
            // Another request reconciled the blocking order after the write was refused.
            retries.backoff().await?;
            return Ok(());
        }
        Err(refusal_error(lead.lead, since, expected, broken_rule))
    }

    /// Returns the lead at the expected version, from the cache or from the table.
    pub(super) async fn snapshot(&self, id: LeadId, expected: Version) -> Result<StoredLead, LeadError> {
        match self.snapshots.get(id, expected) {
            Some(cached) => Ok(cached),
            None => self.fresh(id, expected).await,
        }
    }

    /// Reads the current lead. Fails with a conflict if it is not at the expected version.
    pub(super) async fn fresh(&self, id: LeadId, expected: Version) -> Result<StoredLead, LeadError> {
        let (fresh, since) = self.read_since(id, expected).await?;
        if fresh.lead.version == expected {
            Ok(fresh)
        } else {
            Err(LeadError::Conflict(Box::new(Conflict { fresh: fresh.lead, since })))
        }
    }

    /// Returns the stored answer if this request repeats one that succeeded, otherwise the error.
    pub(super) async fn replayed_or<T>(
        &self,
        error: LeadError,
        idempotency: Option<&Idempotency<'_, T>>,
    ) -> Result<Done<T>, LeadError> {
        match error {
            LeadError::Store(_) => Err(error),
            error => refuse(&self.dynamo, idempotency, error).await,
        }
    }

    /// Reads the lead consistently and returns why the change is refused.
    pub(super) async fn explain(
        &self,
        id: LeadId,
        expected: Version,
        broken_rule: impl Fn(&Lead) -> Option<Rule>,
    ) -> Result<LeadError, LeadError> {
        let (fresh, since) = self.read_since(id, expected).await?;
        Ok(refusal_error(fresh.lead, since, expected, broken_rule))
    }
}

/// Returns the error that explains a refusal: a conflict, or else a broken rule.
fn refusal_error(
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
