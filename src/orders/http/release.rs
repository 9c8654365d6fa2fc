//! The page that releases one lead of an order.

use futures_util::future::try_join;

use super::order::{EntryView, Refusal, entries, refused};
use super::parts::{LeadLine, OrderView};
use crate::base::values::{Invalid, OrderId, Version};
use crate::leads::domain::{Lead, LeadId, Reason};
use crate::orders::Orders;
use crate::orders::domain::{OrderDetail, OrderStatus, Release, ReleaseReason, Released};
use crate::orders::error::OrderError;
use crate::shared::forms::RawForm;
use crate::shared::pages::*;
use crate::shared::values::optional;
use crate::store::idempotency::Done;

pub(super) fn routes() -> Routes<Orders> {
    let path = "/orders/{id}/release";
    Routes::default().get(path, Access::Agent, release_form).post(path, Access::Agent, release)
}

async fn release_form(
    State(orders): State<Orders>,
    context: PageContext,
    Path(id): Path<OrderId>,
    Query(query): Query<ReleaseQuery>,
) -> PageAnswer {
    let (detail, lead) = order_and_lead(&orders, id, query.lead).await?;
    html(StatusCode::OK, &ReleasePage::new(context, &detail, &lead, ReleaseForm::default()))
}

async fn order_and_lead(orders: &Orders, id: OrderId, lead: LeadId) -> Result<(OrderDetail, Lead), Problem> {
    let detail = async { Ok::<_, Problem>(orders.find(id).await?) };
    let lead = async { Ok::<_, Problem>(orders.leads.find(lead).await?) };
    try_join(detail, lead).await
}

/// Reads the reason and the note from the form, or returns the form with its errors.
fn release_of(form: &RawForm) -> Result<Release, Box<ReleaseForm>> {
    let typed = ReleaseForm::of(form);
    let reason: Result<ReleaseReason, Invalid> = match typed.reason.as_str() {
        "" => Err(Invalid::new("Choose a reason.")),
        reason => reason.parse(),
    };
    let reason = match reason {
        Ok(reason) => reason,
        Err(invalid) => {
            return Err(Box::new(ReleaseForm { reason_error: Some(invalid.to_string()), ..typed }));
        }
    };
    let release = optional::<Reason>(typed.note.trim()).and_then(|note| Release::new(reason, note));
    release.map_err(|invalid| Box::new(ReleaseForm { note_error: Some(invalid.to_string()), ..typed }))
}

async fn release(
    State(orders): State<Orders>,
    target: RenderTarget,
    Path(id): Path<OrderId>,
    submission: Submission,
) -> PageAnswer {
    let (expected, form) = (submission.version()?, &submission.form);
    let lead: LeadId = form.text("lead").parse().map_err(|invalid| WebError::field("lead", &invalid))?;
    let release = match release_of(form) {
        Ok(release) => release,
        Err(wrong) => return show_errors(&orders, target.context, id, lead, *wrong).await,
    };
    let by = submission.who.actor().into();
    match orders.release(id, lead, expected, &release, &by, Some(&submission.idempotency())).await {
        Ok(done) => Ok(target.done(&format!("/orders/{id}"), result_of(&done))),
        Err(OrderError::Conflict(detail)) if has_lead(&orders, &detail, lead).await? => {
            show_conflict(&orders, target.context, *detail, expected, lead, ReleaseForm::of(form)).await
        }
        Err(error) => {
            let refusal = Refusal { what: "The lead wasn't released.", ..Refusal::default() };
            refused(&orders, target.context, id, expected, error, refusal).await
        }
    }
}

/// Shows the form again with its errors.
async fn show_errors(
    orders: &Orders,
    context: PageContext,
    id: OrderId,
    lead: LeadId,
    wrong: ReleaseForm,
) -> PageAnswer {
    let (detail, lead) = order_and_lead(orders, id, lead).await?;
    html(StatusCode::UNPROCESSABLE_ENTITY, &ReleasePage::new(context, &detail, &lead, wrong))
}

/// Shows the form again with the changes that other people made first. Sending it releases the lead anyway.
async fn show_conflict(
    orders: &Orders,
    context: PageContext,
    detail: OrderDetail,
    expected: Version,
    lead: LeadId,
    typed: ReleaseForm,
) -> PageAnswer {
    let changes = EntryView::since(entries(orders, detail.order.id).await?, expected);
    let lead = orders.leads.find(lead).await?;
    html(StatusCode::CONFLICT, &ReleasePage::new(context, &detail, &lead, ReleaseForm { changes, ..typed }))
}

/// Says what a release did, for the order's page.
fn result_of(done: &Done<Released>) -> &'static str {
    match done {
        Done::Now(Released { replacement: Some(_), .. }) => {
            "Lead released. The next oldest lead took its place."
        }
        Done::Now(_) => "Lead released. No other lead was available.",
        Done::Replayed(_) => "This lead was already released. Here's the current order.",
    }
}

/// Returns whether the lead is still in this open order, so that it can be released.
async fn has_lead(orders: &Orders, detail: &OrderDetail, lead: LeadId) -> Result<bool, Problem> {
    if detail.order.status != OrderStatus::Open {
        return Ok(false);
    }
    let among = detail.leads.iter().any(|other| other.id == lead);
    Ok(among || (detail.leads_next.is_some() && orders.leads.find(lead).await.is_ok()))
}

#[derive(Debug, Deserialize)]
struct ReleaseQuery {
    lead: LeadId,
}

impl ReleaseReason {
    /// Says what happens to a lead that is released for this reason.
    fn hint(self) -> &'static str {
        match self {
            Self::BadContact => "Stays out of stock until an agent puts it back.",
            Self::Duplicate => "The customer already has this lead. The lead goes back in stock.",
            Self::OutOfArea => "The person lives elsewhere. The lead goes back in stock.",
            Self::Other => "Explain below. The lead goes back in stock.",
        }
    }
}

/// The form that releases a lead, with the typed text and its errors.
#[derive(Debug, Clone, Default)]
struct ReleaseForm {
    reason: String,
    reason_error: Option<String>,
    note: String,
    note_error: Option<String>,
    /// The changes that other people made first.
    changes: Vec<EntryView>,
}

impl ReleaseForm {
    fn of(form: &RawForm) -> Self {
        Self { reason: form.text("reason"), note: form.text("note"), ..Self::default() }
    }
}

/// The page at `GET /orders/{id}/release?lead=`.
#[derive(Template)]
#[template(path = "orders/release.html", config = "templates/askama.toml")]
struct ReleasePage {
    context: PageContext,
    order: OrderView,
    lead: LeadLine,
    form: ReleaseForm,
}

impl ReleasePage {
    fn new(context: PageContext, detail: &OrderDetail, lead: &Lead, form: ReleaseForm) -> Self {
        Self { context, order: OrderView::of(&detail.order), lead: LeadLine::of(lead), form }
    }

    /// Returns whether another person changed the order first.
    fn is_conflict(&self) -> bool {
        !self.form.changes.is_empty()
    }
}
