//! Why a request about leads fails.

use http::StatusCode;
use serde_json::{Value, json};

use super::domain::{HistoryEntry, Lead, LeadId, Note, Rule};
use crate::base::telemetry::metrics;
use crate::base::values::Invalid;
use crate::store::idempotency::KeyReused;
use crate::store::{CursorError, DeadlineExceeded, StoreError};
use crate::web::error::WebError;
use crate::web::problem::{IntoProblem, Problem};

/// Why a request about leads failed.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The lead does not exist, or was deleted.
    #[error("there is no lead {0}")]
    NotFound(LeadId),
    /// The lead is in the trash, at the version of its deletion.
    #[error("the lead was deleted")]
    Deleted(Box<Lead>),
    /// The lead was merged into this one.
    #[error("the lead was merged into {0}")]
    Merged(LeadId),
    /// This other lead has the email address.
    #[error("{}", Rule::EmailIsUnique.words())]
    EmailTaken(LeadId),
    /// The version that was sent is not the stored version.
    #[error("the lead has changed since it was read")]
    Conflict(Box<Conflict>),
    /// The version is right, but a rule forbids the change.
    #[error("{}", .0.words())]
    RuleViolation(Rule),
    /// The value of a field is invalid for a reason that only the stored data shows.
    #[error("{0}: {1}")]
    Invalid(&'static str, Invalid),
    /// The note does not exist, or was deleted.
    #[error("there is no such note")]
    NoSuchNote,
    /// Another person wrote the note.
    #[error("another person wrote the note")]
    NoteOfAnother,
    /// The version of the note that was sent is not the stored version.
    #[error("the note has changed since it was read")]
    NoteConflict(Box<Note>),
    /// The idempotency key was already used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor does not belong to this list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A conflict: the current lead and the changes that the request did not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The current lead.
    pub fresh: Lead,
    /// The changes since the version that was sent, newest first, at most [`Conflict::MAX_CHANGES`].
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
    /// Returns a rule violation and counts it in the metrics.
    pub(super) fn violation(rule: Rule) -> Self {
        metrics::rule_violation();
        Self::RuleViolation(rule)
    }
}

impl Conflict {
    /// The most changes that a conflict lists.
    pub const MAX_CHANGES: usize = 20;
}

impl IntoProblem for LeadError {
    fn into_problem(self) -> Problem {
        match self {
            LeadError::NotFound(_) => not_found("Lead not found"),
            LeadError::Deleted(deleted) => deleted_problem(&deleted),
            LeadError::Merged(into) => merged_problem(into),
            LeadError::EmailTaken(other) => {
                rule_problem(Rule::EmailIsUnique).with("lead", json!(format!("/api/leads/{other}")))
            }
            LeadError::Conflict(conflict) => conflict_problem(
                "This lead has changed",
                "Nothing was saved. `fresh` is the current lead; send the change again with its version.",
                json!(conflict.fresh),
            )
            .with("changes", json!(conflict.since)),
            LeadError::RuleViolation(rule) => rule_problem(rule),
            LeadError::NoSuchNote => not_found("Note not found"),
            LeadError::NoteOfAnother => note_of_another_problem(),
            LeadError::NoteConflict(note) => conflict_problem(
                "This note has changed",
                "Nothing was saved. `fresh` is the current note; send the change again with its version.",
                json!(note),
            ),
            LeadError::Invalid(field, invalid) => WebError::field(field, &invalid).into_problem(),
            LeadError::KeyOfAnotherRequest => Problem::key_reused(),
            LeadError::Cursor(error) => error.into_problem(),
            LeadError::Store(error) => error.into_problem(),
        }
    }
}

fn not_found(title: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", title, "It was deleted or never existed.")
}

fn conflict_problem(title: &'static str, detail: &str, fresh: Value) -> Problem {
    Problem::new(StatusCode::CONFLICT, "conflict", title, detail).with("fresh", fresh)
}

fn merged_problem(into: LeadId) -> Problem {
    Problem::new(
        StatusCode::GONE,
        "merged",
        "This lead was merged into another one",
        "Use the lead in `mergedInto`. It has this lead's notes and history.",
    )
    .with("mergedInto", json!(into))
}

fn note_of_another_problem() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "not-your-note",
        "This note belongs to another person",
        "Only the author can edit a note. The author or an administrator can delete it.",
    )
}

fn deleted_problem(deleted: &Lead) -> Problem {
    Problem::new(
        StatusCode::GONE,
        "deleted",
        "This lead was deleted",
        "It's in the trash for 30 days. POST its version to `restore` to get it back.",
    )
    .with("restore", json!(format!("/api/leads/{}/restore", deleted.id)))
    .with("version", json!(deleted.version))
    .with("deletedBy", json!(deleted.updated_by))
    .with("deletedAt", json!(deleted.updated_at))
}

fn rule_problem(rule: Rule) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "rule-violation",
        "A rule doesn't allow this change",
        rule.words(),
    )
    .with("rule", rule.name().into())
    .with("field", rule.field().as_str().into())
    .with("errors", json!([{ "field": rule.field().as_str(), "message": rule.words() }]))
}
