//! Creates and changes leads from the rows of imports.
//!
//! Invariant: a row names its import and its number, so that repeating a row finds what it did before and counts the
//! same. A change of a known lead is guarded by the version that was read.

use super::change::{Alteration, update_guard};
use super::domain::{
    Action, CustomFields, FieldEdits, HistoryEntry, Lead, LeadChange, LeadId, NewLead, Rule,
};
use super::error::LeadError;
use super::fields::LeadWithFields;
use super::items::EmailItem;
use crate::base::identity::Actor;
use crate::base::values::{Invalid, Version, text_enum};
use crate::leads::Leads;
use crate::store::{WriteError, from_item};

text_enum! {
    /// What an import does with a row whose email address a lead has already.
    #[derive(Default)]
    pub enum KnownEmails, "Send skip, fill, or update for existing emails.";
    /// Leaves the lead as it is.
    #[default]
    Skip = "skip",
    /// Fills the fields that are empty.
    Fill = "fill",
    /// Replaces all values that the row has.
    Update = "update",
}

/// A row of an import, ready to be written.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// The lead that the row describes.
    pub new: NewLead,
    /// Whether the row gives the name. Otherwise it was made from the email address.
    pub has_name: bool,
    /// Whether the row has a status of its own. Otherwise the status is only the default of a new lead.
    pub has_status: bool,
    /// The same for the lead score.
    pub has_score: bool,
    /// The import and the row.
    pub source: String,
}

/// The outcome of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// This attempt or an earlier one for the same row created the lead.
    Created(LeadId),
    /// Empty fields of a known lead were filled, which made this version.
    Filled(LeadId, Version),
    /// Values of a known lead were replaced, which made this version.
    Updated(LeadId, Version),
    /// A known lead stays as it is.
    Skipped(LeadId),
}

/// How often a row is compared with a lead that changes at the same time.
const ATTEMPTS: u32 = 20;

impl Leads {
    /// Creates the lead of a row, or changes the lead that has its email address.
    ///
    /// # Errors
    /// [`LeadError::RuleViolation`] or [`LeadError::Invalid`] if the lead would break a rule; [`LeadError::Conflict`] if
    /// others keep changing the known lead.
    pub async fn import(
        &self,
        row: ImportRow,
        known: KnownEmails,
        by: &Actor,
    ) -> Result<Imported, LeadError> {
        let now = self.clock.now();
        let id = LeadId::new(now, &self.rng.bytes());
        let fields = row.new.fields.clone();
        let lead = row.new.clone().into_lead(id, now, by.clone()).map_err(LeadError::RuleViolation)?;
        let write = self.creation(&lead, &fields, Action::Imported, Some(&row.source))?;
        let existing = match self.dynamo.write(write).await {
            Ok(()) => return Ok(Imported::Created(id)),
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(refusal)) => refusal.item("email").cloned().map(from_item::<EmailItem>),
        };
        let existing = existing.transpose()?.ok_or(LeadError::RuleViolation(Rule::EmailIsUnique))?;
        if existing.source.as_deref() == Some(&*row.source) {
            return Ok(Imported::Created(existing.lead_id));
        }
        match known {
            KnownEmails::Skip => Ok(Imported::Skipped(existing.lead_id)),
            KnownEmails::Fill | KnownEmails::Update => {
                self.change_known(existing.lead_id, &row, known, by).await
            }
        }
    }

    async fn change_known(
        &self,
        id: LeadId,
        row: &ImportRow,
        known: KnownEmails,
        by: &Actor,
    ) -> Result<Imported, LeadError> {
        let done = |version| match known {
            KnownEmails::Fill => Imported::Filled(id, version),
            _ => Imported::Updated(id, version),
        };
        let mut attempt = 1;
        loop {
            let found = self.find_with_fields(id).await?;
            let change = change_of(&found, row, known);
            if change.is_empty() {
                let written = self.written_by(&row.source, id).await?;
                return Ok(written.map_or(Imported::Skipped(id), done));
            }
            match self.update_from(&found.lead, &change, &row.source, by).await {
                Ok(lead) => return Ok(done(lead.version)),
                Err(LeadError::Conflict(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn update_from(
        &self,
        lead: &Lead,
        change: &LeadChange,
        source: &str,
        by: &Actor,
    ) -> Result<Lead, LeadError> {
        let rule = |lead: &Lead| change.broken_rule(lead);
        let Some(guard) = update_guard(change)? else {
            return Err(self.explain(lead.id, lead.version, rule).await?);
        };
        let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
        let (action, fields) = (Action::Updated, Some(&change.fields));
        let alteration =
            Alteration { action, reason: None, guard, apply: &apply, fields, source: Some(source) };
        match self.alter(lead.id, lead.version, &alteration, None, rule).await? {
            crate::store::idempotency::Done::Now(lead) => Ok(lead),
            // Without a key there is no stored answer.
            crate::store::idempotency::Done::Replayed(_) => Ok(lead.clone()),
        }
    }

    /// Returns the version that a row of an import wrote before, if it is among the newest ones.
    async fn written_by(&self, source: &str, id: LeadId) -> Result<Option<Version>, LeadError> {
        const NEWEST: u16 = 5;
        let entries = self.history(id, NEWEST, None).await?.entries;
        let is_own = |entry: &&HistoryEntry| entry.source.as_deref() == Some(source);
        Ok(entries.iter().find(is_own).map(|entry| entry.version))
    }
}

/// Returns what a row changes of a lead that is known already.
fn change_of(found: &LeadWithFields, row: &ImportRow, known: KnownEmails) -> LeadChange {
    let (lead, new) = (&found.lead, &row.new);
    let replaces = known == KnownEmails::Update;
    fn optional<T: Clone + PartialEq>(old: &Option<T>, new: &Option<T>, replaces: bool) -> Option<Option<T>> {
        let fills = old.is_none() || (replaces && old != new);
        new.as_ref().filter(|_| fills).map(|value| Some(value.clone()))
    }
    LeadChange {
        name: Some(new.name.clone()).filter(|name| replaces && row.has_name && *name != lead.name),
        email: Some(new.email.clone()).filter(|email| replaces && *email != lead.email),
        phone: optional(&lead.phone, &new.phone, replaces),
        company: optional(&lead.company, &new.company, replaces),
        state: optional(&lead.state, &new.state, replaces),
        lead_score: Some(new.lead_score)
            .filter(|score| replaces && row.has_score && *score != lead.lead_score),
        status: Some(new.status).filter(|status| replaces && row.has_status && *status != lead.status),
        source: optional(&lead.source, &new.source, replaces),
        owner: optional(&lead.owner, &new.owner, replaces),
        fields: field_edits(&found.fields, &new.fields, replaces),
    }
}

fn field_edits(old: &CustomFields, new: &CustomFields, replaces: bool) -> FieldEdits {
    let edits = new.iter().filter(|field| match old.get(&field.name) {
        None => true,
        Some(text) => replaces && *text != field.text,
    });
    let edits = edits.map(|field| (field.name.clone(), Some(field.text.clone()))).collect();
    FieldEdits::new(edits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn new(json: serde_json::Value) -> NewLead {
        serde_json::from_value(json).unwrap()
    }

    fn changed(known: KnownEmails) -> LeadChange {
        let stored = new(json!({
            "name": "Ann Lee", "email": "ann@example.com", "phone": "212-555-0100", "leadScore": 50,
            "fields": { "Industry": "Roofing" },
        }));
        let fields = stored.fields.clone();
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[0; 10]);
        let lead = stored.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("t")).unwrap();
        let new = new(json!({
            "name": "Ann Li", "email": "ann@example.com", "phone": "303-555-0100", "state": "NY", "company": "Acme",
            "fields": { "Industry": "Solar", "Size": "10" },
        }));
        let row =
            ImportRow { new, has_name: true, has_status: false, has_score: false, source: "t:1".to_owned() };
        change_of(&LeadWithFields { lead, fields }, &row, known)
    }

    #[test]
    fn filling_changes_only_what_is_empty() {
        let change = changed(KnownEmails::Fill);
        assert_eq!((&change.name, &change.phone, change.lead_score), (&None, &None, None));
        assert!(change.state.is_some() && change.company.is_some());
        assert_eq!(change.fields.iter().count(), 1);
    }

    #[test]
    fn updating_replaces_what_the_row_has() {
        let change = changed(KnownEmails::Update);
        assert!(change.name.is_some() && change.phone.is_some() && change.state.is_some());
        assert_eq!((change.lead_score, change.status), (None, None), "the row has none");
        assert_eq!(change.fields.iter().count(), 2);
    }
}
