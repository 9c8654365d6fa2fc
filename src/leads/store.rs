//! Leads in the table: one function per use case, each change one guarded write.
//!
//! What always holds: a lead, its history entry, its e-mail and its search words change together or not at all; a
//! refusal is explained by one consistent read. A lead at a given version never changes, so the snapshots that this
//! process has seen are never stale: with one at hand a change is one call, without it two.

use std::sync::Arc;

use super::domain::{
    Action, Actor, Guard, HistoryEntry, Lead, LeadChange, LeadId, NewLead, Reason, Rule, Score, Status, Stock,
};
use super::error::{Conflict, LeadError};
use super::items::{
    EmailItem, HISTORY, LEAD, email_key, history_after, history_item, history_sort, lead_item, lead_key,
    reindex,
};
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once, Recall};
use crate::dynamo::{
    Condition, Cursor, GuardedWrite, Item, Key, Refusal, Select, StoreError, Update, WriteError, from_item,
    to_attribute, to_item,
};
use crate::values::Version;

/// Leads as they stood at versions that this process has seen.
#[derive(Clone)]
pub struct Snapshots(Arc<quick_cache::sync::Cache<(LeadId, Version), Lead>>);

impl Snapshots {
    /// Room for this many.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(quick_cache::sync::Cache::new(capacity)))
    }

    pub(super) fn keep(&self, lead: &Lead) {
        self.0.insert((lead.id, lead.version), lead.clone());
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
    let write = record(creation(app, &lead, Action::Created, None)?, once, &lead)?;
    match app.dynamo.write(write).await {
        Ok(()) => {
            app.snapshots.keep(&lead);
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
    reindex(write, None, Some(lead))
}

/// One lead, read consistently.
///
/// # Errors
/// [`LeadError::NotFound`] if there is none.
pub async fn find(app: &App, id: LeadId) -> Result<Lead, LeadError> {
    let item = app.dynamo.get(&lead_key(id)).await?.ok_or(LeadError::NotFound(id))?;
    let lead: Lead = from_item(item)?;
    app.snapshots.keep(&lead);
    Ok(lead)
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
    let guard = match change.guard() {
        // Not sent: no stored lead could allow it. Which of the two refusals it is, the read decides.
        Guard::Never => return Err(explain(app, id, expected, |lead| change.broken_rule(lead)).await),
        Guard::VersionAlone => None,
        Guard::NotConverted => Some(Condition::is_not("status", Status::Converted.as_str())),
        Guard::ScoreAllowsConversion => {
            Some(Condition::AtLeast("leadScore", to_attribute(Score::TO_CONVERT)?))
        }
    };
    let before = match snapshot(app, id, expected).await {
        Err(LeadError::Conflict(conflict)) => return stale(app, conflict, once).await,
        before => before?,
    };
    let after = change.applied_to(&before, app.clock.now(), by.clone());
    let write = alteration(app, &before, &after, Action::Updated, None, guard)?;
    let write = record(write, once, &after)?;
    commit(app, write, &after, expected, once, |lead| change.broken_rule(lead)).await
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
    let before = match snapshot(app, id, expected).await {
        Err(LeadError::Conflict(conflict)) => return stale(app, conflict, once).await,
        before => before?,
    };
    let change = LeadChange { status: Some(Status::Qualified), ..LeadChange::default() };
    let after = change.applied_to(&before, app.clock.now(), by.clone());
    let guard = Some(Condition::is("status", Status::Converted.as_str()));
    let write = alteration(app, &before, &after, Action::Reopened, Some(reason), guard)?;
    let write = record(write, once, &after)?;
    let rule = |lead: &Lead| (lead.status != Status::Converted).then_some(Rule::OnlyConvertedReopens);
    commit(app, write, &after, expected, once, rule).await
}

/// Deletes a lead. Its history stays.
///
/// # Errors
/// As [`update`]; a lead that is out in an order breaks [`Rule::AssignedStays`].
pub async fn delete(app: &App, id: LeadId, expected: Version, by: &Actor) -> Result<(), LeadError> {
    let before = snapshot(app, id, expected).await?;
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
    let rule = |lead: &Lead| (lead.stock == Stock::Assigned).then_some(Rule::AssignedStays);
    commit(app, reindex(write, Some(&before), None)?, &gone, expected, None, rule).await.map(drop)
}

/// A change from one version to the next, with everything that belongs to it.
fn alteration(
    app: &App,
    before: &Lead,
    after: &Lead,
    action: Action,
    reason: Option<Reason>,
    guard: Option<Condition>,
) -> Result<GuardedWrite, StoreError> {
    let condition = Condition::is_number("version", before.version.get());
    let condition = match guard {
        Some(guard) => condition.and(guard),
        None => condition,
    };
    let update = Update::between(&lead_item(before)?, &lead_item(after)?);
    let entry = HistoryEntry::of_change(before, after, action, reason);
    let mut write = app.dynamo.guarded_write().update("lead", &lead_key(before.id), &update, condition).put(
        "history",
        history_item(before.id, &entry)?,
        Condition::Absent,
    );
    if before.email.key() != after.email.key() {
        let email = EmailItem { lead_id: after.id, source: None };
        write = write
            .put("email", to_item(&email_key(&after.email.key()), &email)?, Condition::Absent)
            .delete_derived("old email", &email_key(&before.email.key()));
    }
    reindex(write, Some(before), Some(after))
}

/// Writes, and explains a refusal.
async fn commit(
    app: &App,
    write: GuardedWrite,
    after: &Lead,
    expected: Version,
    once: Option<&Once<'_, Lead>>,
    broken_rule: impl Fn(&Lead) -> Option<Rule>,
) -> Result<Done<Lead>, LeadError> {
    match app.dynamo.write(write).await {
        Ok(()) => {
            app.snapshots.keep(after);
            Ok(Done::Now(after.clone()))
        }
        Err(WriteError::Refused(refusal)) => {
            if let Some(answer) = recalled(once, &refusal)? {
                return Ok(Done::Before(answer));
            }
            if refusal.of("email") && !refusal.of("lead") {
                return Err(LeadError::RuleViolation(Rule::EmailIsUnique));
            }
            Err(explain(app, after.id, expected, broken_rule).await)
        }
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

/// The lead as it stood at the expected version: from memory, or read.
async fn snapshot(app: &App, id: LeadId, expected: Version) -> Result<Lead, LeadError> {
    if let Some(lead) = app.snapshots.0.get(&(id, expected)) {
        return Ok(lead);
    }
    let (fresh, since) = read_since(app, id, expected).await?;
    if fresh.version == expected {
        Ok(fresh)
    } else {
        Err(LeadError::Conflict(Box::new(Conflict { fresh, since })))
    }
}

/// A stale request may be the repetition of one that succeeded: then the ledger has its answer.
async fn stale(
    app: &App,
    conflict: Box<Conflict>,
    once: Option<&Once<'_, Lead>>,
) -> Result<Done<Lead>, LeadError> {
    if let Some(once) = once {
        match once.request.look_up(&app.dynamo).await? {
            Recall::Same(answer) => return Ok(Done::Before(answer)),
            Recall::Other => return Err(LeadError::KeyOfAnotherRequest),
            Recall::Nothing => {}
        }
    }
    Err(LeadError::Conflict(conflict))
}

/// What a refusal means, by one consistent read: gone, changed meanwhile, or a broken rule, in this order.
async fn explain(
    app: &App,
    id: LeadId,
    expected: Version,
    broken_rule: impl Fn(&Lead) -> Option<Rule>,
) -> LeadError {
    match read_since(app, id, expected).await {
        Err(error) => error,
        Ok((fresh, since)) if fresh.version != expected => {
            LeadError::Conflict(Box::new(Conflict { fresh, since }))
        }
        Ok((fresh, _)) => match broken_rule(&fresh) {
            Some(rule) => LeadError::RuleViolation(rule),
            None => LeadError::Store(StoreError::contradiction("TransactWriteItems", &lead_key(id))),
        },
    }
}

/// A lead with what happened to it since a version, newest first, in one consistent call.
async fn read_since(app: &App, id: LeadId, version: Version) -> Result<(Lead, Vec<HistoryEntry>), LeadError> {
    let most = i32::try_from(Conflict::MOST_CHANGES + 1).unwrap_or(i32::MAX);
    let range = Select::partition(lead_key(id).pk, most).between(history_after(version), LEAD).backwards();
    let mut items = app.dynamo.select(&range).await?.items.into_iter().peekable();
    let is_lead = |item: &Item| item.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk == LEAD);
    let Some(item) = items.next_if(is_lead) else { return Err(LeadError::NotFound(id)) };
    let lead: Lead = from_item(item)?;
    app.snapshots.keep(&lead);
    Ok((lead, items.map(from_item).collect::<Result<_, _>>()?))
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
        None => history_sort(9_999_999_999),
        Some(text) => {
            let cursor = Cursor::<1>::decode(HISTORY_LIST, text)?;
            let version: u64 = cursor.parts()[0].parse().map_err(|_| crate::dynamo::CursorError)?;
            history_sort(version.saturating_sub(1).min(9_999_999_999))
        }
    };
    let range = Select::partition(lead_key(id).pk, i32::from(limit) + 1)
        .between(format!("{HISTORY}0"), last)
        .backwards();
    let items = app.dynamo.select(&range).await?.items;
    let mut entries: Vec<HistoryEntry> = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
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

fn record(
    write: GuardedWrite,
    once: Option<&Once<'_, Lead>>,
    lead: &Lead,
) -> Result<GuardedWrite, StoreError> {
    match once {
        Some(once) => once.request.record(write, &(once.answer)(lead)),
        None => Ok(write),
    }
}

fn recalled(once: Option<&Once<'_, Lead>>, refusal: &Refusal) -> Result<Option<Answer>, LeadError> {
    let Some(once) = once else { return Ok(None) };
    match once.request.recall(refusal)? {
        Recall::Nothing => Ok(None),
        Recall::Same(answer) => Ok(Some(answer)),
        Recall::Other => Err(LeadError::KeyOfAnotherRequest),
    }
}

/// The keys of leads, for reading many at once.
pub(super) fn keys(ids: &[LeadId]) -> Vec<Key> {
    ids.iter().map(|id| lead_key(*id)).collect()
}
