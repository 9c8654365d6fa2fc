//! What happened to a lead, as its timeline and a conflict tell it.

use askama::Template;

use super::label;
use crate::base::identity::Actor;
use crate::base::values::OrderId;
use crate::leads::domain::{Action, FieldChange, HistoryEntry, LeadId};
use crate::leads::error::Conflict;
use crate::leads::forms::{Edit, text_of};
use crate::leads::merge::{MergeOutcome, MergedField};
use crate::web::pages::{DisplayTime, PageContext};

/// A field's change as pages tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeView {
    /// The field.
    pub label: &'static str,
    /// Its value before, or the empty text.
    pub old: String,
    /// Its value after, or the empty text.
    pub new: String,
}

impl ChangeView {
    fn of(change: &FieldChange) -> Self {
        let words = |value| label(change.field, &text_of(value));
        Self { label: change.field.label(), old: words(&change.old), new: words(&change.new) }
    }
}

/// What happened to a lead at one version.
#[derive(Debug, Clone)]
pub struct EntryView {
    /// The version.
    pub version: u64,
    /// What happened, as the beginning of a sentence: `Changed`.
    pub what: &'static str,
    /// Who did it.
    pub who: Actor,
    /// When.
    pub when: DisplayTime,
    /// Every field that changed.
    pub fields: Vec<ChangeView>,
    /// Why, where a reason was given.
    pub reason: Option<String>,
    /// The order that it was about.
    pub order: Option<OrderId>,
}

impl EntryView {
    /// An entry of the history.
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

/// A value as a form sends it, and as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// As a form sends it.
    pub value: String,
    /// As people read it.
    pub label: String,
}

/// A field of a lead that two people edited.
#[derive(Debug, Clone)]
pub struct ConflictField {
    /// The name in the form.
    pub name: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// As it stands now.
    pub now: Shown,
    /// As the person wants it.
    pub yours: Shown,
    /// What became of it.
    pub fate: MergeOutcome,
}

impl ConflictField {
    fn of(merged: MergedField) -> Self {
        let shown = |value: String| {
            let words = label(merged.field, &value);
            Shown { label: if words.is_empty() { "none".to_owned() } else { words }, value }
        };
        Self {
            name: merged.field.as_str(),
            label: merged.field.label(),
            now: shown(merged.now),
            yours: shown(merged.yours),
            fate: merged.fate,
        }
    }

    /// Whether somebody else changed it.
    pub fn is_theirs(&self) -> bool {
        matches!(self.fate, MergeOutcome::Theirs | MergeOutcome::Agreed | MergeOutcome::Overlap)
    }

    /// Whether the person has to choose.
    pub fn is_overlap(&self) -> bool {
        self.fate == MergeOutcome::Overlap
    }

    /// Whether the person's value goes on top.
    pub fn is_kept(&self) -> bool {
        self.fate == MergeOutcome::Kept
    }

    /// Whether both want the same.
    pub fn is_agreed(&self) -> bool {
        self.fate == MergeOutcome::Agreed
    }

    /// The value that goes into the merged lead where there is nothing to choose.
    pub fn merged(&self) -> &Shown {
        if self.is_kept() { &self.yours } else { &self.now }
    }

    /// How the row looks.
    pub fn kind(&self) -> &'static str {
        match self.fate {
            MergeOutcome::Untouched => "same",
            MergeOutcome::Kept => "kept",
            MergeOutcome::Theirs | MergeOutcome::Agreed => "theirs",
            MergeOutcome::Overlap => "overlap",
        }
    }
}

/// What the loser of a race is shown.
#[derive(Debug, Clone)]
pub struct ConflictView {
    /// The lead's id.
    pub id: LeadId,
    /// The lead's name as it stands now.
    pub name: String,
    /// The version as it is now.
    pub version: u64,
    /// Whether it is shown in the lead's row.
    pub in_row: bool,
    /// Whether the lead was deleted.
    pub gone: bool,
    /// What happened meanwhile.
    pub changes: Vec<EntryView>,
    /// Both people's values, field by field.
    pub fields: Vec<ConflictField>,
    /// What is still missing.
    pub error: Option<String>,
}

impl ConflictView {
    /// A lead that somebody else changed meanwhile.
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

    /// A lead that somebody deleted meanwhile; `last` is the end of its history.
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

    /// The same, with what is still missing.
    pub fn with_error(self, error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..self }
    }

    /// Whether the person has to choose something.
    pub fn overlaps(&self) -> bool {
        self.fields.iter().any(ConflictField::is_overlap)
    }
}

/// A conflict in the lead's row.
#[derive(Template)]
#[template(path = "leads/_row_conflict.html")]
pub struct ConflictRow {
    /// The shell.
    pub context: PageContext,
    /// The conflict.
    pub conflict: ConflictView,
}

/// A conflict on the lead's page.
#[derive(Template)]
#[template(path = "leads/conflict.html", blocks = ["panel"])]
pub struct ConflictPage {
    /// The shell.
    pub context: PageContext,
    /// The conflict.
    pub conflict: ConflictView,
}
