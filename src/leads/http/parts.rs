//! How several pages show a lead and its history.

use crate::base::identity::Actor;
use crate::base::values::{Email, Name, OrderId, UsState};
use crate::leads::domain::{
    Action, Company, CustomFieldChange, FieldChange, HistoryEntry, Lead, LeadField, LeadId, LeadSource,
    Owner, Phone, Score, Status, Stock,
};
use crate::leads::texts::{optional_text, text_of};
use crate::shared::shortened::Shortened;
use crate::web::pages::DisplayTime;

/// One option of a select field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// The value that forms send.
    pub(super) value: &'static str,
    /// The text that people see.
    pub(super) label: &'static str,
}

pub(super) fn statuses() -> Vec<Choice> {
    Status::ALL.iter().map(|status| Choice { value: status.as_str(), label: status.label() }).collect()
}

pub(super) fn states() -> Vec<Choice> {
    let choice = |state: UsState| Choice { value: state.as_str(), label: state.name() };
    let mut states: Vec<Choice> = UsState::all().map(choice).collect();
    states.sort_by_key(|choice| choice.label);
    states
}

/// Returns a field's value as people see it: `Qualified` for `QUALIFIED`, and empty text for no value.
pub(super) fn label(field: LeadField, text: &str) -> String {
    match field {
        LeadField::Status => text.parse().map_or_else(|_| text.to_owned(), |s: Status| s.label().to_owned()),
        LeadField::Stock => text.parse().map_or_else(|_| text.to_owned(), |s: Stock| s.label().to_owned()),
        _ => text.to_owned(),
    }
}

/// A lead as pages show it.
#[derive(Debug, Clone)]
pub(super) struct LeadView {
    pub(super) id: LeadId,
    pub(super) name: Name,
    pub(super) email: Email,
    pub(super) phone: Option<Phone>,
    pub(super) company: Option<Company>,
    pub(super) source: Option<LeadSource>,
    pub(super) owner: Option<Owner>,
    /// The leads that were merged into this one.
    pub(super) merged: Vec<LeadId>,
    /// The state's code, or empty text.
    pub(super) state: &'static str,
    pub(super) lead_score: Score,
    pub(super) status: Status,
    pub(super) stock: Stock,
    /// The order that contains the lead or delivered it.
    pub(super) order: Option<OrderId>,
    pub(super) version: u64,
    /// When it was last changed.
    pub(super) updated: DisplayTime,
    /// Who changed it last.
    pub(super) updated_by: Actor,
    /// When it was created.
    pub(super) created: DisplayTime,
    /// Whether the row returns from an edit and its button gets the keyboard focus.
    pub(super) focus: bool,
}

impl LeadView {
    /// Returns whether the lead is withheld until an agent puts it back in stock.
    pub(super) fn is_withheld(&self) -> bool {
        self.stock == Stock::Withheld
    }

    /// Returns whether the lead has a value that duplicates share: a phone number, or a company beside the name.
    pub(super) fn may_have_duplicates(&self) -> bool {
        self.phone.is_some() || self.company.is_some()
    }

    /// Creates the view of a lead.
    pub(super) fn of(lead: Lead) -> Self {
        Self {
            id: lead.id,
            name: lead.name,
            email: lead.email,
            phone: lead.phone,
            company: lead.company,
            source: lead.source,
            owner: lead.owner,
            merged: lead.merged,
            state: lead.state.map_or("", |state| state.as_str()),
            lead_score: lead.lead_score,
            status: lead.status,
            stock: lead.stock,
            order: lead.order_id,
            version: lead.version.get(),
            updated: lead.updated_at.into(),
            updated_by: lead.updated_by,
            created: lead.created_at.into(),
            focus: false,
        }
    }

    /// Creates the view of a lead that returns from an edit.
    pub(super) fn focused(lead: Lead) -> Self {
        Self { focus: true, ..Self::of(lead) }
    }
}

/// A field's change, as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangeView {
    /// The field.
    pub(super) label: String,
    /// The value before, or empty text.
    pub(super) old: String,
    /// The value after, or empty text.
    pub(super) new: String,
    /// The whole value before, if `old` is only its beginning.
    pub(super) whole_old: Option<String>,
    /// The whole value after, if `new` is only its beginning.
    pub(super) whole_new: Option<String>,
}

impl ChangeView {
    fn of(change: &FieldChange) -> Self {
        let text = |value| label(change.field, &text_of(value));
        Self::between(change.field.label().to_owned(), text(&change.old), text(&change.new))
    }

    fn of_custom(change: &CustomFieldChange) -> Self {
        Self::between(change.name.to_string(), optional_text(&change.old), optional_text(&change.new))
    }

    fn between(label: String, old: String, new: String) -> Self {
        let (old, new) = (Shortened::of(old, SHOWN), Shortened::of(new, SHOWN));
        Self { label, old: old.short, new: new.short, whole_old: old.whole, whole_new: new.whole }
    }
}

/// The number of characters of a value in the history.
const SHOWN: usize = 200;

/// A history entry, as pages show it.
#[derive(Debug, Clone)]
pub(super) struct EntryView {
    pub(super) version: u64,
    /// The action, as the first word of a sentence: `Changed`.
    pub(super) what: &'static str,
    /// The actor.
    pub(super) who: Actor,
    /// The time.
    pub(super) when: DisplayTime,
    /// Every field that changed.
    pub(super) fields: Vec<ChangeView>,
    /// The reason, if one was given.
    pub(super) reason: Option<String>,
    /// The related order.
    pub(super) order: Option<OrderId>,
}

impl EntryView {
    /// Creates the view of a history entry.
    pub(super) fn of(entry: HistoryEntry) -> Self {
        let own = entry.changes.iter().map(ChangeView::of);
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
                Action::Restored => "Restored",
                Action::Reverted => "Changed back",
                Action::Merged => "Merged with another lead",
                Action::MergedInto => "Merged into another lead",
            },
            who: entry.by,
            when: entry.at.into(),
            fields: own.chain(entry.fields.iter().map(ChangeView::of_custom)).collect(),
            reason: entry.reason.map(|reason| reason.as_str().to_owned()),
            order: entry.order,
        }
    }
}
