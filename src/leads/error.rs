//! What can be wrong with a request about leads.

use super::domain::{HistoryEntry, Lead, LeadId, Rule};
use crate::dynamo::ledger::KeyReused;
use crate::dynamo::{CursorError, DeadlineExceeded, StoreError};
use crate::telemetry::tally;

/// Why a request about leads was not done.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// There is no such lead, or no longer.
    #[error("there is no lead {0}")]
    NotFound(LeadId),
    /// The version sent is not the version stored.
    #[error("the lead has changed since it was read")]
    Conflict(Box<Conflict>),
    /// The version is right and a rule forbids the change.
    #[error("{}", .0.words())]
    RuleViolation(Rule),
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor is none of this list's.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the loser of a race is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The lead as it is now.
    pub fresh: Lead,
    /// What happened since the version that was sent, newest first, at most [`Conflict::MOST_CHANGES`].
    pub since: Vec<HistoryEntry>,
}

impl From<KeyReused> for LeadError {
    fn from(_: KeyReused) -> Self {
        Self::KeyOfAnotherRequest
    }
}

impl From<DeadlineExceeded> for LeadError {
    fn from(error: DeadlineExceeded) -> Self {
        Self::Store(error.into())
    }
}

impl LeadError {
    /// This rule forbids what was asked, which is counted.
    pub(super) fn violation(rule: Rule) -> Self {
        tally::rule_violation();
        Self::RuleViolation(rule)
    }
}

impl Conflict {
    /// The most changes that a conflict names.
    pub const MOST_CHANGES: usize = 20;
}
