//! The page of one order: its leads, its history, and the forms that fulfill it or delete it.

use futures_util::future::try_join;

use super::parts::{LeadLine, OrderView};
use crate::base::values::{OrderId, Version};
use crate::leads::domain::LeadId;
use crate::orders::Orders;
use crate::orders::domain::{Given, OrderAction, OrderDetail, OrderEntry};
use crate::orders::error::OrderError;
use crate::shared::pages::*;
use crate::web::query::address;

pub(super) fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/orders/{id}", Access::Viewer, show)
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
) -> PageAnswer {
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
    let (mut detail, history) = try_join(orders.find(id), entries(orders, id)).await?;
    if cursor.is_some() {
        let page = orders.leads_of(id, OrderPage::LEADS, cursor).await?;
        (detail.leads, detail.leads_next) = (page.items, page.next);
    }
    Ok(OrderPage::new(context, detail, history))
}

/// Returns the newest entries of an order's history.
pub(super) async fn entries(orders: &Orders, id: OrderId) -> Result<Vec<OrderEntry>, OrderError> {
    Ok(orders.history(id, HISTORY_LIMIT, None).await?.items)
}

/// Shows a deleted order, which still has its history.
async fn deleted(orders: &Orders, context: PageContext, id: OrderId) -> PageAnswer {
    let history = entries(orders, id).await?;
    let history = history.into_iter().map(EntryView::of).collect();
    html(StatusCode::NOT_FOUND, &DeletedPage { context, history })
}

async fn fulfill(
    State(orders): State<Orders>,
    target: RenderTarget,
    Path(id): Path<OrderId>,
    submission: Submission,
) -> PageAnswer {
    let (expected, by) = (submission.version()?, submission.who.actor().into());
    match orders.fulfill(id, Some(expected), &by, Some(&submission.idempotency())).await {
        Ok(_) => Ok(target.done(&format!("/orders/{id}"), "Order fulfilled.")),
        Err(error) => {
            let what = "It wasn't fulfilled.";
            let refusal = Refusal { what, fulfill_anyway: true, ..Refusal::default() };
            refused(&orders, target.context, id, expected, error, refusal).await
        }
    }
}

async fn delete(
    State(orders): State<Orders>,
    target: RenderTarget,
    Path(id): Path<OrderId>,
    submission: Submission,
) -> PageAnswer {
    let (expected, by) = (submission.version()?, (&submission.who).into());
    match orders.delete(id, Some(expected), &by, Some(&submission.idempotency())).await {
        Ok(_) => Ok(target.done("/orders", "Order deleted. Its leads are back in stock.")),
        Err(error) => {
            let what = "It wasn't deleted.";
            let refusal = Refusal { what, delete_anyway: true, ..Refusal::default() };
            refused(&orders, target.context, id, expected, error, refusal).await
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
) -> PageAnswer {
    let (status, detail, refusal) = match error {
        OrderError::Conflict(detail) => (StatusCode::CONFLICT, *detail, refusal),
        OrderError::RuleViolation(rule) => {
            let error = Some(rule.words().to_owned());
            let refusal = Refusal { what: refusal.what, error, ..Refusal::default() };
            (StatusCode::UNPROCESSABLE_ENTITY, orders.find(id).await?, refusal)
        }
        OrderError::NotFound(_) => return deleted(orders, context, id).await,
        error => return Err(error.into()),
    };
    let history = entries(orders, id).await?;
    let refusal = Refusal { changes: EntryView::since(history.clone(), expected), ..refusal };
    html(status, &OrderPage { refusal, ..OrderPage::new(context, detail, history) })
}

#[derive(Debug, Deserialize)]
struct ShowQuery {
    leads: Option<String>,
}

/// An entry of an order's history.
#[derive(Debug, Clone)]
pub(super) struct EntryView {
    pub(super) version: u64,
    /// The change at the beginning of a sentence: `Fulfilled`.
    pub(super) what: &'static str,
    /// The change within a sentence: `fulfilled this order`.
    pub(super) phrase: &'static str,
    pub(super) who: String,
    pub(super) when: DisplayTime,
    pub(super) reason: Option<String>,
    pub(super) released: Option<LeadId>,
    /// The lead that took the place of the released one.
    pub(super) replacement: Option<LeadId>,
}

impl EntryView {
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
#[template(path = "orders/detail.html", config = "templates/askama.toml", blocks = ["leads"])]
struct OrderPage {
    context: PageContext,
    order: OrderView,
    /// How many leads each state gave at creation.
    given: Vec<Given>,
    /// One page of its leads.
    leads: Vec<LeadLine>,
    /// The URL of the next leads.
    more_leads: Option<String>,
    /// Its history, newest first.
    history: Vec<EntryView>,
    refusal: Refusal,
}

impl OrderPage {
    /// The most leads on one page.
    const LEADS: u16 = 100;

    fn new(context: PageContext, detail: OrderDetail, history: Vec<OrderEntry>) -> Self {
        let id = detail.order.id;
        let more = |cursor| address(&format!("/orders/{id}"), [("leads", cursor)]);
        Self {
            context,
            order: OrderView::of(&detail.order),
            given: detail.order.given,
            leads: detail.leads.iter().map(LeadLine::of).collect(),
            more_leads: detail.leads_next.map(more),
            history: history.into_iter().map(EntryView::of).collect(),
            refusal: Refusal::default(),
        }
    }

    /// Returns whether the page offers changes: the order is open, and the person may change orders.
    fn can_change(&self) -> bool {
        self.order.is_open() && self.context.can_edit()
    }

    /// Returns whether a change was refused because of a conflict or a rule.
    fn is_refused(&self) -> bool {
        !self.refusal.what.is_empty()
    }
}

/// The page of a deleted order, which still has its history.
#[derive(Template)]
#[template(path = "orders/deleted.html", config = "templates/askama.toml")]
struct DeletedPage {
    context: PageContext,
    /// Its history, newest first.
    history: Vec<EntryView>,
}
