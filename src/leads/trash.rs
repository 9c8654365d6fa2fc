//! Deleted leads: they stay in the trash for 30 days and can be restored.
//!
//! Invariants: a lead is either a lead or in the trash, because one transaction moves it. A lead in the trash keeps its
//! history and its notes; its email address is free. After 30 days no read returns it, even if DynamoDB removes it
//! later. When its place in the trash is removed, `purge.rs` deletes its history and its notes too.

use jiff::{SignedDuration, Timestamp};

use super::domain::{Action, HistoryEntry, Lead, LeadId, Rule, Stock, StoredLead};
use super::error::{Conflict, LeadError};
use super::items::{
    EmailItem, TRASH_LIST, email_key, fields_key, history_item, lead_item, lead_key, merged_key, requeue,
    trash_item, trash_key,
};
use super::list::{IndexPage, LeadPage};
use super::merge_leads::MergedItem;
use super::word_index::reindex;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::shared::audit::Author;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::schema::{self, TTL};
use crate::store::{
    Condition, GuardedWrite, Item, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

/// How long a deleted lead can be restored.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Returns when a deleted lead leaves the trash.
pub fn expires_at(deleted: &Lead) -> Timestamp {
    deleted.updated_at.saturating_add(RETENTION).unwrap_or(Timestamp::MAX)
}

impl Leads {
    /// Moves a lead to the trash and frees its email address.
    ///
    /// # Errors
    /// As [`update`](Self::update). A lead in an open order breaks [`Rule::AssignedStays`].
    pub async fn delete(
        &self,
        id: LeadId,
        expected: Version,
        by: &Author,
        idempotency: Option<&Idempotency<'_, ()>>,
    ) -> Result<Done<()>, LeadError> {
        let deletion = self.move_to_trash(id, expected, by, idempotency);
        Idempotency::run(idempotency, &self.dynamo, deletion).await
    }

    /// Moves a lead to the trash without looking up the idempotency record. [`delete`](Self::delete) looks it up first,
    /// because it would not find a lead that the same request deleted.
    async fn move_to_trash(
        &self,
        id: LeadId,
        expected: Version,
        by: &Author,
        idempotency: Option<&Idempotency<'_, ()>>,
    ) -> Result<(), LeadError> {
        let rule = |lead: &Lead| (lead.stock == Stock::Assigned).then_some(Rule::AssignedStays);
        let mut retries = self.dynamo.retries();
        loop {
            let before = self.snapshot(id, expected).await?;
            let write = self.deletion(&before, by)?;
            match self.dynamo.write(Idempotency::record(idempotency, write, &())?).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(_)) => {
                    self.retry_or_explain(id, expected, &mut retries, rule).await?
                }
            }
        }
    }

    fn deletion(&self, stored: &StoredLead, by: &Author) -> Result<GuardedWrite, StoreError> {
        let before = &stored.lead;
        let gone = before.next_version(self.clock.now(), by.actor.clone());
        let entry = HistoryEntry::of_change(before, &gone, Action::Deleted, None);
        let guard = Condition::is_number("version", before.version.get())
            .and(Condition::is_not("stock", Stock::Assigned.as_str()));
        let write = self
            .dynamo
            .guarded_write()
            .delete("lead", &lead_key(before.id), guard)
            .put_derived("trash", expiring(trash_item(&gone)?, &gone)?)
            .put("history", history_item(before.id, &entry)?, Condition::Absent)
            .delete_derived("email", &email_key(&before.email.key()));
        let write = match before.fields_version {
            None => write,
            Some(_) => {
                let expiry = Update::default().set(TTL, to_attribute(expires_at(&gone).as_second())?);
                write.update_derived("fields", &fields_key(before.id), &expiry)
            }
        };
        let write = write.audit_by(by, self.deletion_entry(&gone, by, "Lead deleted."))?;
        reindex(requeue(write, Some(before), None)?, Some(stored), None)
    }

    /// Returns the audit entry of a lead that was deleted, restored or merged.
    pub(super) fn deletion_entry(&self, lead: &Lead, by: &Author, detail: impl Into<String>) -> AuditEntry {
        let (by, kind, subject) = (AuditActor::from(by), AuditKind::Deletion, lead.name.to_string());
        let entry = AuditEntry::new(&self.rng, lead.updated_at, &by, kind, subject, detail);
        entry.at_path(format!("/leads/{}", lead.id))
    }

    /// Restores a deleted lead at the version after its deletion.
    ///
    /// # Errors
    /// [`LeadError::Conflict`] if the lead is there again; [`LeadError::EmailTaken`] if another lead has its email
    /// address now; [`LeadError::NotFound`] if it left the trash.
    pub async fn restore(
        &self,
        id: LeadId,
        expected: Version,
        by: &Author,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let Some(deleted) = self.in_trash(id).await? else {
                let error = match self.find(id).await {
                    Ok(fresh) => LeadError::Conflict(Box::new(Conflict { fresh, since: Vec::new() })),
                    Err(error) => error,
                };
                return self.replayed_or(error, idempotency).await;
            };
            if deleted.version != expected {
                return self.replayed_or(LeadError::Deleted(Box::new(deleted)), idempotency).await;
            }
            let after = deleted.next_version(self.clock.now(), by.actor.clone());
            let write = self.restoration(&deleted, &after, by)?;
            match write_with_record::<_, LeadError>(&self.dynamo, write, after, idempotency).await? {
                Ok(done) => return Ok(done),
                Err(refusal) => {
                    let taken = refusal.item("email").cloned().map(from_item::<EmailItem>).transpose()?;
                    // Another request may have just restored this lead.
                    if let Some(taken) = taken.filter(|taken| taken.lead_id != id) {
                        return Err(LeadError::EmailTaken(taken.lead_id));
                    }
                }
            }
            retries.backoff().await?;
        }
    }

    fn restoration(&self, deleted: &Lead, after: &Lead, by: &Author) -> Result<GuardedWrite, StoreError> {
        let entry = HistoryEntry::of_change(deleted, after, Action::Restored, None);
        let email = to_item(&email_key(&after.email.key()), &EmailItem { lead_id: after.id, source: None })?;
        let write = self
            .dynamo
            .guarded_write()
            .delete("trash", &trash_key(after.id), Condition::is_number("version", deleted.version.get()))
            .put("lead", lead_item(after)?, Condition::Absent)
            .put("email", email, Condition::Absent)
            .put("history", history_item(after.id, &entry)?, Condition::Absent);
        let write = match after.fields_version {
            None => write,
            Some(_) => write.update_derived("fields", &fields_key(after.id), &Update::default().remove(TTL)),
        };
        let write = write.audit_by(by, self.deletion_entry(after, by, "Lead restored."))?;
        reindex(requeue(write, None, Some(after))?, None, Some(after))
    }

    /// Returns why there is no such lead: it is in the trash, was merged into another one, or never existed.
    ///
    /// # Errors
    /// [`LeadError::Store`] if the store failed.
    pub(super) async fn missing(&self, id: LeadId) -> Result<LeadError, LeadError> {
        let items = self.dynamo.get_all(&[trash_key(id), merged_key(id)]).await?;
        for item in items {
            if item.contains_key("into") {
                return Ok(LeadError::Merged(from_item::<MergedItem>(item)?.into));
            }
            if let Some(deleted) = self.still_in_trash(item)? {
                return Ok(LeadError::Deleted(Box::new(deleted)));
            }
        }
        Ok(LeadError::NotFound(id))
    }

    async fn in_trash(&self, id: LeadId) -> Result<Option<Lead>, StoreError> {
        let item = self.dynamo.get(&trash_key(id)).await?;
        item.map_or(Ok(None), |item| self.still_in_trash(item))
    }

    fn still_in_trash(&self, item: Item) -> Result<Option<Lead>, StoreError> {
        let deleted: Lead = from_item(item)?;
        Ok(Some(deleted).filter(|deleted| self.clock.now() < expires_at(deleted)))
    }

    /// Returns a page of the trash, last deleted first, with at most two calls.
    ///
    /// # Errors
    /// [`LeadError::Cursor`] if the cursor belongs to another list.
    pub async fn trash(&self, limit: u16, cursor: Option<&str>) -> Result<LeadPage, LeadError> {
        let page = IndexPage {
            index: schema::ALL_NEWEST,
            partition: TRASH_LIST.to_owned(),
            list: TRASH_LIST,
            key: trash_key,
            limit,
        };
        let (ids, next) = self.index_ids(&page, cursor).await?;
        let keys: Vec<_> = ids.into_iter().map(trash_key).collect();
        let items = self.dynamo.get_all(&keys).await?;
        let leads = items.into_iter().map(|item| self.still_in_trash(item)).collect::<Result<Vec<_>, _>>()?;
        Ok(LeadPage { leads: leads.into_iter().flatten().collect(), next })
    }
}

fn expiring(mut item: Item, deleted: &Lead) -> Result<Item, StoreError> {
    item.insert(TTL.to_owned(), to_attribute(expires_at(deleted).as_second())?);
    Ok(item)
}
