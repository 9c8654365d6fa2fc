//! How the timeline and conflicts show the changes of a lead.

use askama::Template;

use super::label;
use crate::base::identity::Actor;
use crate::base::values::OrderId;
use crate::leads::domain::{Action, FieldChange, HistoryEntry, LeadId};
use crate::leads::error::Conflict;
use crate::leads::forms::{Edit, text_of};
use crate::leads::merge::{MergeOutcome, MergedField};
use crate::web::pages::{DisplayTime, PageContext};

/// A field's change, as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeView {
    /// The field.
    pub label: &'static str,
    /// The value before, or empty text.
    pub old: String,
    /// The value after, or empty text.
    pub new: String,
}

impl ChangeView {
    fn of(change: &FieldChange) -> Self {
        let text = |value| label(change.field, &text_of(value));
        Self { label: change.field.label(), old: text(&change.old), new: text(&change.new) }
    }
}

/// A history entry, as pages show it.
#[derive(Debug, Clone)]
pub struct EntryView {
    /// The version.
    pub version: u64,
    /// The action, as the first word of a sentence: `Changed`.
    pub what: &'static str,
    /// The actor.
    pub who: Actor,
    /// The time.
    pub when: DisplayTime,
    /// Every field that changed.
    pub fields: Vec<ChangeView>,
    /// The reason, if one was given.
    pub reason: Option<String>,
    /// The related order.
    pub order: Option<OrderId>,
}

impl EntryView {
    /// Creates the view of a history entry.
    pub fn of(entry: HistoryEntry) -> Self {
        Self {
            version: entry.version.get(),
            what: match entry.action {
                Action::Created => "Created",
                Action::Imported => "Imported",
                Action::Updated => "Changed",
                Action::Reopened => "Reopened",
                Action::Assigned => "Assigned",
                Action::Released => "Released",
                Action::Fulfilled => "Delivered",
                Action::Returned => "Returned to stock",
                Action::Restocked => "Put back in stock",
                Action::Deleted => "Deleted",
            },
            who: entry.by,
            when: entry.at.into(),
            fields: entry.changes.iter().map(ChangeView::of).collect(),
            reason: entry.reason.map(|reason| reason.as_str().to_owned()),
            order: entry.order,
        }
    }
}

/// A value in two representations: for forms and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The value that forms send.
    pub value: String,
    /// The text that people see.
    pub label: String,
}

/// One field of a lead that two people edited.
#[derive(Debug, Clone)]
pub struct ConflictField {
    /// The field's name in the form.
    pub name: &'static str,
    /// The field's name for people.
    pub label: &'static str,
    /// The value that is stored now.
    pub now: Shown,
    /// The person's own value.
    pub yours: Shown,
    /// The result of the merge.
    pub outcome: MergeOutcome,
}

impl ConflictField {
    fn of(merged: MergedField) -> Self {
        let shown = |value: String| {
            let text = label(merged.field, &value);
            Shown { label: if text.is_empty() { "none".to_owned() } else { text }, value }
        };
        Self {
            name: merged.field.as_str(),
            label: merged.field.label(),
            now: shown(merged.now),
            yours: shown(merged.yours),
            outcome: merged.outcome,
        }
    }

    /// Returns whether another person changed the field.
    pub fn is_theirs(&self) -> bool {
        matches!(self.outcome, MergeOutcome::Theirs | MergeOutcome::Agreed | MergeOutcome::Overlap)
    }

    /// Returns whether the person must choose a value.
    pub fn is_overlap(&self) -> bool {
        self.outcome == MergeOutcome::Overlap
    }

    /// Returns whether the merge keeps the person's own value.
    pub fn is_kept(&self) -> bool {
        self.outcome == MergeOutcome::Kept
    }

    /// Returns whether both people set the same value.
    pub fn is_agreed(&self) -> bool {
        self.outcome == MergeOutcome::Agreed
    }

    /// Returns the value in the merged lead if there is nothing to choose.
    pub fn merged(&self) -> &Shown {
        if self.is_kept() { &self.yours } else { &self.now }
    }

    /// Returns the row's CSS class.
    pub fn kind(&self) -> &'static str {
        match self.outcome {
            MergeOutcome::Untouched => "same",
            MergeOutcome::Kept => "kept",
            MergeOutcome::Theirs | MergeOutcome::Agreed => "theirs",
            MergeOutcome::Overlap => "overlap",
        }
    }
}

/// A conflict: the current lead next to the person's own values.
#[derive(Debug, Clone)]
pub struct ConflictView {
    /// The lead's id.
    pub id: LeadId,
    /// The lead's current name.
    pub name: String,
    /// The current version.
    pub version: u64,
    /// Whether the conflict replaces the lead's row in the list.
    pub in_row: bool,
    /// Whether the lead was deleted.
    pub gone: bool,
    /// The changes since the version that the person saw.
    pub changes: Vec<EntryView>,
    /// The values of both people, field by field.
    pub fields: Vec<ConflictField>,
    /// The error message, if a choice is missing.
    pub error: Option<String>,
}

impl ConflictView {
    /// Creates the view of a lead that another person changed.
    pub fn of(conflict: Conflict, merged: Vec<MergedField>, in_row: bool) -> Self {
        Self {
            id: conflict.fresh.id,
            name: conflict.fresh.name.to_string(),
            version: conflict.fresh.version.get(),
            in_row,
            gone: false,
            changes: conflict.since.into_iter().map(EntryView::of).collect(),
            fields: merged.into_iter().map(ConflictField::of).collect(),
            error: None,
        }
    }

    /// Creates the view of a lead that another person deleted. `last` is the last entry of its history.
    pub fn gone(
        id: LeadId,
        edit: &Edit,
        last: Option<HistoryEntry>,
        merged: Vec<MergedField>,
        in_row: bool,
    ) -> Self {
        let deletion = last.filter(|entry| entry.action == Action::Deleted);
        Self {
            id,
            name: edit.base.name.clone(),
            version: edit.version.get(),
            in_row,
            gone: true,
            changes: deletion.into_iter().map(EntryView::of).collect(),
            fields: merged.into_iter().map(ConflictField::of).collect(),
            error: None,
        }
    }

    /// Adds an error message.
    pub fn with_error(self, error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..self }
    }

    /// Returns whether the person must choose a value for at least one field.
    pub fn overlaps(&self) -> bool {
        self.fields.iter().any(ConflictField::is_overlap)
    }
}

/// A conflict in the lead's row.
#[derive(Template)]
#[template(path = "leads/_row_conflict.html")]
pub struct ConflictRow {
    /// The page context.
    pub context: PageContext,
    /// The conflict.
    pub conflict: ConflictView,
}

/// A conflict on the lead's page.
#[derive(Template)]
#[template(path = "leads/conflict.html", blocks = ["panel"])]
pub struct ConflictPage {
    /// The page context.
    pub context: PageContext,
    /// The conflict.
    pub conflict: ConflictView,
}
