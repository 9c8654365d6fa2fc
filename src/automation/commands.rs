//! Doing a command, and what it came to.
//!
//! What always holds: a command with an idempotency key has its effect once and is answered so again; a one-time rule
//! has its effect once for its order and action, over all callers and for ever, and one that failed leaves no trace.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Command, CursorText, Limit, OneTimeAction};
use super::error::AutomationError;
use crate::app::App;
use crate::dynamo::ledger::{Answer, Done, Once, OnceOnly, Recall};
use crate::inventory::InventoryError;
use crate::inventory::groups::{self, Decided, Decision, Group};
use crate::leads::domain::Lead;
use crate::leads::list::{LeadPage, ListRequest};
use crate::leads::{self, Filter, LeadError};
use crate::orders::OrderError;
use crate::orders::domain::{By, CustomerName, Order, OrderStatus, Quantity, RequestedStates};
use crate::orders::list::{self, OrderFilter};
use crate::orders::store::{self, OrderDetail};
use crate::values::{Email, OrderId, Version};

/// What a command came to: as JSON the command's name and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", content = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The order that was created.
    CreateOrder(Box<OrderResult>),
    /// The order that is fulfilled.
    FulfillOrder(Box<OrderResult>),
    /// The order as it last was.
    DeleteOrder(Box<Order>),
    /// Orders.
    GetOrders(Items<OrderSummary>),
    /// Leads.
    GetLeads(Items<Lead>),
    /// What came of retrying dead letters.
    RetryDeadLetters(Decided),
    /// What came of dismissing dead letters.
    DismissDeadLetters(Decided),
    /// What the rule did, when it did it.
    OneTimeRule(Box<OneTimeResult>),
}

/// An order with its leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderResult {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Its leads; of a large order the first [`OrderResult::MOST_LEADS`].
    pub leads: Vec<Lead>,
}

impl OrderResult {
    /// The most leads that come with an order.
    pub const MOST_LEADS: usize = OrderDetail::MOST_LEADS;

    fn of(detail: &OrderDetail) -> Box<Self> {
        let leads = detail.leads.iter().take(Self::MOST_LEADS).cloned().collect();
        Box::new(Self { order: detail.order.clone(), leads })
    }
}

/// A list's first page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the list goes on: the `cursor` of the next command, or of the JSON API's list.
    pub next: Option<String>,
}

/// An order as lists of commands show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// The id.
    pub id: OrderId,
    /// The customer's name.
    pub customer_name: CustomerName,
    /// The customer's e-mail address.
    pub customer_email: Email,
    /// From which states.
    pub requested_states: RequestedStates,
    /// How many of each state were asked for.
    pub quantity_per_state: Option<Quantity>,
    /// How many leads it has.
    pub lead_count: u32,
    /// How far it is.
    pub status: OrderStatus,
    /// Its version.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was fulfilled.
    pub fulfilled_at: Option<Timestamp>,
}

impl From<Order> for OrderSummary {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            customer_name: order.customer_name,
            customer_email: order.customer_email,
            requested_states: order.requested_states,
            quantity_per_state: order.quantity_per_state,
            lead_count: order.lead_count,
            status: order.status,
            version: order.version,
            created_at: order.created_at,
            fulfilled_at: order.fulfilled_at,
        }
    }
}

/// What a one-time rule did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneTimeResult {
    /// The order's id.
    pub order_id: OrderId,
    /// What was done to it.
    pub action: OneTimeAction,
    /// The order as that left it, or as it last was.
    pub order: Order,
}

impl Outcome {
    /// The outcome as the ledger keeps it and programs are answered.
    pub fn answer(&self) -> Answer {
        // Our own types always serialise.
        let body = serde_json::to_string(self).unwrap_or_default();
        let about = match self {
            Self::CreateOrder(result) | Self::FulfillOrder(result) => Some(result.order.id.to_string()),
            // The lists are read again.
            Self::GetOrders(_) | Self::GetLeads(_) => Some("list".to_owned()),
            Self::DeleteOrder(_)
            | Self::OneTimeRule(_)
            | Self::RetryDeadLetters(_)
            | Self::DismissDeadLetters(_) => None,
        };
        Answer { status: 200, body, location: None, etag: None, about }
    }

    fn recalled(answer: &Answer) -> Result<Self, AutomationError> {
        serde_json::from_str(&answer.body).map_err(AutomationError::Answer)
    }

    fn of<T>(done: Done<T>, outcome: impl Fn(&T) -> Self) -> Result<Self, AutomationError> {
        match done {
            Done::Now(thing) => Ok(outcome(&thing)),
            Done::Before(answer) => Self::recalled(&answer),
        }
    }
}

/// Does a command.
///
/// # Errors
/// [`AutomationError`] with what the order's or the leads' own use case refused; nothing was written then.
pub async fn execute(
    app: &App,
    command: &Command,
    by: &By,
    once: Option<OnceOnly>,
) -> Result<Outcome, AutomationError> {
    match command {
        Command::CreateOrder(new) => {
            let outcome = |detail: &OrderDetail| Outcome::CreateOrder(OrderResult::of(detail));
            let answer = |detail: &OrderDetail| outcome(detail).answer();
            let once = once.map(|request| Once { request, answer: &answer });
            let done = store::create(app, new, None, by, once.as_ref()).await?;
            Outcome::of(restored(app, done).await?, outcome)
        }
        Command::FulfillOrder { order_id } => {
            fulfill(app, *order_id, by, once, |detail| Outcome::FulfillOrder(OrderResult::of(detail))).await
        }
        Command::DeleteOrder { order_id } => {
            delete(app, *order_id, by, once, |order| Outcome::DeleteOrder(Box::new(order.clone()))).await
        }
        Command::GetOrders { status, limit, cursor } => {
            remembered(app, once, get_orders(app, *status, *limit, cursor.as_ref()).await?).await
        }
        Command::GetLeads { status, state, limit, cursor } => {
            let filter = Filter::of(*status, *state, None).unwrap_or_default();
            remembered(app, once, get_leads(app, filter, *limit, cursor.as_ref()).await?).await
        }
        Command::RetryDeadLetters { group, cursor } => {
            let decided = decide(app, group, &Decision::Retry, by, cursor.as_ref()).await?;
            remembered(app, once, Outcome::RetryDeadLetters(decided)).await
        }
        Command::DismissDeadLetters { group, note, cursor } => {
            let decided = decide(app, group, &Decision::Dismiss(note.clone()), by, cursor.as_ref()).await?;
            remembered(app, once, Outcome::DismissDeadLetters(decided)).await
        }
        Command::OneTimeRule { order_id, action } => {
            // The rule has a ledger entry of its own; the caller's key is looked at before and kept after.
            if let Some(once) = &once
                && let Some(first) = recalled(app, once).await?
            {
                return Ok(first);
            }
            remembered(app, once, one_time(app, *order_id, *action, by).await?).await
        }
    }
}

/// What was done before, if its answer was too long to be kept: the order as it is now.
async fn restored(app: &App, done: Done<OrderDetail>) -> Result<Done<OrderDetail>, OrderError> {
    match &done {
        Done::Before(answer) => match answer.omitted().and_then(|id| id.parse().ok()) {
            Some(id) => Ok(Done::Now(store::find(app, id).await?)),
            None => Ok(done),
        },
        Done::Now(_) => Ok(done),
    }
}

async fn decide(
    app: &App,
    group: &Group,
    decision: &Decision,
    by: &By,
    cursor: Option<&CursorText>,
) -> Result<Decided, InventoryError> {
    groups::decide(app, group, decision, &by.actor, cursor.map(CursorText::as_str)).await
}

async fn fulfill(
    app: &App,
    id: OrderId,
    by: &By,
    once: Option<OnceOnly>,
    outcome: impl Fn(&OrderDetail) -> Outcome + Send + Sync,
) -> Result<Outcome, AutomationError> {
    let answer = |detail: &OrderDetail| outcome(detail).answer();
    let request = once.clone();
    let once = once.map(|request| Once { request, answer: &answer });
    let done = store::fulfill(app, id, None, by, once.as_ref()).await?;
    let done = Outcome::of(restored(app, done).await?, &outcome)?;
    // An order that was fulfilled already is written by nobody, and its leads may change: the first answer is kept.
    remembered(app, request, done).await
}

async fn delete(
    app: &App,
    id: OrderId,
    by: &By,
    once: Option<OnceOnly>,
    outcome: impl Fn(&Order) -> Outcome + Send + Sync,
) -> Result<Outcome, AutomationError> {
    let answer = |order: &Order| outcome(order).answer();
    let once = once.map(|request| Once { request, answer: &answer });
    Outcome::of(store::delete(app, id, None, by, once.as_ref()).await?, &outcome)
}

/// The first outcome of this action on this order, made now if it was never made.
async fn one_time(
    app: &App,
    order_id: OrderId,
    action: OneTimeAction,
    by: &By,
) -> Result<Outcome, AutomationError> {
    let (id, name) = (order_id.to_string(), action.as_str());
    let ever = OnceOnly::forever("one-time", &format!("{id}/{name}"), &[id.as_bytes(), name.as_bytes()]);
    // Whoever comes late finds an order that was changed or is gone, and must be given the first outcome all the same.
    if let Some(first) = recalled(app, &ever).await? {
        return Ok(first);
    }
    let outcome = |order: &Order| {
        Outcome::OneTimeRule(Box::new(OneTimeResult { order_id, action, order: order.clone() }))
    };
    let once = Some(ever.clone());
    let done = match action {
        OneTimeAction::FulfillOrder => {
            fulfill(app, order_id, by, once, |detail| outcome(&detail.order)).await
        }
        OneTimeAction::DeleteOrder => delete(app, order_id, by, once, outcome).await,
    };
    match done {
        Err(AutomationError::Order(error @ (OrderError::NotFound(_) | OrderError::RuleViolation(_)))) => {
            recalled(app, &ever).await?.ok_or(AutomationError::Order(error))
        }
        done => done,
    }
}

/// The outcome that the ledger has, if it has one.
async fn recalled(app: &App, once: &OnceOnly) -> Result<Option<Outcome>, AutomationError> {
    match once.look_up(&app.dynamo).await? {
        Recall::Nothing => Ok(None),
        Recall::Same(answer) => Outcome::recalled(&answer).map(Some),
        Recall::Other => Err(AutomationError::KeyOfAnotherRequest),
    }
}

/// The outcome of a command without an effect of its own, or what the same request was answered before.
async fn remembered(app: &App, once: Option<OnceOnly>, outcome: Outcome) -> Result<Outcome, AutomationError> {
    let Some(once) = once else { return Ok(outcome) };
    match once.remember(&app.dynamo, &outcome.answer()).await? {
        Recall::Nothing => Ok(outcome),
        // A list that is too long to be kept is read again, which it was.
        Recall::Same(answer) if answer.omitted().is_some() => Ok(outcome),
        Recall::Same(answer) => Outcome::recalled(&answer),
        Recall::Other => Err(AutomationError::KeyOfAnotherRequest),
    }
}

async fn get_orders(
    app: &App,
    status: Option<OrderStatus>,
    limit: Limit,
    cursor: Option<&CursorText>,
) -> Result<Outcome, OrderError> {
    let filter = OrderFilter { status, ..OrderFilter::default() };
    let cursor = cursor.map(|cursor| cursor.as_str().to_owned());
    let request = list::ListRequest { filter, limit: limit.get(), cursor };
    let page = list::list(app, &request).await?;
    let items = page.orders.into_iter().map(OrderSummary::from).collect();
    Ok(Outcome::GetOrders(Items { items, next: page.next }))
}

async fn get_leads(
    app: &App,
    filter: Filter,
    limit: Limit,
    cursor: Option<&CursorText>,
) -> Result<Outcome, LeadError> {
    let cursor = cursor.map(|cursor| cursor.as_str().to_owned());
    let request = ListRequest { filter, limit: limit.get(), cursor, ..ListRequest::default() };
    let LeadPage { leads, next } = leads::list::list(app, &request).await?;
    Ok(Outcome::GetLeads(Items { items: leads, next }))
}
