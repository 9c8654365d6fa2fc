//! One order: its leads, its history, and what can be done with it.

use askama::Template;

use super::{GivenRow, LeadLine, OrderView, given_rows};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Lead, LeadId};
use crate::orders::domain::{OrderAction, OrderDetail, OrderEntry, OrderLeads};
use crate::orders::domain::{OrderStatus, ReleaseReason};
use crate::web::pages::{DisplayTime, PageContext};

/// What happened to an order at one version.
#[derive(Debug, Clone)]
pub struct EntryView {
    /// The version.
    pub version: u64,
    /// What happened, as the beginning of a sentence: `Fulfilled`.
    pub what: &'static str,
    /// The same within a sentence: `fulfilled this order`.
    pub told: &'static str,
    /// Who did it.
    pub who: String,
    /// When.
    pub when: DisplayTime,
    /// Why, where a reason was given.
    pub reason: Option<String>,
    /// The lead that was released.
    pub released: Option<LeadId>,
    /// The lead that took its place.
    pub replacement: Option<LeadId>,
}

impl EntryView {
    /// An entry of the history.
    pub fn of(entry: OrderEntry) -> Self {
        let (what, told) = match entry.action {
            OrderAction::Created => ("Created", "created this order"),
            OrderAction::Fulfilled => ("Fulfilled", "fulfilled this order"),
            OrderAction::Deleted => ("Deleted", "deleted this order"),
            OrderAction::Released => ("Released a lead", "released a lead"),
        };
        Self {
            version: entry.version.get(),
            what,
            told,
            who: entry.by.to_string(),
            when: entry.at.into(),
            reason: entry.reason.map(|reason| reason.as_str().to_owned()),
            released: entry.released,
            replacement: entry.replacement,
        }
    }

    /// Those that came after a version, which somebody had not seen.
    pub fn since(history: Vec<OrderEntry>, seen: Version) -> Vec<Self> {
        history.into_iter().filter(|entry| entry.version > seen).map(Self::of).collect()
    }
}

/// Why something was not done, for the order's page.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    /// What was not done: `It was not fulfilled.`
    pub what: &'static str,
    /// Why not, if it was a rule.
    pub error: Option<String>,
    /// What happened meanwhile, if that is why.
    pub changes: Vec<EntryView>,
    /// Whether to fulfil it all the same is offered.
    pub fulfil_anyway: bool,
    /// Whether to delete it all the same is offered.
    pub delete_anyway: bool,
}

/// `GET /orders/{id}`
#[derive(Template)]
#[template(path = "orders/detail.html", blocks = ["leads"])]
pub struct OrderPage {
    /// The shell.
    pub context: PageContext,
    /// The order.
    pub order: OrderView,
    /// What each state gave at creation.
    pub given: Vec<GivenRow>,
    /// Its leads, or a page of them.
    pub leads: Vec<LeadLine>,
    /// The address of further leads.
    pub more_leads: Option<String>,
    /// What happened to it, newest first.
    pub history: Vec<EntryView>,
    /// What was not done, and why.
    pub refusal: Refusal,
}

impl OrderPage {
    /// The most leads that the page shows at once.
    pub const LEADS: u16 = 100;

    /// An order with a page of its leads.
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

    /// The same, with what was not done.
    pub fn refused(self, refusal: Refusal) -> Self {
        Self { refusal, ..self }
    }

    /// Whether it was refused because somebody was faster or a rule forbids it.
    pub fn is_refused(&self) -> bool {
        !self.refusal.what.is_empty()
    }
}

/// An order that was deleted: its history stays.
#[derive(Template)]
#[template(path = "orders/deleted.html")]
pub struct DeletedPage {
    /// The shell.
    pub context: PageContext,
    /// The id.
    pub id: OrderId,
    /// What happened to it, newest first.
    pub history: Vec<EntryView>,
}

/// A kind of reason to choose.
#[derive(Debug, Clone, Copy)]
pub struct ReasonChoice {
    /// As forms send it.
    pub value: &'static str,
    /// For people.
    pub label: &'static str,
    /// What becomes of the lead.
    pub hint: &'static str,
}

/// What was typed into the form that releases a lead, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct ReleaseForm {
    /// The chosen reason.
    pub reason: String,
    /// What is wrong with it.
    pub reason_error: Option<String>,
    /// The words.
    pub note: String,
    /// What is wrong with them.
    pub note_error: Option<String>,
    /// What happened meanwhile.
    pub changes: Vec<EntryView>,
}

/// `GET /orders/{id}/release?lead=`
#[derive(Template)]
#[template(path = "orders/release.html")]
pub struct ReleasePage {
    /// The shell.
    pub context: PageContext,
    /// The order.
    pub order: OrderView,
    /// The lead.
    pub lead: LeadLine,
    /// What was typed.
    pub form: ReleaseForm,
}

impl ReleasePage {
    /// The form for a lead of an order.
    pub fn new(context: PageContext, detail: &OrderDetail, lead: &Lead, form: ReleaseForm) -> Self {
        Self { context, order: OrderView::of(&detail.order), lead: LeadLine::of(lead), form }
    }

    /// The reasons to choose from.
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

    /// Whether somebody was faster.
    pub fn is_conflict(&self) -> bool {
        !self.form.changes.is_empty()
    }
}

/// Whether leads of an order may be released.
pub(in crate::orders) fn releases(detail: &OrderDetail) -> bool {
    detail.order.status == OrderStatus::Open
}
