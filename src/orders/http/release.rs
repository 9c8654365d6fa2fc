//! The page that releases one lead of an order.

use askama::Template;
use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;

use super::order::{EntryView, Refusal, entries, refused};
use super::parts::{Answer, LeadLine, OrderView};
use crate::base::identity::SignedIn;
use crate::base::values::OrderId;
use crate::leads::domain::{Lead, LeadId, Reason};
use crate::orders::Orders;
use crate::orders::domain::{OrderDetail, OrderStatus, Release, ReleaseReason, Released};
use crate::orders::error::OrderError;
use crate::shared::pairs::Pairs;
use crate::store::idempotency::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, no_content, see_other, with_toast_there};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Orders> {
    let path = "/orders/{id}/release";
    Routes::default().get(path, Access::Agent, release_form).post(path, Access::Agent, release)
}

async fn release_form(
    State(orders): State<Orders>,
    context: PageContext,
    Path(id): Path<OrderId>,
    Query(query): Query<ReleaseQuery>,
) -> Answer {
    let (detail, lead) = order_and_lead(&orders, id, query.lead).await?;
    html(StatusCode::OK, &ReleasePage::new(context, &detail, &lead, ReleaseForm::default()))
}

async fn order_and_lead(orders: &Orders, id: OrderId, lead: LeadId) -> Result<(OrderDetail, Lead), Problem> {
    let detail = async { Ok::<_, Problem>(orders.find(id).await?) };
    let lead = async { Ok::<_, Problem>(orders.leads.find(lead).await?) };
    try_join(detail, lead).await
}

/// Reads the reason and the note from the form, or returns the form with its errors.
fn release_of(form: &Pairs) -> Result<Release, Box<ReleaseForm>> {
    let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let typed = ReleaseForm { reason: text("reason"), note: text("note"), ..ReleaseForm::default() };
    let wrong =
        |reason_error, note_error| Box::new(ReleaseForm { reason_error, note_error, ..typed.clone() });
    let reason: ReleaseReason = match typed.reason.as_str() {
        "" => return Err(wrong(Some("Choose a reason.".to_owned()), None)),
        reason => reason.parse().map_err(|invalid| wrong(Some(format!("{invalid}")), None))?,
    };
    let note = match typed.note.trim() {
        "" => None,
        note => Some(note.parse::<Reason>().map_err(|invalid| wrong(None, Some(invalid.to_string())))?),
    };
    Release::new(reason, note).map_err(|invalid| wrong(None, Some(invalid.to_string())))
}

async fn release(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<OrderId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let expected = form.version()?;
    let lead: LeadId =
        form.get("lead").unwrap_or_default().parse().map_err(|invalid| WebError::field("lead", &invalid))?;
    let release = match release_of(&form) {
        Ok(release) => release,
        Err(wrong) => {
            let (detail, lead) = order_and_lead(&orders, id, lead).await?;
            let page = ReleasePage::new(context, &detail, &lead, *wrong);
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let request = form.idempotent_request(&format!("/orders/{id}/release"), &who, orders.clock.now());
    let idempotency = Idempotency { request, answer: &|_: &Released| no_content() };
    match orders.release(id, lead, expected, &release, &who.actor().into(), Some(&idempotency)).await {
        Ok(done) => {
            let words = match done {
                Done::Now(Released { replacement: Some(_), .. }) => {
                    "The lead was released, and the next oldest took its place."
                }
                Done::Now(_) => "The lead was released. No other lead could take its place.",
                Done::Replayed(_) => "The lead was released before. This is the order as it is now.",
            };
            let there = see_other(&context, &format!("/orders/{id}"), fragment);
            Ok(with_toast_there(there, Tone::Success, words))
        }
        Err(OrderError::Conflict(detail)) if has_lead(&orders, &detail, lead).await? => {
            let changes = EntryView::since(entries(&orders, id).await?, expected);
            let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
            let typed =
                ReleaseForm { reason: text("reason"), note: text("note"), changes, ..ReleaseForm::default() };
            let lead = orders.leads.find(lead).await?;
            html(StatusCode::CONFLICT, &ReleasePage::new(context, &detail, &lead, typed))
        }
        Err(error) => {
            let what = "The lead was not released.";
            refused(&orders, context, id, expected, error, Refusal { what, ..Refusal::default() }).await
        }
    }
}

/// Returns whether the lead is still in this open order, so that it can be released.
async fn has_lead(orders: &Orders, detail: &OrderDetail, lead: LeadId) -> Result<bool, Problem> {
    if !releases(detail) {
        return Ok(false);
    }
    let among = detail.leads.iter().any(|other| other.id == lead);
    Ok(among || (detail.leads_next.is_some() && orders.leads.find(lead).await.is_ok()))
}

/// Returns whether leads of an order may be released.
fn releases(detail: &OrderDetail) -> bool {
    detail.order.status == OrderStatus::Open
}

#[derive(Debug, Deserialize)]
struct ReleaseQuery {
    lead: LeadId,
}

/// A reason to choose.
#[derive(Debug, Clone, Copy)]
struct ReasonChoice {
    /// The value that forms send.
    value: &'static str,
    /// The text shown to people.
    label: &'static str,
    /// What happens to the lead.
    hint: &'static str,
}

/// The form that releases a lead, with the typed text and its errors.
#[derive(Debug, Clone, Default)]
struct ReleaseForm {
    /// The chosen reason.
    reason: String,
    /// The error of the reason.
    reason_error: Option<String>,
    /// The note.
    note: String,
    /// The error of the note.
    note_error: Option<String>,
    /// The changes that other people made first.
    changes: Vec<EntryView>,
}

/// The page at `GET /orders/{id}/release?lead=`.
#[derive(Template)]
#[template(path = "orders/release.html")]
struct ReleasePage {
    /// The page context.
    context: PageContext,
    /// The order.
    order: OrderView,
    /// The lead.
    lead: LeadLine,
    /// The form.
    form: ReleaseForm,
}

impl ReleasePage {
    /// Creates the page for one lead of an order.
    fn new(context: PageContext, detail: &OrderDetail, lead: &Lead, form: ReleaseForm) -> Self {
        Self { context, order: OrderView::of(&detail.order), lead: LeadLine::of(lead), form }
    }

    /// Returns the reasons to choose from.
    fn reasons(&self) -> [ReasonChoice; 4] {
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
    fn is_conflict(&self) -> bool {
        !self.form.changes.is_empty()
    }
}
