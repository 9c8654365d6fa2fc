//! Doing a command, and what it came to.
//!
//! What always holds: a command with an idempotency key has its effect once and is answered so again; a one-time rule
//! has its effect once for its order and action, over all callers and for ever, and one that failed leaves no trace.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::domain::{Command, CursorText, Limit, OneTimeAction};
use super::error::AutomationError;
use crate::base::values::{Email, OrderId, Version};
use crate::commands::Commands;
use crate::inventory::InventoryError;
use crate::inventory::groups::{Decided, Decision, Group};
use crate::leads::domain::Lead;
use crate::leads::list::{LeadPage, ListRequest};
use crate::leads::{Filter, LeadError};
use crate::orders::OrderError;
use crate::orders::domain::OrderDetail;
use crate::orders::domain::{CustomerName, Order, OrderStatus, Quantity, RequestedStates};
use crate::orders::list::{self, OrderFilter};
use crate::shared::audit::Author;
use crate::store::ledger::{Answer, Done, Idempotency, IdempotentRequest, Lookup};

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
            Done::Replayed(answer) => Self::recalled(&answer),
        }
    }
}

impl Commands {
    /// Does a command.
    ///
    /// # Errors
    /// [`AutomationError`] with what the order's or the leads' own use case refused; nothing was written then.
    pub async fn execute(
        &self,
        command: &Command,
        by: &Author,
        idempotency: Option<IdempotentRequest>,
    ) -> Result<Outcome, AutomationError> {
        match command {
            Command::CreateOrder(new) => {
                let outcome = |detail: &OrderDetail| Outcome::CreateOrder(OrderResult::of(detail));
                let answer = |detail: &OrderDetail| outcome(detail).answer();
                let idempotency = idempotency.map(|request| Idempotency { request, answer: &answer });
                let done = self.orders.create(new, None, by, idempotency.as_ref()).await?;
                Outcome::of(self.restored(done).await?, outcome)
            }
            Command::FulfillOrder { order_id } => {
                self.fulfill(*order_id, by, idempotency, |detail| {
                    Outcome::FulfillOrder(OrderResult::of(detail))
                })
                .await
            }
            Command::DeleteOrder { order_id } => {
                self.delete(*order_id, by, idempotency, |order| Outcome::DeleteOrder(Box::new(order.clone())))
                    .await
            }
            Command::GetOrders { status, limit, cursor } => {
                self.remembered(idempotency, self.get_orders(*status, *limit, cursor.as_ref()).await?).await
            }
            Command::GetLeads { status, state, limit, cursor } => {
                let filter = Filter::of(*status, *state, None).unwrap_or_default();
                self.remembered(idempotency, self.get_leads(filter, *limit, cursor.as_ref()).await?).await
            }
            Command::RetryDeadLetters { group, cursor } => {
                let decided = self.decide(group, &Decision::Retry, by, cursor.as_ref()).await?;
                self.remembered(idempotency, Outcome::RetryDeadLetters(decided)).await
            }
            Command::DismissDeadLetters { group, note, cursor } => {
                let decided =
                    self.decide(group, &Decision::Dismiss(note.clone()), by, cursor.as_ref()).await?;
                self.remembered(idempotency, Outcome::DismissDeadLetters(decided)).await
            }
            Command::OneTimeRule { order_id, action } => {
                // The rule has a ledger entry of its own; the caller's key is looked at before and kept after.
                if let Some(idempotency) = &idempotency
                    && let Some(first) = self.recalled(idempotency).await?
                {
                    return Ok(first);
                }
                self.remembered(idempotency, self.one_time(*order_id, *action, by).await?).await
            }
        }
    }

    /// What was done before, if its answer was too long to be kept: the order as it is now.
    async fn restored(&self, done: Done<OrderDetail>) -> Result<Done<OrderDetail>, OrderError> {
        match &done {
            Done::Replayed(answer) => match answer.omitted().and_then(|id| id.parse().ok()) {
                Some(id) => Ok(Done::Now(self.orders.find(id).await?)),
                None => Ok(done),
            },
            Done::Now(_) => Ok(done),
        }
    }

    async fn decide(
        &self,
        group: &Group,
        decision: &Decision,
        by: &Author,
        cursor: Option<&CursorText>,
    ) -> Result<Decided, InventoryError> {
        self.inventory.decide(group, decision, &by.actor, cursor.map(CursorText::as_str)).await
    }

    async fn fulfill(
        &self,
        id: OrderId,
        by: &Author,
        idempotency: Option<IdempotentRequest>,
        outcome: impl Fn(&OrderDetail) -> Outcome + Send + Sync,
    ) -> Result<Outcome, AutomationError> {
        let answer = |detail: &OrderDetail| outcome(detail).answer();
        let request = idempotency.clone();
        let idempotency = idempotency.map(|request| Idempotency { request, answer: &answer });
        let done = self.orders.fulfill(id, None, by, idempotency.as_ref()).await?;
        let done = Outcome::of(self.restored(done).await?, &outcome)?;
        // An order that was fulfilled already is written by nobody, and its leads may change: the first answer is kept.
        self.remembered(request, done).await
    }

    async fn delete(
        &self,
        id: OrderId,
        by: &Author,
        idempotency: Option<IdempotentRequest>,
        outcome: impl Fn(&Order) -> Outcome + Send + Sync,
    ) -> Result<Outcome, AutomationError> {
        let answer = |order: &Order| outcome(order).answer();
        let idempotency = idempotency.map(|request| Idempotency { request, answer: &answer });
        Outcome::of(self.orders.delete(id, None, by, idempotency.as_ref()).await?, &outcome)
    }

    /// The first outcome of this action on this order, made now if it was never made.
    async fn one_time(
        &self,
        order_id: OrderId,
        action: OneTimeAction,
        by: &Author,
    ) -> Result<Outcome, AutomationError> {
        let (id, name) = (order_id.to_string(), action.as_str());
        let ever = IdempotentRequest::forever(
            "one-time",
            &format!("{id}/{name}"),
            &[id.as_bytes(), name.as_bytes()],
        );
        // Whoever comes late finds an order that was changed or is gone, and must be given the first outcome all the same.
        if let Some(first) = self.recalled(&ever).await? {
            return Ok(first);
        }
        let outcome = |order: &Order| {
            Outcome::OneTimeRule(Box::new(OneTimeResult { order_id, action, order: order.clone() }))
        };
        let idempotency = Some(ever.clone());
        let done = match action {
            OneTimeAction::FulfillOrder => {
                self.fulfill(order_id, by, idempotency, |detail| outcome(&detail.order)).await
            }
            OneTimeAction::DeleteOrder => self.delete(order_id, by, idempotency, outcome).await,
        };
        match done {
            Err(AutomationError::Order(error @ (OrderError::NotFound(_) | OrderError::RuleViolation(_)))) => {
                self.recalled(&ever).await?.ok_or(AutomationError::Order(error))
            }
            done => done,
        }
    }

    /// The outcome that the ledger has, if it has one.
    async fn recalled(&self, idempotency: &IdempotentRequest) -> Result<Option<Outcome>, AutomationError> {
        match idempotency.look_up(&self.dynamo).await? {
            Lookup::Nothing => Ok(None),
            Lookup::Same(answer) => Outcome::recalled(&answer).map(Some),
            Lookup::Other => Err(AutomationError::KeyOfAnotherRequest),
        }
    }

    /// The outcome of a command without an effect of its own, or what the same request was answered before.
    async fn remembered(
        &self,
        idempotency: Option<IdempotentRequest>,
        outcome: Outcome,
    ) -> Result<Outcome, AutomationError> {
        let Some(idempotency) = idempotency else { return Ok(outcome) };
        match idempotency.remember(&self.dynamo, &outcome.answer()).await? {
            Lookup::Nothing => Ok(outcome),
            // A list that is too long to be kept is read again, which it was.
            Lookup::Same(answer) if answer.omitted().is_some() => Ok(outcome),
            Lookup::Same(answer) => Outcome::recalled(&answer),
            Lookup::Other => Err(AutomationError::KeyOfAnotherRequest),
        }
    }

    async fn get_orders(
        &self,
        status: Option<OrderStatus>,
        limit: Limit,
        cursor: Option<&CursorText>,
    ) -> Result<Outcome, OrderError> {
        let filter = OrderFilter { status, ..OrderFilter::default() };
        let cursor = cursor.map(|cursor| cursor.as_str().to_owned());
        let request = list::ListRequest { filter, limit: limit.get(), cursor };
        let page = self.orders.list(&request).await?;
        let items = page.orders.into_iter().map(OrderSummary::from).collect();
        Ok(Outcome::GetOrders(Items { items, next: page.next }))
    }

    async fn get_leads(
        &self,
        filter: Filter,
        limit: Limit,
        cursor: Option<&CursorText>,
    ) -> Result<Outcome, LeadError> {
        let cursor = cursor.map(|cursor| cursor.as_str().to_owned());
        let request = ListRequest { filter, limit: limit.get(), cursor, ..ListRequest::default() };
        let LeadPage { leads, next } = self.leads.list(&request).await?;
        Ok(Outcome::GetLeads(Items { items: leads, next }))
    }
}
