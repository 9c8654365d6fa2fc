//! Creates and changes leads from the rows of imports.
//!
//! Invariants: each row has an id (import and number), so a repeated row has the same outcome. If several rows of one
//! import name one lead, only the first with a change is applied. A change of an existing lead requires the version
//! that was read. Values that a rule forbids are left out, and the rest is saved.

mod known;
mod row;

use jiff::{SignedDuration, Timestamp};

use self::known::KnownChange;
pub use self::row::{Conversion, ImportRow, KnownEmails, RowSource, is_row_of};
use super::change::{Alteration, update_guard};
use super::domain::{Action, Lead, LeadChange, LeadId, Rule};
use super::error::LeadError;
use super::items::EmailItem;
use crate::base::identity::Actor;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::store::idempotency::Done;
use crate::store::{WriteError, from_item};

/// The outcome of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// This attempt or an earlier one for the same row created the lead.
    Created(LeadId),
    /// Empty fields of an existing lead were filled, which made this version.
    Filled(LeadId, Version),
    /// Values of an existing lead were replaced, which made this version.
    Updated(LeadId, Version),
    /// An existing lead stays as it is.
    Skipped(LeadId),
    /// Another row of the same import already wrote the lead.
    Repeated,
}

/// The outcome of a row, and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// The outcome.
    pub imported: Imported,
    /// The values of the row that were not saved, each with the reason.
    pub unsaved: Vec<String>,
    /// Whether the warning of the row's [`Conversion`] is true: its lead became QUALIFIED instead.
    pub lacks_score: bool,
}

impl From<Imported> for ImportedRow {
    fn from(imported: Imported) -> Self {
        Self { imported, unsaved: Vec::new(), lacks_score: matches!(imported, Imported::Created(_)) }
    }
}

/// How often a row is compared with a lead that changes at the same time.
const ATTEMPTS: u32 = 20;
/// How far the clocks of two processes may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);
/// How much of a lead's history is searched for a row of the same import.
const HISTORY_PAGE: u16 = 25;
const HISTORY_PAGES: u32 = 4;

impl Leads {
    /// Creates the lead of a row, or changes the lead that has its email address.
    ///
    /// # Errors
    /// [`LeadError::RuleViolation`] or [`LeadError::Invalid`] if the lead would break a rule; [`LeadError::Conflict`] or
    /// [`LeadError::NotFound`] if others keep changing or deleting the existing lead.
    pub async fn import(
        &self,
        row: &ImportRow,
        known: KnownEmails,
        by: &Actor,
    ) -> Result<ImportedRow, LeadError> {
        let mut attempt = 1;
        loop {
            let existing = match self.create_from(row, by).await? {
                Ok(id) => return Ok(Imported::Created(id).into()),
                Err(existing) => existing,
            };
            let id = existing.lead_id;
            if existing.source.as_deref() == Some(&*row.source.to_string()) {
                return Ok(Imported::Created(id).into());
            }
            if is_row_of(&row.source.import, existing.source.as_deref()) {
                return Ok(Imported::Repeated.into());
            }
            if known == KnownEmails::Skip {
                return Ok(Imported::Skipped(id).into());
            }
            match self.change_known(id, row, known, by).await? {
                Some(imported) => return Ok(imported),
                // The email address was given up after it was looked up, so the next attempt may create the lead.
                None if attempt < ATTEMPTS => attempt += 1,
                None => return Err(LeadError::NotFound(id)),
            }
        }
    }

    /// Creates the lead of a row. If its email address is taken, returns which lead has it.
    async fn create_from(&self, row: &ImportRow, by: &Actor) -> Result<Result<LeadId, EmailItem>, LeadError> {
        let now = self.clock.now();
        let id = LeadId::new(now, &self.rng.bytes());
        let lead = row.new.clone().into_lead(id, now, by.clone()).map_err(LeadError::RuleViolation)?;
        let source = row.source.to_string();
        let write = self.creation(&lead, &row.new.fields, Action::Imported, Some(&source))?;
        let existing = match self.dynamo.write(write).await {
            Ok(()) => return Ok(Ok(id)),
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(refusal)) => refusal.item("email").cloned().map(from_item::<EmailItem>),
        };
        Ok(Err(existing.transpose()?.ok_or(LeadError::RuleViolation(Rule::EmailIsUnique))?))
    }

    /// Changes the lead that has the email address of a row. Returns `None` if it no longer has it.
    async fn change_known(
        &self,
        id: LeadId,
        row: &ImportRow,
        known: KnownEmails,
        by: &Actor,
    ) -> Result<Option<ImportedRow>, LeadError> {
        let done = |version| match known {
            KnownEmails::Fill => Imported::Filled(id, version),
            _ => Imported::Updated(id, version),
        };
        let mut attempt = 1;
        loop {
            let Some(found) = unless_missing(self.find_with_fields(id).await)? else { return Ok(None) };
            if found.lead.email.key() != row.new.email.key() {
                return Ok(None);
            }
            let KnownChange { change, unsaved, lacks_score } = KnownChange::of(&found, row, known);
            let as_written = |imported| Some(ImportedRow { imported, unsaved: unsaved.clone(), lacks_score });
            match self.written_before(&found.lead, &row.source).await? {
                Some(Before::SameRow(version)) => return Ok(as_written(done(version))),
                Some(Before::OtherRow) => return Ok(Some(Imported::Repeated.into())),
                None if change.is_empty() => return Ok(as_written(Imported::Skipped(id))),
                None => {}
            }
            match self.update_from(&found.lead, &change, &row.source.to_string(), by).await {
                Err(LeadError::Conflict(_) | LeadError::RuleViolation(_)) if attempt < ATTEMPTS => {
                    attempt += 1;
                }
                updated => {
                    return Ok(unless_missing(updated)?.and_then(|lead| as_written(done(lead.version))));
                }
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
        let (fields, source) = (Some(&change.fields), Some(source));
        let alteration = Alteration { guard, fields, source, ..Alteration::of(Action::Updated, &apply) };
        match self.alter(lead.id, lead.version, &alteration, None, rule).await? {
            Done::Now(lead) => Ok(lead),
            // Without a key there is no stored answer.
            Done::Replayed(_) => Ok(lead.clone()),
        }
    }

    /// Returns which row of the same import already wrote a lead, if its newest hundred changes show one.
    async fn written_before(&self, lead: &Lead, source: &RowSource) -> Result<Option<Before>, LeadError> {
        let since = source.began.saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
        if lead.updated_at < since {
            return Ok(None);
        }
        let row = source.to_string();
        let (mut before, mut cursor) = (None, None);
        for _ in 0..HISTORY_PAGES {
            let page = self.history(lead.id, HISTORY_PAGE, cursor.as_deref()).await?;
            for entry in &page.items {
                if entry.source.as_deref() == Some(&*row) {
                    return Ok(Some(Before::SameRow(entry.version)));
                }
                if is_row_of(&source.import, entry.source.as_deref()) {
                    before = Some(Before::OtherRow);
                }
            }
            cursor = page.next;
            if cursor.is_none() || page.items.last().is_none_or(|oldest| oldest.at < since) {
                break;
            }
        }
        Ok(before)
    }
}

/// Returns the result, or `None` if the lead no longer exists.
fn unless_missing<T>(result: Result<T, LeadError>) -> Result<Option<T>, LeadError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(LeadError::NotFound(_) | LeadError::Deleted(_) | LeadError::Merged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which row of an import already wrote a lead.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// This row, which made this version: the row is repeated.
    SameRow(Version),
    /// Another row.
    OtherRow,
}
