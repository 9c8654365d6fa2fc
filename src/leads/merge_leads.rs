//! Merges two leads into one, in one transaction, and finds leads that may be the same person.
//!
//! Invariants: the lead that is kept has the chosen values, and names the leads that were merged into it. Nothing of the
//! other lead is lost: its address leads to the kept one, where its notes and its history stay readable.

use serde::{Deserialize, Serialize};

use super::custom_field_items::{EditedFields, LeadWithFields};
use super::domain::{
    Action, CustomFields, FieldEdits, HistoryEntry, Lead, LeadChange, LeadId, Rule, Stock, StoredLead,
};
use super::error::LeadError;
use super::items::{
    CURRENT_INDEX, EmailItem, WORD_INDEX, email_key, fields_key, history_item, lead_item, lead_key,
    merged_key, requeue,
};
use super::reserved;
use super::search::{SearchQuery, parse_query};
use super::word_index::reindex;
use crate::base::identity::Actor;
use crate::base::values::{Invalid, Version};
use crate::leads::Leads;
use crate::leads::list::ListRequest;
use crate::shared::audit::Author;
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, GuardedWrite, StoreError, Update, to_attribute, to_item};

/// What is left of a lead that was merged into another one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MergedItem {
    /// The lead that was kept.
    pub(super) into: LeadId,
}

/// A merge of two leads.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The lead that is kept, and its version.
    pub kept: (LeadId, Version),
    /// The lead that is merged into it, and its version.
    pub merged: (LeadId, Version),
    /// The values of the kept lead that were chosen. Otherwise it keeps its values, and takes those that it lacks from
    /// the other lead.
    pub choices: LeadChange,
}

/// The most leads that can be merged into one.
pub const MOST_MERGED: usize = 10;

impl Leads {
    /// Merges a lead into another one.
    ///
    /// # Errors
    /// [`LeadError::Conflict`] for the lead whose version is not the stored version; [`Rule::AssignedIsNotMerged`] if
    /// either is in an open order; [`LeadError::Invalid`] for the same lead twice, too many merged leads, or too many
    /// custom fields.
    pub async fn merge(
        &self,
        merge: &Merge,
        by: &Author,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let ((kept_id, kept_version), (merged_id, merged_version)) = (merge.kept, merge.merged);
        if kept_id == merged_id {
            return Err(LeadError::Invalid("merged", Invalid::new("Choose two different leads.")));
        }
        let rule = |lead: &Lead| (lead.stock == Stock::Assigned).then_some(Rule::AssignedIsNotMerged);
        let mut retries = self.dynamo.retries();
        loop {
            let (pair, merged) = match self.plan_merge(merge, &by.actor).await {
                Ok(planned) => planned,
                Err(error) => return self.replayed_or(error, idempotency).await,
            };
            let other = &pair.merged.0.lead.name;
            let detail = format!("Lead {other} ({merged_id}) merged into this one.");
            let entry = self.deletion_entry(&merged.after, by, detail);
            let write = merged.write(self, &pair)?.audit_by(by, entry)?;
            match write_with_record::<_, LeadError>(&self.dynamo, write, merged.after, idempotency).await? {
                Ok(done) => return Ok(done),
                Err(refusal) if refusal.of("email") && !refusal.of("kept") && !refusal.of("merged") => {
                    return Err(LeadError::violation(Rule::EmailIsUnique));
                }
                Err(_) => {}
            }
            self.retry_or_explain(kept_id, kept_version, &mut retries, rule).await?;
            self.retry_or_explain(merged_id, merged_version, &mut retries, rule).await?;
        }
    }

    /// Reads both leads, and returns them with what the merge makes of them.
    async fn plan_merge(&self, merge: &Merge, by: &Actor) -> Result<(Pair, MergedPair), LeadError> {
        let kept = self.with_fields(merge.kept.0, merge.kept.1).await?;
        let pair = Pair { kept, merged: self.with_fields(merge.merged.0, merge.merged.1).await? };
        let merged = pair.merge(&merge.choices, self.clock.now(), by)?;
        Ok((pair, merged))
    }

    /// Reads the lead at the expected version, with its custom fields.
    async fn with_fields(
        &self,
        id: LeadId,
        expected: Version,
    ) -> Result<(StoredLead, EditedFields), LeadError> {
        let stored = self.fresh(id, expected).await?;
        let fields = self.edit_fields(&stored.lead, &FieldEdits::default()).await?;
        Ok((stored, fields))
    }

    /// Returns leads that may be the same person, at most five: with the same phone number, or with the same name and
    /// company. It takes at most eight calls, and usually four.
    ///
    /// # Errors
    /// [`LeadError::Store`] if the store failed.
    pub async fn possible_duplicates(&self, lead: &Lead) -> Result<Vec<Lead>, LeadError> {
        let phone = lead.phone.as_ref().map(|phone| phone.digits());
        let company = lead.company.as_ref().map(|company| format!("{} {company}", lead.name));
        let mut found: Vec<Lead> = Vec::new();
        for words in [phone, company].into_iter().flatten() {
            let Ok(Some(query)) = parse_query(&longest_words(&words)) else { continue };
            let request = ListRequest { query: Some(query), limit: 20, ..ListRequest::default() };
            for other in self.list(&request).await?.leads {
                if other.id != lead.id
                    && is_duplicate(lead, &other)
                    && found.iter().all(|known| known.id != other.id)
                {
                    found.push(other);
                }
            }
        }
        found.truncate(MOST_SHOWN);
        Ok(found)
    }
}

/// How many possible duplicates a lead's page shows.
const MOST_SHOWN: usize = 5;

/// Returns the longest words of a text, as many as a search can have. They find at least what all words find.
fn longest_words(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    let mut left = SearchQuery::MAX_CHARS;
    words.retain(|word| {
        let chars = word.chars().count() + 1;
        let fits = chars <= left;
        left -= if fits { chars } else { 0 };
        fits
    });
    words.join(" ")
}

/// Whether two leads may be the same person.
fn is_duplicate(one: &Lead, other: &Lead) -> bool {
    let same_text = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let same_phone = match (&one.phone, &other.phone) {
        (Some(one), Some(other)) => one.digits() == other.digits(),
        _ => false,
    };
    let same_company = match (&one.company, &other.company) {
        (Some(one), Some(other)) => same_text(one.as_str(), other.as_str()),
        _ => false,
    };
    same_phone || (same_company && same_text(one.name.as_str(), other.name.as_str()))
}

/// The two leads as they are stored.
struct Pair {
    kept: (StoredLead, EditedFields),
    merged: (StoredLead, EditedFields),
}

/// The two leads after the merge.
struct MergedPair {
    after: Lead,
    gone: Lead,
    fields: EditedFields,
}

impl Pair {
    fn merge(&self, choices: &LeadChange, now: jiff::Timestamp, by: &Actor) -> Result<MergedPair, LeadError> {
        let (kept, merged) = (&self.kept.0.lead, &self.merged.0.lead);
        if [kept, merged].iter().any(|lead| lead.stock == Stock::Assigned) {
            return Err(LeadError::violation(Rule::AssignedIsNotMerged));
        }
        let change = filled(choices, kept, merged);
        if let Some(rule) = change.broken_rule(kept) {
            return Err(LeadError::violation(rule));
        }
        let ids: Vec<LeadId> =
            kept.merged.iter().chain(&merged.merged).chain([&merged.id]).copied().collect();
        if ids.len() > MOST_MERGED {
            return Err(LeadError::Invalid(
                "merged",
                Invalid::new("You can merge at most ten leads into one."),
            ));
        }
        let lacking = FieldEdits::between(&CustomFields::default(), self.merged.1.before())
            .without(self.kept.1.before());
        let edits = lacking.and(&choices.fields);
        let fields = self.kept.1.edited(&edits)?;
        let after = fields.mark(Lead { merged: ids, ..change.applied_to(kept, now, by.clone()) });
        Ok(MergedPair { after, gone: merged.next_version(now, by.clone()), fields })
    }
}

/// Adds the values that the kept lead lacks to the choices.
fn filled(choices: &LeadChange, kept: &Lead, merged: &Lead) -> LeadChange {
    fn fill<T: Clone>(choice: &Option<Option<T>>, kept: &Option<T>, merged: &Option<T>) -> Option<Option<T>> {
        match choice {
            Some(chosen) => Some(chosen.clone()),
            None if kept.is_none() && merged.is_some() => Some(merged.clone()),
            None => None,
        }
    }
    LeadChange {
        phone: fill(&choices.phone, &kept.phone, &merged.phone),
        company: fill(&choices.company, &kept.company, &merged.company),
        state: fill(&choices.state, &kept.state, &merged.state),
        source: fill(&choices.source, &kept.source, &merged.source),
        owner: fill(&choices.owner, &kept.owner, &merged.owner),
        ..choices.clone()
    }
}

impl MergedPair {
    fn write(&self, leads: &Leads, pair: &Pair) -> Result<GuardedWrite, StoreError> {
        let (kept, merged) = (&pair.kept.0.lead, &pair.merged.0.lead);
        let guard = |lead: &Lead| {
            Condition::is_number("version", lead.version.get())
                .and(Condition::is_not("stock", Stock::Assigned.as_str()))
        };
        let entry = HistoryEntry::of_change(kept, &self.after, Action::Merged, None)
            .with_fields(self.fields.changes());
        let end = HistoryEntry::of_change(merged, &self.gone, Action::MergedInto, None);
        let update = Update::between(&lead_item(kept)?, &lead_item(&self.after)?).remove("cause");
        let update = update.set(WORD_INDEX, to_attribute(CURRENT_INDEX)?);
        let write = leads
            .dynamo
            .guarded_write()
            .update("kept", &lead_key(kept.id), &update, guard(kept))
            .put("history", history_item(kept.id, &entry)?, Condition::Absent)
            .delete("merged", &lead_key(merged.id), guard(merged))
            .put_derived("pointer", to_item(&merged_key(merged.id), &MergedItem { into: kept.id })?)
            .put("history", history_item(merged.id, &end)?, Condition::Absent);
        let write = self.fields.write(self.emails(write, kept, merged)?, &self.after)?;
        let write = match merged.fields_version {
            Some(_) => write.delete_derived("merged fields", &fields_key(merged.id)),
            None => write,
        };
        let write = [&pair.kept.0, &pair.merged.0].into_iter().fold(write, |write, stored| {
            match (&stored.reservation, stored.lead.order_id) {
                (Some(_), Some(order)) => reserved::check_open(write, order),
                _ => write,
            }
        });
        let write =
            reindex(requeue(write, Some(kept), Some(&self.after))?, Some(&pair.kept.0), Some(&self.after))?;
        reindex(requeue(write, Some(merged), None)?, Some(&pair.merged.0), None)
    }

    /// The chosen address belongs to the kept lead afterwards; the others are free.
    fn emails(&self, write: GuardedWrite, kept: &Lead, merged: &Lead) -> Result<GuardedWrite, StoreError> {
        let chosen = self.after.email.key();
        let mut write = write;
        for lead in [kept, merged].into_iter().filter(|lead| lead.email.key() != chosen) {
            write = write.delete_derived("old email", &email_key(&lead.email.key()));
        }
        if kept.email.key() == chosen {
            return Ok(write);
        }
        let item = to_item(&email_key(&chosen), &EmailItem { lead_id: kept.id, source: None })?;
        let condition = match merged.email.key() == chosen {
            true => Condition::is("leadId", merged.id.to_string()),
            false => Condition::Absent,
        };
        Ok(write.put("email", item, condition))
    }
}

/// Reads both leads of a merge, for the page that offers the choices.
impl Leads {
    /// Reads two leads with their custom fields.
    ///
    /// # Errors
    /// As [`find_with_fields`](Self::find_with_fields).
    pub async fn find_pair(
        &self,
        one: LeadId,
        other: LeadId,
    ) -> Result<(LeadWithFields, LeadWithFields), LeadError> {
        futures_util::future::try_join(self.find_with_fields(one), self.find_with_fields(other)).await
    }
}
