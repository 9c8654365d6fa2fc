//! The conflict of two people who edited the same lead, field by field.

use super::edit_form::Edit;
use super::parts::{EntryView, label};
use super::target::{LeadTarget, Part};
use crate::leads::Conflict;
use crate::leads::domain::{Action, HistoryEntry, LeadField, LeadId, Owner};
use crate::leads::merge_edits::{FieldKey, MergeOutcome, MergedField};
use crate::shared::pages::*;

impl LeadTarget {
    /// Renders a conflict.
    pub(super) fn conflict(self, status: StatusCode, conflict: ConflictView) -> PageAnswer {
        let context = self.context;
        match self.part {
            Part::Row => html(status, &ConflictRow { context, conflict }),
            Part::Section | Part::OwnPage => html(status, &ConflictPage { context, conflict }.as_panel()),
            Part::Page => html(status, &ConflictPage { context, conflict }),
        }
    }
}

/// A value in two representations: for forms and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    /// The value that forms send.
    value: String,
    /// The text that people see.
    label: String,
}

/// One field of a lead that two people edited.
#[derive(Debug, Clone)]
struct ConflictField {
    /// The field's name in the form.
    name: String,
    /// The field's name for people.
    label: String,
    /// The value that is stored now.
    now: Shown,
    /// The person's own value.
    yours: Shown,
    /// The result of the merge.
    outcome: MergeOutcome,
}

impl ConflictField {
    fn of(merged: MergedField, owners: &[Owner]) -> Self {
        let key = merged.key;
        let shown = |value: String| {
            let text = match &key {
                FieldKey::Own(LeadField::Owner) => owner_name(owners, &value),
                FieldKey::Own(field) => label(*field, &value),
                FieldKey::Custom(_) => value.clone(),
            };
            Shown { label: if text.is_empty() { "none".to_owned() } else { text }, value }
        };
        let (now, yours) = (shown(merged.now), shown(merged.yours));
        Self { name: key.name(), label: key.label(), now, yours, outcome: merged.outcome }
    }

    /// Returns whether another person changed the field.
    fn is_theirs(&self) -> bool {
        matches!(self.outcome, MergeOutcome::Theirs | MergeOutcome::Agreed | MergeOutcome::Overlap)
    }

    /// Returns whether the person must choose a value.
    fn is_overlap(&self) -> bool {
        self.outcome == MergeOutcome::Overlap
    }

    /// Returns whether the merge keeps the person's own value.
    fn is_kept(&self) -> bool {
        self.outcome == MergeOutcome::Kept
    }

    /// Returns whether both people set the same value.
    fn is_agreed(&self) -> bool {
        self.outcome == MergeOutcome::Agreed
    }

    /// Returns the value in the merged lead if there is nothing to choose.
    fn merged(&self) -> &Shown {
        if self.is_kept() { &self.yours } else { &self.now }
    }

    /// Returns the row's CSS class.
    fn kind(&self) -> &'static str {
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
pub(super) struct ConflictView {
    id: LeadId,
    /// The lead's current name.
    name: String,
    /// The current version.
    version: u64,
    /// The part of the page that the conflict replaces.
    part: Part,
    /// Whether the lead was deleted.
    gone: bool,
    /// The changes since the version that the person saw.
    changes: Vec<EntryView>,
    /// The values of both people, field by field.
    fields: Vec<ConflictField>,
    /// The error message, if a choice is missing.
    error: Option<String>,
}

impl ConflictView {
    /// Creates the view of a lead that another person changed.
    pub(super) fn of(
        conflict: Conflict,
        merged: Vec<MergedField>,
        owners: impl Iterator<Item = Owner>,
        part: Part,
    ) -> Self {
        let owners: Vec<Owner> = owners.collect();
        Self {
            id: conflict.fresh.id,
            name: conflict.fresh.name.to_string(),
            version: conflict.fresh.version.get(),
            part,
            gone: false,
            changes: conflict.since.into_iter().map(EntryView::of).collect(),
            fields: merged.into_iter().map(|field| ConflictField::of(field, &owners)).collect(),
            error: None,
        }
    }

    /// Creates the view of a lead that another person deleted. `last` is the last entry of its history.
    pub(super) fn gone(
        id: LeadId,
        edit: &Edit,
        last: Option<HistoryEntry>,
        merged: Vec<MergedField>,
        part: Part,
    ) -> Self {
        let deletion = last.filter(|entry| entry.action == Action::Deleted);
        Self {
            id,
            name: edit.base(LeadField::Name).to_owned(),
            version: edit.version.get(),
            part,
            gone: true,
            changes: deletion.into_iter().map(EntryView::of).collect(),
            fields: merged.into_iter().map(|field| ConflictField::of(field, &[])).collect(),
            error: None,
        }
    }

    /// Adds an error message.
    pub(super) fn with_error(self, error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..self }
    }

    /// Returns whether the person must choose a value for at least one field.
    fn overlaps(&self) -> bool {
        self.fields.iter().any(ConflictField::is_overlap)
    }
}

/// A conflict in the lead's row.
#[derive(Template)]
#[template(path = "leads/_row_conflict.html", config = "templates/askama.toml")]
struct ConflictRow {
    context: PageContext,
    conflict: ConflictView,
}

/// A conflict on the lead's page.
#[derive(Template)]
#[template(path = "leads/conflict.html", config = "templates/askama.toml", blocks = ["panel"])]
struct ConflictPage {
    context: PageContext,
    conflict: ConflictView,
}

/// Returns the name of an owner by the id in a form. An unknown owner is shown without the id.
fn owner_name(owners: &[Owner], id: &str) -> String {
    match owners.iter().find(|owner| owner.id.to_string() == id) {
        Some(owner) => owner.name.to_string(),
        None if id.is_empty() => String::new(),
        None => "another agent".to_owned(),
    }
}
