//! Leads in the table: one function per use case, each change one guarded write.
//!
//! What always holds: a lead, its history entry, its e-mail and its search words change together or not at all; a
//! refusal is explained by one consistent read. A lead at a given version never changes, so the snapshots that this
//! process has seen are never stale: with one at hand a change is one call, without it two.

use std::sync::Arc;

use super::domain::{
    Action, Actor, Guard, HistoryEntry, Lead, LeadChange, LeadId, NewLead, Reason, Rule, Score, Status,
    Stock, StoredLead,
};
use super::error::{Conflict, LeadError};
use super::holds;
use super::items::{
    EmailItem, HISTORY, LEAD, email_key, history_after, history_item, history_sort, lead_item, lead_key,
    reindex, requeue, stored_lead,
};
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once, Recall};
use crate::dynamo::{
    Condition, Cursor, GuardedWrite, Item, Key, Refusal, Select, StoreError, Update, WriteError, from_item,
    to_attribute, to_item,
};
use crate::values::Version;
use jiff::Timestamp;

/// Leads as they stood at versions that this process has seen, with the holds of large orders.
#[derive(Clone)]
pub struct Snapshots(Arc<quick_cache::sync::Cache<(LeadId, Version), StoredLead>>);

impl Snapshots {
    /// Room for this many.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(quick_cache::sync::Cache::new(capacity)))
    }

    pub(super) fn keep(&self, seen: &StoredLead) {
        self.0.insert((seen.lead.id, seen.lead.version), seen.clone());
    }
}

/// A change that was made now, or the stored answer of the same request made before.
#[derive(Debug)]
pub enum Done<T> {
    /// It was made now.
    Now(T),
    /// The same request had made it before, and was answered so.
    Before(Answer),
}

/// Creates a lead.
///
/// # Errors
/// [`LeadError::RuleViolation`] where the lead breaks a rule or its e-mail is taken.
pub async fn create(
    app: &App,
    new: NewLead,
    by: &Actor,
    once: Option<&Once<'_, Lead>>,
) -> Result<Done<Lead>, LeadError> {
    let now = app.clock.now();
    let id = LeadId::new(now, &app.entropy.bytes());
    let lead = new.into_lead(id, now, by.clone()).map_err(LeadError::RuleViolation)?;
    let write = Once::record(once, creation(app, &lead, Action::Created, None)?, &lead)?;
    match app.dynamo.write(write).await {
        Ok(()) => {
            app.snapshots.keep(&StoredLead { lead: lead.clone(), hold: None });
            Ok(Done::Now(lead))
        }
        Err(WriteError::Refused(refusal)) => match recalled(once, &refusal)? {
            Some(answer) => Ok(Done::Before(answer)),
            None => Err(LeadError::RuleViolation(Rule::EmailIsUnique)),
        },
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

/// What an import's row came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// A lead was created, by this attempt or by an earlier one of the same row.
    Created,
    /// Another lead has the e-mail address.
    Duplicate,
}

/// Creates the lead of one row of an import. `source` names the import and the row, so that a repeated row is known
/// as its own and counted as created.
///
/// # Errors
/// [`LeadError::RuleViolation`] where the lead breaks a rule.
pub async fn create_imported(
    app: &App,
    new: NewLead,
    by: &Actor,
    source: &str,
) -> Result<Imported, LeadError> {
    let now = app.clock.now();
    let id = LeadId::new(now, &app.entropy.bytes());
    let lead = new.into_lead(id, now, by.clone()).map_err(LeadError::RuleViolation)?;
    match app.dynamo.write(creation(app, &lead, Action::Imported, Some(source))?).await {
        Ok(()) => Ok(Imported::Created),
        Err(WriteError::Refused(refusal)) => {
            let holder = refusal.item("email").cloned().map(from_item::<EmailItem>).transpose()?;
            let own = holder.is_some_and(|holder| holder.source.as_deref() == Some(source));
            Ok(if own { Imported::Created } else { Imported::Duplicate })
        }
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

fn creation(
    app: &App,
    lead: &Lead,
    action: Action,
    source: Option<&str>,
) -> Result<GuardedWrite, StoreError> {
    let email = EmailItem { lead_id: lead.id, source: source.map(str::to_owned) };
    let write = app
        .dynamo
        .guarded_write()
        .put("lead", lead_item(lead)?, Condition::Absent)
        .put("email", to_item(&email_key(&lead.email.key()), &email)?, Condition::Absent)
        .put("history", history_item(lead.id, &HistoryEntry::of_new(lead, action))?, Condition::Absent);
    reindex(requeue(write, None, Some(lead))?, None, Some(lead))
}

/// One lead, read consistently.
///
/// # Errors
/// [`LeadError::NotFound`] if there is none.
pub async fn find(app: &App, id: LeadId) -> Result<Lead, LeadError> {
    let item = app.dynamo.get(&lead_key(id)).await?.ok_or(LeadError::NotFound(id))?;
    let seen = holds::see(app, stored_lead(item)?).await?;
    app.snapshots.keep(&seen);
    Ok(seen.lead)
}

/// Leads by their ids, in this order, read consistently, as readers see them; those that are gone are left out.
///
/// # Errors
/// [`StoreError`] if the store failed.
pub(crate) async fn read_all(app: &App, ids: &[LeadId]) -> Result<Vec<Lead>, StoreError> {
    let mut leads = Vec::with_capacity(ids.len());
    for ids in ids.chunks(100) {
        let items = app.dynamo.get_all(&keys(ids)).await?;
        let stored = items.into_iter().map(stored_lead).collect::<Result<Vec<_>, _>>()?;
        let seen = holds::see_all(app, stored).await?;
        seen.iter().for_each(|seen| app.snapshots.keep(seen));
        leads.extend(seen.into_iter().map(|seen| seen.lead));
    }
    Ok(leads)
}

/// Changes some fields of a lead.
///
/// # Errors
/// [`LeadError::Conflict`] if `expected` is not the stored version, [`LeadError::RuleViolation`] if it is and a rule
/// forbids the change.
pub async fn update(
    app: &App,
    id: LeadId,
    expected: Version,
    change: &LeadChange,
    by: &Actor,
    once: Option<&Once<'_, Lead>>,
) -> Result<Done<Lead>, LeadError> {
    let broken_rule = |lead: &Lead| change.broken_rule(lead);
    let Some(guard) = guard_of(change)? else {
        // Not sent: no stored lead could allow it. Which of the two refusals it is, the read decides.
        return Err(explain(app, id, expected, broken_rule).await?);
    };
    let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
    let alteration = Alteration { action: Action::Updated, reason: None, guard, apply: &apply };
    alter(app, id, expected, &alteration, once, broken_rule).await
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

/// Takes a converted lead back to QUALIFIED, with a reason for the history. Who may do so is the route's matter.
///
/// # Errors
/// As [`update`].
pub async fn reopen(
    app: &App,
    id: LeadId,
    expected: Version,
    reason: Reason,
    by: &Actor,
    once: Option<&Once<'_, Lead>>,
) -> Result<Done<Lead>, LeadError> {
    let change = LeadChange { status: Some(Status::Qualified), ..LeadChange::default() };
    let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
    let guard = Some(Condition::is("status", Status::Converted.as_str()));
    let alteration = Alteration { action: Action::Reopened, reason: Some(reason), guard, apply: &apply };
    let rule = |lead: &Lead| (lead.status != Status::Converted).then_some(Rule::OnlyConvertedReopens);
    alter(app, id, expected, &alteration, once, rule).await
}

/// Puts a withheld lead back in stock, at its old place in the queue of its state.
///
/// # Errors
/// As [`update`]; a lead that is not withheld breaks [`Rule::OnlyWithheldRestocks`].
pub async fn restock(
    app: &App,
    id: LeadId,
    expected: Version,
    by: &Actor,
    once: Option<&Once<'_, Lead>>,
) -> Result<Done<Lead>, LeadError> {
    let apply = |before: &Lead, now| before.moved(Stock::Unassigned, None, now, by.clone());
    let guard = Some(Condition::is("stock", Stock::Withheld.as_str()));
    let alteration = Alteration { action: Action::Restocked, reason: None, guard, apply: &apply };
    let rule = |lead: &Lead| (lead.stock != Stock::Withheld).then_some(Rule::OnlyWithheldRestocks);
    alter(app, id, expected, &alteration, once, rule).await
}

/// Deletes a lead. Its history stays.
///
/// # Errors
/// As [`update`]; a lead that is out in an order breaks [`Rule::AssignedStays`].
pub async fn delete(app: &App, id: LeadId, expected: Version, by: &Actor) -> Result<(), LeadError> {
    let rule = |lead: &Lead| (lead.stock == Stock::Assigned).then_some(Rule::AssignedStays);
    for attempt in 0..ATTEMPTS {
        let before = snapshot(app, id, expected).await?.lead;
        let gone = LeadChange::default().applied_to(&before, app.clock.now(), by.clone());
        let entry = HistoryEntry::of_change(&before, &gone, Action::Deleted, None);
        let guard = Condition::is_number("version", expected.get())
            .and(Condition::is_not("stock", Stock::Assigned.as_str()));
        let write = app
            .dynamo
            .guarded_write()
            .delete("lead", &lead_key(id), guard)
            .put("history", history_item(id, &entry)?, Condition::Absent)
            .delete_derived("email", &email_key(&before.email.key()));
        let write = reindex(requeue(write, Some(&before), None)?, Some(&before), None)?;
        match app.dynamo.write(write).await {
            Ok(()) => return Ok(()),
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(_)) => unsettled(app, id, expected, attempt, rule).await?,
        }
    }
    Err(crowded())
}

/// A change of one lead, whoever makes it.
struct Alteration<'a> {
    action: Action,
    reason: Option<Reason>,
    /// What the stored lead must satisfy beside its version.
    guard: Option<Condition>,
    apply: &'a (dyn Fn(&Lead, Timestamp) -> Lead + Send + Sync),
}

/// How often a change is tried again because a large order just began or ended around its lead.
const ATTEMPTS: u32 = 8;

/// Makes a change of one lead. Where a large order that was cut off stands in its way, that is settled first.
async fn alter(
    app: &App,
    id: LeadId,
    expected: Version,
    alteration: &Alteration<'_>,
    once: Option<&Once<'_, Lead>>,
    broken_rule: impl Fn(&Lead) -> Option<Rule> + Copy,
) -> Result<Done<Lead>, LeadError> {
    for attempt in 0..ATTEMPTS {
        let before = match snapshot(app, id, expected).await {
            Err(LeadError::Conflict(conflict)) => return stale(app, conflict, once).await,
            before => before?,
        };
        let after = (alteration.apply)(&before.lead, app.clock.now());
        let write = Once::record(once, alteration.write(app, &before, &after)?, &after)?;
        match app.dynamo.write(write).await {
            Ok(()) => {
                app.snapshots.keep(&StoredLead { lead: after.clone(), hold: before.hold });
                return Ok(Done::Now(after));
            }
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(refusal)) => {
                if let Some(answer) = recalled(once, &refusal)? {
                    return Ok(Done::Before(answer));
                }
                if refusal.of("email") && !refusal.of("lead") {
                    return Err(LeadError::RuleViolation(Rule::EmailIsUnique));
                }
            }
        }
        unsettled(app, id, expected, attempt, broken_rule).await?;
    }
    Err(crowded())
}

impl Alteration<'_> {
    /// The change from one version to the next, with everything that belongs to it.
    fn write(&self, app: &App, seen: &StoredLead, after: &Lead) -> Result<GuardedWrite, StoreError> {
        let before = &seen.lead;
        let condition = Condition::is_number("version", before.version.get());
        let condition = match &self.guard {
            Some(guard) => condition.and(guard.clone()),
            None => condition,
        };
        // What a rule has caused before is not the cause of this.
        let update = Update::between(&lead_item(before)?, &lead_item(after)?).remove("cause");
        let entry = HistoryEntry::of_change(before, after, self.action, self.reason.clone());
        let mut write = app
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
        if let (Some(_), Some(order)) = (&seen.hold, before.order_id) {
            write = holds::check_open(write, order);
        }
        reindex(requeue(write, Some(before), Some(after))?, Some(before), Some(after))
    }
}

/// After a refusal: settles what stood in the way, if something did; otherwise says what the refusal means.
async fn unsettled(
    app: &App,
    id: LeadId,
    expected: Version,
    attempt: u32,
    broken_rule: impl Fn(&Lead) -> Option<Rule>,
) -> Result<(), LeadError> {
    let (stored, entries) = read_written(app, id, expected).await?;
    if holds::settle(app, &stored, attempt).await? {
        return Ok(());
    }
    let (seen, since) = holds::see_with_history(app, stored, entries).await?;
    app.snapshots.keep(&seen);
    if seen.lead.version == expected && broken_rule(&seen.lead).is_none() && attempt + 1 < ATTEMPTS {
        // What stood in the way is gone since: somebody else settled it.
        app.dynamo.pause(attempt).await;
        return Ok(());
    }
    Err(meaning(seen.lead, since, expected, broken_rule))
}

fn crowded() -> LeadError {
    let last = "an order around the lead was not settled".to_owned();
    LeadError::Store(StoreError::Unavailable { operation: "TransactWriteItems", attempts: ATTEMPTS, last })
}

/// The lead as it stood at the expected version: from memory, or read.
async fn snapshot(app: &App, id: LeadId, expected: Version) -> Result<StoredLead, LeadError> {
    if let Some(seen) = app.snapshots.0.get(&(id, expected)) {
        return Ok(seen);
    }
    let (fresh, since) = read_since(app, id, expected).await?;
    if fresh.lead.version == expected {
        Ok(fresh)
    } else {
        Err(LeadError::Conflict(Box::new(Conflict { fresh: fresh.lead, since })))
    }
}

/// A stale request may be the repetition of one that succeeded: then the ledger has its answer.
async fn stale(
    app: &App,
    conflict: Box<Conflict>,
    once: Option<&Once<'_, Lead>>,
) -> Result<Done<Lead>, LeadError> {
    match Once::look_up(once, &app.dynamo).await? {
        Recall::Same(answer) => Ok(Done::Before(answer)),
        Recall::Other => Err(LeadError::KeyOfAnotherRequest),
        Recall::Nothing => Err(LeadError::Conflict(conflict)),
    }
}

/// What a change would be refused for, by one consistent read.
async fn explain(
    app: &App,
    id: LeadId,
    expected: Version,
    broken_rule: impl Fn(&Lead) -> Option<Rule>,
) -> Result<LeadError, LeadError> {
    let (fresh, since) = read_since(app, id, expected).await?;
    Ok(meaning(fresh.lead, since, expected, broken_rule))
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
        Some(rule) => LeadError::RuleViolation(rule),
        None => LeadError::Store(StoreError::contradiction("TransactWriteItems", &lead_key(fresh.id))),
    }
}

/// A lead with what happened to it since a version, newest first, in one consistent call; one more where a large order
/// has it.
async fn read_since(
    app: &App,
    id: LeadId,
    version: Version,
) -> Result<(StoredLead, Vec<HistoryEntry>), LeadError> {
    let (stored, entries) = read_written(app, id, version).await?;
    let (seen, entries) = holds::see_with_history(app, stored, entries).await?;
    app.snapshots.keep(&seen);
    Ok((seen, entries))
}

/// The same, as it is written.
async fn read_written(
    app: &App,
    id: LeadId,
    version: Version,
) -> Result<(StoredLead, Vec<HistoryEntry>), LeadError> {
    let most = i32::try_from(Conflict::MOST_CHANGES + 1).unwrap_or(i32::MAX);
    let range = Select::partition(lead_key(id).pk, most).between(history_after(version), LEAD).backwards();
    let mut items = app.dynamo.select(&range).await?.items.into_iter().peekable();
    let Some(item) = items.next_if(is_lead) else { return Err(LeadError::NotFound(id)) };
    Ok((stored_lead(item)?, items.map(from_item).collect::<Result<_, _>>()?))
}

fn is_lead(item: &Item) -> bool {
    item.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk == LEAD)
}

/// One page of a lead's history, newest first.
#[derive(Debug)]
pub struct HistoryPage {
    /// The entries.
    pub entries: Vec<HistoryEntry>,
    /// Where the next page begins.
    pub next: Option<String>,
}

const HISTORY_LIST: &str = "history";

/// A lead's history, newest first. A deleted lead still has one.
///
/// # Errors
/// [`LeadError::NotFound`] if there never was such a lead, [`LeadError::Cursor`] for a foreign cursor.
pub async fn history(
    app: &App,
    id: LeadId,
    limit: u16,
    cursor: Option<&str>,
) -> Result<HistoryPage, LeadError> {
    let last = match cursor {
        // The lead itself stands behind its history: it knows what a large order adds to what is written.
        None => LEAD.to_owned(),
        Some(text) => {
            let cursor = Cursor::<1>::decode(HISTORY_LIST, text)?;
            let version: u64 = cursor.parts()[0].parse().map_err(|_| crate::dynamo::CursorError)?;
            history_sort(version.saturating_sub(1).min(9_999_999_999))
        }
    };
    let range = Select::partition(lead_key(id).pk, i32::from(limit) + 2)
        .between(format!("{HISTORY}0"), last)
        .backwards();
    let mut items = app.dynamo.select(&range).await?.items.into_iter().peekable();
    let lead = items.next_if(is_lead).map(stored_lead).transpose()?;
    let mut entries: Vec<HistoryEntry> = items.map(from_item).collect::<Result<_, _>>()?;
    if let Some(lead) = lead {
        entries = holds::see_with_history(app, lead, entries).await?.1;
    }
    if entries.is_empty() && cursor.is_none() {
        return Err(LeadError::NotFound(id));
    }
    let more = entries.len() > usize::from(limit);
    entries.truncate(limit.into());
    let next = entries
        .last()
        .filter(|_| more)
        .map(|entry| Cursor::after([entry.version.to_string()]).encode(HISTORY_LIST));
    Ok(HistoryPage { entries, next })
}

fn recalled(once: Option<&Once<'_, Lead>>, refusal: &Refusal) -> Result<Option<Answer>, LeadError> {
    match Once::recall(once, refusal)? {
        Recall::Nothing => Ok(None),
        Recall::Same(answer) => Ok(Some(answer)),
        Recall::Other => Err(LeadError::KeyOfAnotherRequest),
    }
}

/// The keys of leads, for reading many at once.
pub(super) fn keys(ids: &[LeadId]) -> Vec<Key> {
    ids.iter().map(|id| lead_key(*id)).collect()
}
