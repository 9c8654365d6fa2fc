//! Creates and reads leads in the table. `change.rs` changes them.
//!
//! Invariants: a lead, its history entry, its email address, its search words and its position in the queue change
//! together or not at all. A lead at a given version never changes, so cached snapshots are never stale. A change takes
//! one call with a snapshot, and two without.

use std::fmt::Display;

use super::domain::{Action, CustomFields, HistoryEntry, Lead, LeadId, NewLead, Rule, StoredLead};
use super::error::{Conflict, LeadError};
use super::items::{
    EmailItem, FieldsItem, HISTORY, LEAD, STORED, email_key, fields_key, history_after, history_item,
    history_sort, lead_item, lead_key, requeue, stored_lead, text,
};
use super::word_index::reindex;
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::shared::cursors::{cursor_after, start_after};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::schema::SK;
use crate::store::{Condition, GuardedWrite, Item, Key, Select, StoreError, from_item, to_item};
use crate::web::lists::Listed;

impl Leads {
    /// Creates a lead.
    ///
    /// # Errors
    /// [`LeadError::RuleViolation`] if the lead breaks a rule or its email address is taken.
    pub async fn create(
        &self,
        new: NewLead,
        by: &Actor,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let now = self.clock.now();
        let id = LeadId::new(now, &self.rng.bytes());
        let fields = new.fields.clone();
        let lead = new.into_lead(id, now, by.clone()).map_err(LeadError::violation)?;
        let write = self.creation(&lead, &fields, Action::Created, None)?;
        let done = write_with_record::<_, LeadError>(&self.dynamo, write, lead, idempotency).await?;
        if let Ok(Done::Now(lead)) = &done {
            self.snapshots.insert(&StoredLead::free(lead.clone()));
        }
        done.map_err(|_| LeadError::violation(Rule::EmailIsUnique))
    }
}

impl Leads {
    pub(super) fn creation(
        &self,
        lead: &Lead,
        fields: &CustomFields,
        action: Action,
        source: Option<&str>,
    ) -> Result<GuardedWrite, StoreError> {
        let email = EmailItem { lead_id: lead.id, source: source.map(str::to_owned) };
        let entry = HistoryEntry::of_new(lead, action);
        let entry = entry.with_fields(CustomFields::default().changes_to(fields));
        let mut write = self
            .dynamo
            .guarded_write()
            .put("lead", lead_item(lead)?, Condition::Absent)
            .put("email", to_item(&email_key(&lead.email.key()), &email)?, Condition::Absent)
            .put("history", history_item(lead.id, &entry)?, Condition::Absent);
        if !fields.is_empty() {
            let item = to_item(&fields_key(lead.id), &FieldsItem::new(lead.version, fields))?;
            write = write.put("fields", item, Condition::Absent);
        }
        reindex(requeue(write, None, Some(lead))?, None, Some(lead))
    }

    /// Reads one lead consistently.
    ///
    /// # Errors
    /// [`LeadError::NotFound`] if there is no such lead.
    pub async fn find(&self, id: LeadId) -> Result<Lead, LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let Some(item) = self.dynamo.get(&lead_key(id)).await? else {
                return Err(self.missing(id).await?);
            };
            if let Some(lead) = self.resolve(stored_lead(item)?).await? {
                self.snapshots.insert(&lead);
                return Ok(lead.lead);
            }
            retries.backoff().await?;
        }
    }

    /// Reads leads by their ids consistently and returns them in the same order, as readers see them. Deleted leads are
    /// left out.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub(crate) async fn read_all(&self, ids: &[LeadId]) -> Result<Vec<Lead>, StoreError> {
        let mut leads = Vec::with_capacity(ids.len());
        for ids in ids.chunks(100) {
            leads.extend(self.read_page(ids).await?);
        }
        Ok(leads)
    }

    /// Reads at most a hundred leads as [`read_all`](Self::read_all) does.
    pub(super) async fn read_page(&self, ids: &[LeadId]) -> Result<Vec<Lead>, StoreError> {
        let items = self.dynamo.get_parts(&keys(ids), &STORED).await?;
        let stored = items.into_iter().map(stored_lead).collect::<Result<Vec<_>, _>>()?;
        let resolved = self.resolve_all(stored).await?;
        resolved.iter().for_each(|lead| self.snapshots.insert(lead));
        Ok(resolved.into_iter().map(|lead| lead.lead).collect())
    }

    /// Reads a lead and its history since a version, newest first, in one consistent call. A lead in a large order
    /// needs another call.
    pub(super) async fn read_since(
        &self,
        id: LeadId,
        version: Version,
    ) -> Result<(StoredLead, Vec<HistoryEntry>), LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let (stored, entries) = self.read_written(id, version).await?;
            if let Some((lead, entries)) = self.resolve_with_history(stored, entries).await? {
                self.snapshots.insert(&lead);
                return Ok((lead, entries));
            }
            retries.backoff().await?;
        }
    }

    /// Does the same without resolving the lead's reservation.
    pub(super) async fn read_written(
        &self,
        id: LeadId,
        version: Version,
    ) -> Result<(StoredLead, Vec<HistoryEntry>), LeadError> {
        let most = i32::try_from(Conflict::MAX_CHANGES + 1).unwrap_or(i32::MAX);
        let range =
            Select::partition(lead_key(id).pk, most).between(history_after(version), LEAD).backwards();
        let mut items = self.dynamo.select(&range).await?.items.into_iter().peekable();
        let Some(item) = items.next_if(is_lead) else { return Err(self.missing(id).await?) };
        Ok((stored_lead(item)?, items.map(from_item).collect::<Result<_, _>>()?))
    }
}

pub(super) fn is_lead(item: &Item) -> bool {
    text(item, SK) == Some(LEAD)
}

const HISTORY_LIST: &str = "history";

/// Returns the cursor after the entry of a version.
pub(super) fn history_cursor(version: impl Display) -> String {
    cursor_after(HISTORY_LIST, version)
}

impl Leads {
    /// Returns a page of a lead's history, newest first. A deleted lead still has a history.
    ///
    /// # Errors
    /// [`LeadError::NotFound`] if the lead never existed; [`LeadError::Cursor`] if the cursor belongs to another list.
    pub async fn history(
        &self,
        id: LeadId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<HistoryEntry>, LeadError> {
        let last = match start_after::<u64>(HISTORY_LIST, cursor)? {
            // The range includes the lead, whose item follows its history: its large order may add an entry.
            None => LEAD.to_owned(),
            Some(version) => history_sort(version.saturating_sub(1).min(9_999_999_999)),
        };
        let range = Select::partition(lead_key(id).pk, i32::from(limit) + 2)
            .between(format!("{HISTORY}0"), last)
            .backwards();
        let (mut entries, is_cut) = self.read_entries(&range).await?;
        if entries.is_empty() && cursor.is_none() {
            return Err(LeadError::NotFound(id));
        }
        let has_more = is_cut || entries.len() > usize::from(limit);
        entries.truncate(limit.into());
        let next = entries.last().filter(|_| has_more).map(|entry| history_cursor(entry.version));
        Ok(Listed { items: entries, next })
    }

    /// Reads the entries of a range, as readers see them. If the range includes the lead, its large order may add an
    /// entry.
    async fn read_entries(&self, range: &Select) -> Result<(Vec<HistoryEntry>, bool), LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let page = self.dynamo.select(range).await?;
            let mut items = page.items.into_iter().peekable();
            let lead = items.next_if(is_lead).map(stored_lead).transpose()?;
            let entries: Vec<HistoryEntry> = items.map(from_item).collect::<Result<_, _>>()?;
            let Some(lead) = lead else { return Ok((entries, page.more)) };
            if let Some((_, entries)) = self.resolve_with_history(lead, entries).await? {
                return Ok((entries, page.more));
            }
            retries.backoff().await?;
        }
    }
}

fn keys(ids: &[LeadId]) -> Vec<Key> {
    ids.iter().map(|id| lead_key(*id)).collect()
}
