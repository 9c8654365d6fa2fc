//! Leads in the table: how they come in and are read. How they change stands in `change.rs`.
//!
//! What always holds: a lead, its history entry, its e-mail, its search words and its place in the queue change together
//! or not at all. A lead at a given version never changes, so the snapshots that this
//! process has seen are never stale: with one at hand a change is one call, without it two.

use super::domain::{Action, HistoryEntry, Lead, LeadId, NewLead, Rule, StoredLead};
use super::error::{Conflict, LeadError};
use super::items::{
    EmailItem, HISTORY, LEAD, STORED, email_key, history_after, history_item, history_sort, lead_item,
    lead_key, reindex, requeue, stored_lead,
};
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::store::ledger::{Answer, Done, Idempotency, Lookup};
use crate::store::{
    Condition, Cursor, GuardedWrite, Item, Key, Refusal, Select, StoreError, WriteError, from_item, to_item,
};

impl Leads {
    /// Creates a lead.
    ///
    /// # Errors
    /// [`LeadError::RuleViolation`] where the lead breaks a rule or its e-mail is taken.
    pub async fn create(
        &self,
        new: NewLead,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let now = self.clock.now();
        let id = LeadId::new(now, &self.rng.bytes());
        let lead = new.into_lead(id, now, by.clone()).map_err(LeadError::violation)?;
        let write = Idempotency::record(idempotency, self.creation(&lead, Action::Created, None)?, &lead)?;
        match self.dynamo.write(write).await {
            Ok(()) => {
                self.snapshots.keep(&StoredLead { lead: lead.clone(), reservation: None });
                Ok(Done::Now(lead))
            }
            Err(WriteError::Refused(refusal)) => match recalled(idempotency, &refusal)? {
                Some(answer) => Ok(Done::Replayed(answer)),
                None => Err(LeadError::violation(Rule::EmailIsUnique)),
            },
            Err(WriteError::Store(error)) => Err(error.into()),
        }
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

impl Leads {
    /// Creates the lead of one row of an import. `source` names the import and the row, so that a repeated row is known
    /// as its own and counted as created.
    ///
    /// # Errors
    /// [`LeadError::RuleViolation`] where the lead breaks a rule.
    pub async fn create_imported(
        &self,
        new: NewLead,
        by: &Actor,
        source: &str,
    ) -> Result<Imported, LeadError> {
        let now = self.clock.now();
        let id = LeadId::new(now, &self.rng.bytes());
        let lead = new.into_lead(id, now, by.clone()).map_err(LeadError::RuleViolation)?;
        match self.dynamo.write(self.creation(&lead, Action::Imported, Some(source))?).await {
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
        &self,
        lead: &Lead,
        action: Action,
        source: Option<&str>,
    ) -> Result<GuardedWrite, StoreError> {
        let email = EmailItem { lead_id: lead.id, source: source.map(str::to_owned) };
        let write = self
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
    pub async fn find(&self, id: LeadId) -> Result<Lead, LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let item = self.dynamo.get(&lead_key(id)).await?.ok_or(LeadError::NotFound(id))?;
            if let Some(seen) = self.resolve(stored_lead(item)?).await? {
                self.snapshots.keep(&seen);
                return Ok(seen.lead);
            }
            retries.backoff().await?;
        }
    }

    /// Leads by their ids, in this order, read consistently, as readers see them; those that are gone are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub(crate) async fn read_all(&self, ids: &[LeadId]) -> Result<Vec<Lead>, StoreError> {
        let mut leads = Vec::with_capacity(ids.len());
        for ids in ids.chunks(100) {
            let items = self.dynamo.get_parts(&keys(ids), &STORED).await?;
            let stored = items.into_iter().map(stored_lead).collect::<Result<Vec<_>, _>>()?;
            let seen = self.resolve_all(stored).await?;
            seen.iter().for_each(|seen| self.snapshots.keep(seen));
            leads.extend(seen.into_iter().map(|seen| seen.lead));
        }
        Ok(leads)
    }

    /// A lead with what happened to it since a version, newest first, in one consistent call; one more where a large order
    /// has it.
    pub(super) async fn read_since(
        &self,
        id: LeadId,
        version: Version,
    ) -> Result<(StoredLead, Vec<HistoryEntry>), LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (stored, entries) = self.read_written(id, version).await?;
            if let Some((seen, entries)) = self.resolve_with_history(stored, entries).await? {
                self.snapshots.keep(&seen);
                return Ok((seen, entries));
            }
            retries.backoff().await?;
        }
    }

    /// The same, as it is written.
    pub(super) async fn read_written(
        &self,
        id: LeadId,
        version: Version,
    ) -> Result<(StoredLead, Vec<HistoryEntry>), LeadError> {
        let most = i32::try_from(Conflict::MOST_CHANGES + 1).unwrap_or(i32::MAX);
        let range =
            Select::partition(lead_key(id).pk, most).between(history_after(version), LEAD).backwards();
        let mut items = self.dynamo.select(&range).await?.items.into_iter().peekable();
        let Some(item) = items.next_if(is_lead) else { return Err(LeadError::NotFound(id)) };
        Ok((stored_lead(item)?, items.map(from_item).collect::<Result<_, _>>()?))
    }
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

impl Leads {
    /// A lead's history, newest first. A deleted lead still has one.
    ///
    /// # Errors
    /// [`LeadError::NotFound`] if there never was such a lead, [`LeadError::Cursor`] for a foreign cursor.
    pub async fn history(
        &self,
        id: LeadId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<HistoryPage, LeadError> {
        let last = match cursor {
            // The lead itself stands behind its history: it knows what a large order adds to what is written.
            None => LEAD.to_owned(),
            Some(text) => {
                let cursor = Cursor::<1>::decode(HISTORY_LIST, text)?;
                let version: u64 = cursor.parts()[0].parse().map_err(|_| crate::store::CursorError)?;
                history_sort(version.saturating_sub(1).min(9_999_999_999))
            }
        };
        let range = Select::partition(lead_key(id).pk, i32::from(limit) + 2)
            .between(format!("{HISTORY}0"), last)
            .backwards();
        let mut entries = self.read_entries(&range).await?;
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

    /// The entries of a range, as readers see them: the lead behind them knows what a large order adds.
    async fn read_entries(&self, range: &Select) -> Result<Vec<HistoryEntry>, LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let mut items = self.dynamo.select(range).await?.items.into_iter().peekable();
            let lead = items.next_if(is_lead).map(stored_lead).transpose()?;
            let entries: Vec<HistoryEntry> = items.map(from_item).collect::<Result<_, _>>()?;
            let Some(lead) = lead else { return Ok(entries) };
            if let Some((_, entries)) = self.resolve_with_history(lead, entries).await? {
                return Ok(entries);
            }
            retries.backoff().await?;
        }
    }
}

pub(super) fn recalled(
    idempotency: Option<&Idempotency<'_, Lead>>,
    refusal: &Refusal,
) -> Result<Option<Answer>, LeadError> {
    match Idempotency::recall(idempotency, refusal)? {
        Lookup::Nothing => Ok(None),
        Lookup::Same(answer) => Ok(Some(answer)),
        Lookup::Other => Err(LeadError::KeyOfAnotherRequest),
    }
}

/// The keys of leads, for reading many at once.
pub(super) fn keys(ids: &[LeadId]) -> Vec<Key> {
    ids.iter().map(|id| lead_key(*id)).collect()
}
