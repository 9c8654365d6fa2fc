//! The page of one order, and the forms that fulfill it, delete it or release one of its leads.

use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::base::identity::SignedIn;
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Lead, LeadId, Reason};
use crate::orders::Orders;
use crate::orders::domain::{Order, OrderRule, Release, ReleaseReason};
use crate::orders::domain::{OrderDetail, OrderEntry, OrderLeads, Released};
use crate::orders::error::OrderError;
use crate::orders::forms::Pairs;
use crate::orders::views::{DeletedPage, EntryView, OrderPage, Refusal, ReleaseForm, ReleasePage};
use crate::store::idempotency::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, no_content, see_other, with_toast_there};
use crate::web::routes::Routes;

pub fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/{id}", Access::Agent, show)
        .post("/orders/{id}/fulfill", Access::Agent, fulfill)
        .post("/orders/{id}/delete", Access::Agent, delete)
        .get("/orders/{id}/release", Access::Agent, release_form)
        .post("/orders/{id}/release", Access::Agent, release)
}

/// The most history entries on a page.
const HISTORY_LIMIT: u16 = 50;

#[derive(Debug, Deserialize)]
struct ShowQuery {
    leads: Option<String>,
}

async fn show(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Path(id): Path<OrderId>,
    Query(query): Query<ShowQuery>,
) -> Answer {
    let cursor = query.leads.as_deref().filter(|cursor| !cursor.is_empty());
    match page(&orders, context.clone(), id, cursor).await {
        Ok(page) if fragment && cursor.is_some() => html(StatusCode::OK, &page.as_leads()),
        Ok(page) => html(StatusCode::OK, &page),
        Err(OrderError::NotFound(_)) => deleted(&orders, context, id).await,
        Err(error) => Err(error.into()),
    }
}

async fn page(
    orders: &Orders,
    context: PageContext,
    id: OrderId,
    cursor: Option<&str>,
) -> Result<OrderPage, OrderError> {
    let (detail, history) = try_join(orders.find(id), entries(orders, id)).await?;
    let leads = some_leads(orders, &detail, cursor).await?;
    Ok(OrderPage::new(context, &detail, leads, history))
}

/// Returns the leads that the page shows: the first page, or the one after a cursor.
async fn some_leads(
    orders: &Orders,
    detail: &OrderDetail,
    cursor: Option<&str>,
) -> Result<OrderLeads, OrderError> {
    if cursor.is_none() {
        return Ok(OrderLeads { leads: detail.leads.clone(), next: detail.leads_next.clone() });
    }
    orders.leads_of(detail.order.id, OrderPage::LEADS, cursor).await
}

/// Returns the newest entries of an order's history.
async fn entries(orders: &Orders, id: OrderId) -> Result<Vec<OrderEntry>, OrderError> {
    Ok(orders.history(id, HISTORY_LIMIT, None).await?.entries)
}

/// Shows a deleted order, which still has its history.
async fn deleted(orders: &Orders, context: PageContext, id: OrderId) -> Answer {
    let history = entries(orders, id).await?;
    let history = history.into_iter().map(EntryView::of).collect();
    html(StatusCode::NOT_FOUND, &DeletedPage { context, id, history })
}

async fn fulfill(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<OrderId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let expected = form.version()?;
    let request = form.idempotent_request(&format!("/orders/{id}/fulfill"), &who, orders.clock.now());
    let idempotency = Idempotency { request, answer: &|_: &OrderDetail| no_content() };
    match orders.fulfill(id, Some(expected), &who.actor().into(), Some(&idempotency)).await {
        Ok(_) => {
            let there = see_other(&context, &format!("/orders/{id}"), fragment);
            Ok(with_toast_there(there, Tone::Success, "The order was fulfilled, with all its leads."))
        }
        Err(error) => {
            let what = "It was not fulfilled.";
            refused(
                &orders,
                context,
                id,
                expected,
                error,
                Refusal { what, fulfill_anyway: true, ..Refusal::default() },
            )
            .await
        }
    }
}

async fn delete(
    State(orders): State<Orders>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<OrderId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let expected = form.version()?;
    let request = form.idempotent_request(&format!("/orders/{id}/delete"), &who, orders.clock.now());
    let idempotency = Idempotency { request, answer: &|_: &Order| no_content() };
    match orders.delete(id, Some(expected), &who.actor().into(), Some(&idempotency)).await {
        Ok(_) => {
            let there = see_other(&context, "/orders", fragment);
            Ok(with_toast_there(there, Tone::Success, "The order was deleted. Its leads are back in stock."))
        }
        Err(error) => {
            let what = "It was not deleted.";
            refused(
                &orders,
                context,
                id,
                expected,
                error,
                Refusal { what, delete_anyway: true, ..Refusal::default() },
            )
            .await
        }
    }
}

/// Shows the order as it is now, with the refused change and the reason.
async fn refused(
    orders: &Orders,
    context: PageContext,
    id: OrderId,
    expected: Version,
    error: OrderError,
    refusal: Refusal,
) -> Answer {
    match error {
        OrderError::Conflict(detail) => {
            let history = entries(orders, id).await?;
            let changes = EntryView::since(history.clone(), expected);
            show_refusal(
                orders,
                context,
                StatusCode::CONFLICT,
                &detail,
                history,
                Refusal { changes, ..refusal },
            )
            .await
        }
        OrderError::RuleViolation(rule) => rule_violation(orders, context, id, rule, refusal.what).await,
        OrderError::NotFound(_) => deleted(orders, context, id).await,
        error => Err(error.into()),
    }
}

async fn rule_violation(
    orders: &Orders,
    context: PageContext,
    id: OrderId,
    rule: OrderRule,
    what: &'static str,
) -> Answer {
    let (detail, history) = try_join(orders.find(id), entries(orders, id)).await?;
    let refusal = Refusal { what, error: Some(rule.words().to_owned()), ..Refusal::default() };
    show_refusal(orders, context, StatusCode::UNPROCESSABLE_ENTITY, &detail, history, refusal).await
}

async fn show_refusal(
    orders: &Orders,
    context: PageContext,
    status: StatusCode,
    detail: &OrderDetail,
    history: Vec<OrderEntry>,
    refusal: Refusal,
) -> Answer {
    let leads = some_leads(orders, detail, None).await?;
    html(status, &OrderPage::new(context, detail, leads, history).refused(refusal))
}

#[derive(Debug, Deserialize)]
struct ReleaseQuery {
    lead: LeadId,
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
    if !crate::orders::views::releases(detail) {
        return Ok(false);
    }
    let among = detail.leads.iter().any(|other| other.id == lead);
    Ok(among || (detail.leads_next.is_some() && orders.leads.find(lead).await.is_ok()))
}
