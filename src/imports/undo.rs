//! Undoes an import, step by step: moves the leads that it created to the trash, and gives the leads that it changed
//! their earlier values.
//!
//! Invariants: a lead that was changed since stays as it is and is listed; changes by other rows of the import do not
//! count. The last row comes first, so that several changes of one lead are undone in the reverse order. Each step
//! can be repeated, with the same outcome and the same counts.

mod plan;

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::ImportError;
use super::domain::{Import, Phase, Undo};
use super::outcome::{RowOutcome, RowResult};
use super::run::source_of;
use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::imports::Imports;
use crate::leads::LeadError;
use crate::leads::domain::LeadId;
use crate::shared::audit::{Audited, Author};
use crate::shared::audit_log::{AuditActor, AuditKind};
use crate::shared::numbers::counted;
use plan::{Plan, plan};

/// The number of leads that are undone at the same time.
const CONCURRENCY: usize = 8;
/// How many of a lead's changes are compared. A lead with more of them since the import stays.
const HISTORY_READ: u16 = 50;

/// The outcome for one lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undone {
    Deleted,
    Reverted,
    Kept(LeadId),
}

impl Imports {
    /// Starts to undo an import.
    ///
    /// # Errors
    /// [`ImportError::NotDone`] if rows are still processed.
    pub async fn start_undo(&self, import: &Import, by: &AuditActor) -> Result<Import, ImportError> {
        let after = import.undoing()?;
        if after == *import {
            return Ok(after);
        }
        let (created, changed) = (import.counts.created, import.counts.filled + import.counts.updated);
        let detail = format!(
            "Undo of the import started: {} to the trash, {} earlier values back.",
            counted(created, "created lead moves", "created leads move"),
            counted(changed, "lead gets its", "leads get their"),
        );
        let entry = self.import_entry(import, AuditKind::Import, by, detail);
        self.replace_audited(import, after, Some(&entry)).await
    }

    /// Undoes the leads of one step of the import. Does nothing if the import is undone already.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed. It is then safe to repeat the step.
    pub async fn undo_step(&self, import: &Import, who: &SignedIn) -> Result<Import, ImportError> {
        if import.phase != Phase::Undoing {
            return Ok(import.clone());
        }
        let undo = &import.undo;
        let last = undo.from.map_or(u64::MAX, |from| from.saturating_sub(1));
        let Some(outcomes) = self.last_outcomes(import.id, undo.row + 1, last).await? else {
            return self.replace(import, import.undone(undo.clone(), true)).await;
        };
        let from = outcomes.first().map(|outcome| outcome.row);
        let leads: Vec<_> =
            by_lead(outcomes).into_iter().map(|rows| self.undo_lead(import, rows, who)).collect();
        let undone: Vec<Vec<Undone>> =
            stream::iter(leads).buffer_unordered(CONCURRENCY).try_collect().await?;
        let mut undo = Undo { from, ..undo.clone() };
        for one in undone.into_iter().flatten() {
            match one {
                Undone::Deleted => undo.deleted += 1,
                Undone::Reverted => undo.reverted += 1,
                Undone::Kept(lead) => {
                    undo.kept += 1;
                    if undo.kept_leads.len() < Undo::MOST_LISTED {
                        undo.kept_leads.push(lead);
                    }
                }
            }
        }
        self.replace(import, import.undone(undo, false)).await
    }

    /// Undoes the changes that rows made to one lead, one after the other.
    async fn undo_lead(
        &self,
        import: &Import,
        rows: Vec<RowOutcome>,
        who: &SignedIn,
    ) -> Result<Vec<Undone>, ImportError> {
        let mut undone = Vec::new();
        for row in rows {
            undone.extend(self.undo_row(import, &row, who).await?);
        }
        Ok(undone)
    }

    async fn undo_row(
        &self,
        import: &Import,
        outcome: &RowOutcome,
        who: &SignedIn,
    ) -> Result<Option<Undone>, ImportError> {
        let (Some(lead), Some(version)) = (outcome.lead, outcome.version) else { return Ok(None) };
        let result = match outcome.result {
            RowResult::Created => self.undo_creation(import, lead, version, who).await,
            _ => self.undo_change(import, lead, version, who).await,
        };
        match result {
            Ok(undone) => Ok(undone),
            Err(
                LeadError::Conflict(_)
                | LeadError::RuleViolation(_)
                | LeadError::Invalid(..)
                | LeadError::Deleted(_)
                | LeadError::Merged(_)
                | LeadError::NotFound(_),
            ) => Ok(Some(Undone::Kept(lead))),
            Err(error) => Err(error.into()),
        }
    }

    async fn undo_creation(
        &self,
        import: &Import,
        lead: LeadId,
        version: Version,
        who: &SignedIn,
    ) -> Result<Option<Undone>, LeadError> {
        // The start of the undo has the audit entry for all leads.
        let by = Author::from(who).audited(Audited::Covered);
        match self.leads.delete(lead, version, &by, None).await {
            Ok(_) => return Ok(Some(Undone::Deleted)),
            Err(LeadError::Conflict(_) | LeadError::Deleted(_)) => {}
            Err(error) => return Err(error),
        }
        // Another row of the import may have changed the lead, or an earlier attempt of this step deleted it.
        match self.plan_undo(import, lead, version).await? {
            Plan::Delete(newest) => drop(self.leads.delete(lead, newest, &by, None).await?),
            Plan::Deleted => {}
            Plan::Covered => return Ok(None),
            _ => return Ok(Some(Undone::Kept(lead))),
        }
        Ok(Some(Undone::Deleted))
    }

    async fn undo_change(
        &self,
        import: &Import,
        lead: LeadId,
        version: Version,
        who: &SignedIn,
    ) -> Result<Option<Undone>, LeadError> {
        Ok(match self.plan_undo(import, lead, version).await? {
            Plan::Revert { newest, to } => {
                self.leads.revert(lead, newest, to, who, None).await?;
                Some(Undone::Reverted)
            }
            Plan::Reverted => Some(Undone::Reverted),
            Plan::Covered => None,
            Plan::Delete(_) | Plan::Deleted | Plan::Keep => Some(Undone::Kept(lead)),
        })
    }

    async fn plan_undo(&self, import: &Import, lead: LeadId, version: Version) -> Result<Plan, LeadError> {
        let newest = self.leads.history(lead, HISTORY_READ, None).await?.items;
        Ok(plan(&newest, version, &source_of(import)))
    }
}

/// Groups rows that wrote leads by their lead, the last row first.
fn by_lead(outcomes: Vec<RowOutcome>) -> Vec<Vec<RowOutcome>> {
    let mut groups: Vec<Vec<RowOutcome>> = Vec::new();
    let mut places: HashMap<LeadId, usize> = HashMap::new();
    for outcome in outcomes.into_iter().rev().filter(|outcome| outcome.version.is_some()) {
        let Some(lead) = outcome.lead else { continue };
        let place = *places.entry(lead).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(outcome),
            None => groups.push(vec![outcome]),
        }
    }
    groups
}
