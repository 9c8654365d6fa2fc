//! The page of one order: its leads, its history and its actions.

use askama::Template;

use super::{GivenRow, LeadLine, OrderView, given_rows};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Lead, LeadId};
use crate::orders::domain::{OrderAction, OrderDetail, OrderEntry, OrderLeads};
use crate::orders::domain::{OrderStatus, ReleaseReason};
use crate::web::pages::{DisplayTime, PageContext};

/// An entry of an order's history, as pages show it.
#[derive(Debug, Clone)]
pub struct EntryView {
    /// The version.
    pub version: u64,
    /// The change at the beginning of a sentence: `Fulfilled`.
    pub what: &'static str,
    /// The change within a sentence: `fulfilled this order`.
    pub phrase: &'static str,
    /// Who did it.
    pub who: String,
    /// When it happened.
    pub when: DisplayTime,
    /// The reason, if there is one.
    pub reason: Option<String>,
    /// The lead that was released.
    pub released: Option<LeadId>,
    /// The lead that took its place.
    pub replacement: Option<LeadId>,
}

impl EntryView {
    /// Creates the view of a history entry.
    pub fn of(entry: OrderEntry) -> Self {
        let (what, phrase) = match entry.action {
            OrderAction::Created => ("Created", "created this order"),
            OrderAction::Fulfilled => ("Fulfilled", "fulfilled this order"),
            OrderAction::Deleted => ("Deleted", "deleted this order"),
            OrderAction::Released => ("Released a lead", "released a lead"),
        };
        Self {
            version: entry.version.get(),
            what,
            phrase,
            who: entry.by.to_string(),
            when: entry.at.into(),
            reason: entry.reason.map(|reason| reason.as_str().to_owned()),
            released: entry.released,
            replacement: entry.replacement,
        }
    }

    /// Returns the entries after the version that a person saw.
    pub fn since(history: Vec<OrderEntry>, version: Version) -> Vec<Self> {
        history.into_iter().filter(|entry| entry.version > version).map(Self::of).collect()
    }
}

/// Why a change was refused, for the order's page.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    /// The change that was refused: `It was not fulfilled.`
    pub what: &'static str,
    /// The broken rule, if any.
    pub error: Option<String>,
    /// The changes that other people made first, if any.
    pub changes: Vec<EntryView>,
    /// Whether the page offers to fulfill the order anyway.
    pub fulfill_anyway: bool,
    /// Whether the page offers to delete the order anyway.
    pub delete_anyway: bool,
}

/// The page at `GET /orders/{id}`.
#[derive(Template)]
#[template(path = "orders/detail.html", blocks = ["leads"])]
pub struct OrderPage {
    /// The page context.
    pub context: PageContext,
    /// The order.
    pub order: OrderView,
    /// How many leads each state gave at creation, and why.
    pub given: Vec<GivenRow>,
    /// One page of its leads.
    pub leads: Vec<LeadLine>,
    /// The URL of the next leads.
    pub more_leads: Option<String>,
    /// Its history, newest first.
    pub history: Vec<EntryView>,
    /// The refused change, if any.
    pub refusal: Refusal,
}

impl OrderPage {
    /// The most leads on one page.
    pub const LEADS: u16 = 100;

    /// Creates the page of an order with one page of its leads.
    pub fn new(
        context: PageContext,
        detail: &OrderDetail,
        leads: OrderLeads,
        history: Vec<OrderEntry>,
    ) -> Self {
        let id = detail.order.id;
        let address = |cursor: String| {
            let query = serde_urlencoded::to_string([("leads", cursor)]).ok()?;
            Some(format!("/orders/{id}?{query}"))
        };
        Self {
            context,
            order: OrderView::of(&detail.order),
            given: given_rows(&detail.order.given),
            leads: leads.leads.iter().map(LeadLine::of).collect(),
            more_leads: leads.next.and_then(address),
            history: history.into_iter().map(EntryView::of).collect(),
            refusal: Refusal::default(),
        }
    }

    /// Returns the page with a refused change.
    pub fn refused(self, refusal: Refusal) -> Self {
        Self { refusal, ..self }
    }

    /// Returns whether a change was refused because of a conflict or a rule.
    pub fn is_refused(&self) -> bool {
        !self.refusal.what.is_empty()
    }
}

/// The page of a deleted order, which still has its history.
#[derive(Template)]
#[template(path = "orders/deleted.html")]
pub struct DeletedPage {
    /// The page context.
    pub context: PageContext,
    /// The id.
    pub id: OrderId,
    /// Its history, newest first.
    pub history: Vec<EntryView>,
}

/// A reason to choose.
#[derive(Debug, Clone, Copy)]
pub struct ReasonChoice {
    /// The value that forms send.
    pub value: &'static str,
    /// The text shown to people.
    pub label: &'static str,
    /// What happens to the lead.
    pub hint: &'static str,
}

/// The form that releases a lead, with the typed text and its errors.
#[derive(Debug, Clone, Default)]
pub struct ReleaseForm {
    /// The chosen reason.
    pub reason: String,
    /// The error of the reason.
    pub reason_error: Option<String>,
    /// The note.
    pub note: String,
    /// The error of the note.
    pub note_error: Option<String>,
    /// The changes that other people made first.
    pub changes: Vec<EntryView>,
}

/// The page at `GET /orders/{id}/release?lead=`.
#[derive(Template)]
#[template(path = "orders/release.html")]
pub struct ReleasePage {
    /// The page context.
    pub context: PageContext,
    /// The order.
    pub order: OrderView,
    /// The lead.
    pub lead: LeadLine,
    /// The form.
    pub form: ReleaseForm,
}

impl ReleasePage {
    /// Creates the page for one lead of an order.
    pub fn new(context: PageContext, detail: &OrderDetail, lead: &Lead, form: ReleaseForm) -> Self {
        Self { context, order: OrderView::of(&detail.order), lead: LeadLine::of(lead), form }
    }

    /// Returns the reasons to choose from.
    pub fn reasons(&self) -> [ReasonChoice; 4] {
        ReleaseReason::ALL.map(|reason| ReasonChoice {
            value: ReleaseReason::as_str(&reason),
            label: reason.label(),
            hint: match reason {
                ReleaseReason::BadContact => "kept out of stock until somebody puts it back",
                ReleaseReason::Duplicate => "the customer knows the person already; back in stock",
                ReleaseReason::OutOfArea => "the person lives elsewhere; back in stock",
                ReleaseReason::Other => "say why below; back in stock",
            },
        })
    }

    /// Returns whether another person changed the order first.
    pub fn is_conflict(&self) -> bool {
        !self.form.changes.is_empty()
    }
}

/// Returns whether leads of an order may be released.
pub(in crate::orders) fn releases(detail: &OrderDetail) -> bool {
    detail.order.status == OrderStatus::Open
}
