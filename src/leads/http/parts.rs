//! What several pages of leads share: where an answer is shown, and how a lead and its history are shown.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;

use crate::base::identity::{Actor, SignedIn};
use crate::base::values::{Email, Name, OrderId, UsState};
use crate::leads::Leads;
use crate::leads::domain::{
    Action, Company, CustomFieldChange, FieldChange, HistoryEntry, Lead, LeadField, LeadId, LeadSource,
    Owner, Phone, Score, Status, Stock,
};
use crate::leads::texts::{optional_text, text_of};
use crate::shared::forms::RawForm;
use crate::shared::shortened::Shortened;
use crate::store::idempotency::Idempotency;
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::problem::Problem;
use crate::web::request::Form;
use crate::web::respond::{Tone, Undo, no_content, see_other, with_toast_there};

pub(super) type Answer = Result<Response, Problem>;

/// The part of a page that an answer contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The lead's row in the list.
    Row,
    /// The lead's section on its own page.
    Section,
    /// A form on a page of its own, which htmx sends. What follows the form takes the place of that page.
    OwnPage,
    /// The whole page.
    Page,
}

impl Part {
    /// Returns the query with which a form of this part is sent by htmx, so that its answer is for the same part.
    pub(super) fn view(self) -> &'static str {
        match self {
            Self::Row => "?view=row",
            Self::Section => "",
            Self::OwnPage | Self::Page => "?view=page",
        }
    }

    /// Returns whether this is a row of the list.
    pub(super) fn is_row(self) -> bool {
        self == Self::Row
    }
}

/// Where an answer is shown: the page context and the part of the page.
#[derive(Debug)]
pub(super) struct RenderTarget {
    pub(super) context: PageContext,
    pub(super) part: Part,
}

impl<S: Sync> FromRequestParts<S> for RenderTarget {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let views = |view: &str| query.split('&').any(|pair| pair == view);
        let part = match Form::of(&parts.uri, &parts.headers) {
            Form::Fragment if views("view=row") => Part::Row,
            Form::Fragment if views("view=page") => Part::OwnPage,
            Form::Fragment => Part::Section,
            Form::Page | Form::Json => Part::Page,
        };
        Ok(Self { context: PageContext::of(parts), part })
    }
}

impl RenderTarget {
    /// Redirects to another page.
    pub(super) fn redirect(&self, path: &str) -> Response {
        see_other(&self.context, path, self.part != Part::Page)
    }

    /// Redirects to another page, which shows a toast.
    pub(super) fn to(&self, path: &str, toast: &'static str) -> Response {
        with_toast_there(self.redirect(path), Tone::Success, toast)
    }

    /// Returns the form that undoes the change that made this version.
    pub(super) fn undo(&self, lead: &Lead) -> Undo {
        let (view, target) = match self.part {
            Part::Row => ("?view=row", format!("#lead-{}", lead.id)),
            Part::Section | Part::OwnPage | Part::Page => ("", "#lead".to_owned()),
        };
        Undo {
            action: self.context.url(&format!("/leads/{}/revert{view}", lead.id)),
            target: Some(target),
            fields: vec![
                ("version".into(), lead.version.to_string()),
                ("to".into(), lead.version.previous().to_string()),
            ],
        }
    }

    pub(super) fn in_row(&self) -> bool {
        self.part.is_row()
    }
}

/// Returns a form that changes a lead as an idempotent request. Its stored answer has no body, because a repeated
/// request shows the current lead.
pub(super) fn idempotent(
    leads: &Leads,
    who: &SignedIn,
    form: &RawForm,
    path: &str,
) -> Idempotency<'static, Lead> {
    Idempotency { request: form.request(path, who, leads.clock.now()), answer: &|_| no_content() }
}

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
    /// The id.
    pub(super) id: LeadId,
    /// The name.
    pub(super) name: Name,
    /// The email address.
    pub(super) email: Email,
    /// The phone number, if known.
    pub(super) phone: Option<Phone>,
    /// The company, if known.
    pub(super) company: Option<Company>,
    /// The source, if known.
    pub(super) source: Option<LeadSource>,
    /// The owner, if there is one.
    pub(super) owner: Option<Owner>,
    /// The leads that were merged into this one.
    pub(super) merged: Vec<LeadId>,
    /// The state's code, or empty text.
    pub(super) state: &'static str,
    /// The score.
    pub(super) lead_score: Score,
    /// The status.
    pub(super) status: Status,
    /// The stock.
    pub(super) stock: Stock,
    /// The order that contains the lead or delivered it.
    pub(super) order: Option<OrderId>,
    /// The version.
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
    /// The version.
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
