//! Takes an import back, step by step: it moves the leads that it created to the trash, and gives the leads that it
//! changed their earlier values.
//!
//! Invariants: a lead that was changed since stays as it is and is listed. Each step can be repeated: what it did before
//! counts the same.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::ImportError;
use super::domain::{Import, Phase, Undo};
use super::outcome::{RowOutcome, RowResult};
use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::imports::Imports;
use crate::leads::LeadError;
use crate::leads::domain::LeadId;
use crate::shared::audit::{Audited, Author};
use crate::shared::audit_log::{AuditActor, AuditKind};
use crate::shared::numbers::counted;

/// The number of leads that are taken back at the same time.
const CONCURRENCY: usize = 8;

/// The outcome for one lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TakenBack {
    Deleted,
    Reverted,
    Kept(LeadId),
}

impl Imports {
    /// Starts to take an import back.
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

    /// Takes back the leads of one step of the import. Does nothing if it is taken back already.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed. It is then safe to repeat the step.
    pub async fn undo_step(&self, import: &Import, who: &SignedIn) -> Result<Import, ImportError> {
        if import.stage != Phase::Undoing {
            return Ok(import.clone());
        }
        let Some(outcomes) = self.next_outcomes(import.id, import.undo.row + 1).await? else {
            return self.replace(import, import.undone(import.undo.clone(), true)).await;
        };
        let last = outcomes.last().map_or(u64::MAX, |outcome| outcome.row);
        let changes = outcomes.iter().filter(|outcome| outcome.version.is_some());
        let taken: Vec<_> = changes.map(|outcome| self.take_back(outcome, who)).collect();
        let taken: Vec<Option<TakenBack>> =
            stream::iter(taken).buffer_unordered(CONCURRENCY).try_collect().await?;
        let mut undo = Undo { row: last, ..import.undo.clone() };
        for one in taken.into_iter().flatten() {
            match one {
                TakenBack::Deleted => undo.deleted += 1,
                TakenBack::Reverted => undo.reverted += 1,
                TakenBack::Kept(lead) => {
                    undo.kept += 1;
                    if undo.kept_leads.len() < Undo::MOST_LISTED {
                        undo.kept_leads.push(lead);
                    }
                }
            }
        }
        self.replace(import, import.undone(undo, false)).await
    }

    async fn take_back(
        &self,
        outcome: &RowOutcome,
        who: &SignedIn,
    ) -> Result<Option<TakenBack>, ImportError> {
        let (Some(lead), Some(version)) = (outcome.lead, outcome.version) else { return Ok(None) };
        let (done, result) = match outcome.result {
            RowResult::Created => {
                // The start of the undo has the audit entry for all leads.
                let by = Author::from(who).audited(Audited::Covered);
                (TakenBack::Deleted, self.leads.delete(lead, version, &by, None).await)
            }
            _ => (TakenBack::Reverted, self.revert(lead, version, who).await),
        };
        match result {
            Ok(()) => Ok(Some(done)),
            // A repeated step finds what it did before, one version later.
            Err(LeadError::Deleted(deleted)) if deleted.version == version.next() => Ok(Some(done)),
            Err(LeadError::Conflict(conflict)) if is_own(&conflict.since, version, done) => Ok(Some(done)),
            Err(
                LeadError::Conflict(_)
                | LeadError::RuleViolation(_)
                | LeadError::Invalid(..)
                | LeadError::Deleted(_)
                | LeadError::Merged(_)
                | LeadError::NotFound(_),
            ) => Ok(Some(TakenBack::Kept(lead))),
            Err(error) => Err(error.into()),
        }
    }

    async fn revert(&self, lead: LeadId, version: Version, who: &SignedIn) -> Result<(), LeadError> {
        self.leads.revert(lead, version, version.previous(), who, None).await.map(|_| ())
    }
}

/// Whether the only change since is the one that an earlier attempt of the step made.
fn is_own(since: &[crate::leads::domain::HistoryEntry], version: Version, done: TakenBack) -> bool {
    use crate::leads::domain::Action;
    let [entry] = since else { return false };
    done == TakenBack::Reverted && entry.action == Action::Reverted && entry.version == version.next()
}
