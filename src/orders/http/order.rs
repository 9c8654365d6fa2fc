//! The page of one order: its leads, its history, and the forms that fulfill it or delete it.

use askama::Template;
use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;

use super::parts::{Answer, GivenRow, LeadLine, OrderView, given_rows};
use crate::base::identity::SignedIn;
use crate::base::values::{OrderId, Version};
use crate::leads::domain::LeadId;
use crate::orders::Orders;
use crate::orders::domain::{Order, OrderAction, OrderDetail, OrderEntry, OrderLeads, OrderRule};
use crate::orders::error::OrderError;
use crate::shared::pairs::Pairs;
use crate::store::idempotency::Idempotency;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, no_content, see_other, with_toast_there};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/{id}", Access::Agent, show)
        .post("/orders/{id}/fulfill", Access::Agent, fulfill)
        .post("/orders/{id}/delete", Access::Agent, delete)
}

/// The most history entries on a page.
const HISTORY_LIMIT: u16 = 50;

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
pub(super) async fn entries(orders: &Orders, id: OrderId) -> Result<Vec<OrderEntry>, OrderError> {
    Ok(orders.history(id, HISTORY_LIMIT, None).await?.entries)
}

/// Shows a deleted order, which still has its history.
async fn deleted(orders: &Orders, context: PageContext, id: OrderId) -> Answer {
    let history = entries(orders, id).await?;
    let history = history.into_iter().map(EntryView::of).collect();
    html(StatusCode::NOT_FOUND, &DeletedPage { context, history })
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
pub(super) async fn refused(
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
struct ShowQuery {
    leads: Option<String>,
}

/// An entry of an order's history, as pages show it.
#[derive(Debug, Clone)]
pub(super) struct EntryView {
    /// The version.
    pub(super) version: u64,
    /// The change at the beginning of a sentence: `Fulfilled`.
    pub(super) what: &'static str,
    /// The change within a sentence: `fulfilled this order`.
    pub(super) phrase: &'static str,
    /// Who did it.
    pub(super) who: String,
    /// When it happened.
    pub(super) when: DisplayTime,
    /// The reason, if there is one.
    pub(super) reason: Option<String>,
    /// The lead that was released.
    pub(super) released: Option<LeadId>,
    /// The lead that took its place.
    pub(super) replacement: Option<LeadId>,
}

impl EntryView {
    /// Creates the view of a history entry.
    fn of(entry: OrderEntry) -> Self {
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
    pub(super) fn since(history: Vec<OrderEntry>, version: Version) -> Vec<Self> {
        history.into_iter().filter(|entry| entry.version > version).map(Self::of).collect()
    }
}

/// Why a change was refused, for the order's page.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    /// The change that was refused: `It was not fulfilled.`
    pub(super) what: &'static str,
    /// The broken rule, if any.
    pub(super) error: Option<String>,
    /// The changes that other people made first, if any.
    pub(super) changes: Vec<EntryView>,
    /// Whether the page offers to fulfill the order anyway.
    pub(super) fulfill_anyway: bool,
    /// Whether the page offers to delete the order anyway.
    pub(super) delete_anyway: bool,
}

/// The page at `GET /orders/{id}`.
#[derive(Template)]
#[template(path = "orders/detail.html", blocks = ["leads"])]
struct OrderPage {
    /// The page context.
    context: PageContext,
    /// The order.
    order: OrderView,
    /// How many leads each state gave at creation, and why.
    given: Vec<GivenRow>,
    /// One page of its leads.
    leads: Vec<LeadLine>,
    /// The URL of the next leads.
    more_leads: Option<String>,
    /// Its history, newest first.
    history: Vec<EntryView>,
    /// The refused change, if any.
    refusal: Refusal,
}

impl OrderPage {
    /// The most leads on one page.
    const LEADS: u16 = 100;

    /// Creates the page of an order with one page of its leads.
    fn new(context: PageContext, detail: &OrderDetail, leads: OrderLeads, history: Vec<OrderEntry>) -> Self {
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
    fn refused(self, refusal: Refusal) -> Self {
        Self { refusal, ..self }
    }

    /// Returns whether a change was refused because of a conflict or a rule.
    fn is_refused(&self) -> bool {
        !self.refusal.what.is_empty()
    }
}

/// The page of a deleted order, which still has its history.
#[derive(Template)]
#[template(path = "orders/deleted.html")]
struct DeletedPage {
    /// The page context.
    context: PageContext,
    /// Its history, newest first.
    history: Vec<EntryView>,
}
