//! Executes commands.
//!
//! Invariants: a command with an idempotency key takes effect once, and a repetition gets the same answer. A
//! one-time rule takes effect once per order and action, across all callers and forever; if it fails, it leaves no
//! trace.

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
use crate::orders::domain::{
    CustomerName, NewOrder, Order, OrderDetail, OrderStatus, Quantity, RequestedStates,
};
use crate::orders::list::{self, OrderFilter};
use crate::shared::audit::Author;
use crate::shared::idempotency::replayed_answer;
use crate::store::idempotency::{Answer, Done, Idempotency, IdempotentRequest};

/// The outcome of a command. As JSON: the command's name and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", content = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The created order.
    CreateOrder(Box<OrderResult>),
    /// The fulfilled order.
    FulfillOrder(Box<OrderResult>),
    /// The order before its deletion.
    DeleteOrder(Box<Order>),
    /// A page of orders.
    GetOrders(Items<OrderSummary>),
    /// A page of leads.
    GetLeads(Items<Lead>),
    /// The result of retrying dead letters.
    RetryDeadLetters(Decided),
    /// The result of dismissing dead letters.
    DismissDeadLetters(Decided),
    /// The first result of the rule.
    OneTimeRule(Box<OneTimeResult>),
}

/// An order with its leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderResult {
    /// The order.
    #[serde(flatten)]
    pub order: Order,
    /// Its leads; for a large order the first [`OrderResult::MOST_LEADS`].
    pub leads: Vec<Lead>,
}

impl OrderResult {
    /// The maximum number of leads in a result.
    pub const MOST_LEADS: usize = OrderDetail::MOST_LEADS;

    fn of(detail: &OrderDetail) -> Box<Self> {
        let leads = detail.leads.iter().take(Self::MOST_LEADS).cloned().collect();
        Box::new(Self { order: detail.order.clone(), leads })
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The cursor of the next page, for the next command or the JSON API's list.
    pub next: Option<String>,
}

/// An order in a list of commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// The id.
    pub id: OrderId,
    /// The customer's name.
    pub customer_name: CustomerName,
    /// The customer's email address.
    pub customer_email: Email,
    /// The requested states.
    pub requested_states: RequestedStates,
    /// The requested number of leads per state.
    pub quantity_per_state: Option<Quantity>,
    /// The number of leads.
    pub lead_count: u32,
    /// Its status.
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

/// The result of a one-time rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneTimeResult {
    /// The order's id.
    pub order_id: OrderId,
    /// The action.
    pub action: OneTimeAction,
    /// The order after the action, or before its deletion.
    pub order: Order,
}

impl Outcome {
    /// Returns the answer for programs, which the idempotency record also stores.
    pub fn answer(&self) -> Answer {
        // Our own types always serialize.
        let body = serde_json::to_string(self).unwrap_or_default();
        let about = match self {
            Self::CreateOrder(result) | Self::FulfillOrder(result) => Some(result.order.id.to_string()),
            // A stored list that was too long is read again.
            Self::GetOrders(_) | Self::GetLeads(_) => Some("list".to_owned()),
            Self::DeleteOrder(_)
            | Self::OneTimeRule(_)
            | Self::RetryDeadLetters(_)
            | Self::DismissDeadLetters(_) => None,
        };
        Answer { status: 200, body, location: None, etag: None, about }
    }

    fn from_answer(answer: &Answer) -> Result<Self, AutomationError> {
        serde_json::from_str(&answer.body).map_err(AutomationError::Answer)
    }

    fn of<T>(done: Done<T>, outcome: impl Fn(&T) -> Self) -> Result<Self, AutomationError> {
        match done {
            Done::Now(thing) => Ok(outcome(&thing)),
            Done::Replayed(answer) => Self::from_answer(&answer),
        }
    }
}

impl Commands {
    /// Executes a command.
    ///
    /// # Errors
    /// [`AutomationError`] with the error of the order's or the leads' use case. In that case nothing was written.
    pub async fn execute(
        &self,
        command: &Command,
        by: &Author,
        idempotency: Option<IdempotentRequest>,
    ) -> Result<Outcome, AutomationError> {
        match command {
            Command::CreateOrder(new) => self.create(new, by, idempotency).await,
            Command::FulfillOrder { order_id } => {
                let outcome = |detail: &OrderDetail| Outcome::FulfillOrder(OrderResult::of(detail));
                self.fulfill(*order_id, by, idempotency, outcome).await
            }
            Command::DeleteOrder { order_id } => {
                let outcome = |order: &Order| Outcome::DeleteOrder(Box::new(order.clone()));
                self.delete(*order_id, by, idempotency, outcome).await
            }
            Command::GetOrders { status, limit, cursor } => {
                self.save_outcome(idempotency, self.get_orders(*status, *limit, cursor.as_ref()).await?).await
            }
            Command::GetLeads { status, state, limit, cursor } => {
                let filter = Filter::of(*status, *state, None).unwrap_or_default();
                self.save_outcome(idempotency, self.get_leads(filter, *limit, cursor.as_ref()).await?).await
            }
            Command::RetryDeadLetters { group, cursor } => {
                let decided = self.decide(group, &Decision::Retry, by, cursor.as_ref()).await?;
                self.save_outcome(idempotency, Outcome::RetryDeadLetters(decided)).await
            }
            Command::DismissDeadLetters { group, note, cursor } => {
                let decision = Decision::Dismiss(note.clone());
                let decided = self.decide(group, &decision, by, cursor.as_ref()).await?;
                self.save_outcome(idempotency, Outcome::DismissDeadLetters(decided)).await
            }
            Command::OneTimeRule { order_id, action } => {
                self.one_time_or_saved(*order_id, *action, by, idempotency).await
            }
        }
    }

    async fn create(
        &self,
        new: &NewOrder,
        by: &Author,
        idempotency: Option<IdempotentRequest>,
    ) -> Result<Outcome, AutomationError> {
        let outcome = |detail: &OrderDetail| Outcome::CreateOrder(OrderResult::of(detail));
        let answer = |detail: &OrderDetail| outcome(detail).answer();
        let idempotency = idempotency.map(|request| Idempotency { request, answer: &answer });
        let done = self.orders.create(new, None, by, idempotency.as_ref()).await?;
        Outcome::of(self.reload_omitted(done).await?, outcome)
    }

    /// Reads the order again if the stored answer was too long to be saved.
    async fn reload_omitted(&self, done: Done<OrderDetail>) -> Result<Done<OrderDetail>, OrderError> {
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
        let done = Outcome::of(self.reload_omitted(done).await?, &outcome)?;
        // Fulfilling an order twice writes nothing, and its leads may change afterwards: save the first answer.
        self.save_outcome(request, done).await
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

    /// Runs a one-time rule, or returns the saved outcome of the same request. The rule has its own idempotency record.
    /// The caller's key is checked before, and saved after.
    async fn one_time_or_saved(
        &self,
        order_id: OrderId,
        action: OneTimeAction,
        by: &Author,
        idempotency: Option<IdempotentRequest>,
    ) -> Result<Outcome, AutomationError> {
        if let Some(idempotency) = &idempotency
            && let Some(saved) = self.saved_outcome(idempotency).await?
        {
            return Ok(saved);
        }
        self.save_outcome(idempotency, self.one_time(order_id, action, by).await?).await
    }

    /// Returns the first outcome of this action on this order, and creates it if there is none.
    async fn one_time(
        &self,
        order_id: OrderId,
        action: OneTimeAction,
        by: &Author,
    ) -> Result<Outcome, AutomationError> {
        let (id, name) = (order_id.to_string(), action.as_str());
        let parts = [id.as_bytes(), name.as_bytes()];
        let one_time_request = IdempotentRequest::forever("one-time", &format!("{id}/{name}"), &parts);
        // A late caller finds an order that was changed or deleted, but must still get the first outcome.
        if let Some(saved) = self.saved_outcome(&one_time_request).await? {
            return Ok(saved);
        }
        let outcome = |order: &Order| {
            Outcome::OneTimeRule(Box::new(OneTimeResult { order_id, action, order: order.clone() }))
        };
        let idempotency = Some(one_time_request.clone());
        let done = match action {
            OneTimeAction::FulfillOrder => {
                self.fulfill(order_id, by, idempotency, |detail| outcome(&detail.order)).await
            }
            OneTimeAction::DeleteOrder => self.delete(order_id, by, idempotency, outcome).await,
        };
        match done {
            Err(AutomationError::Order(error @ (OrderError::NotFound(_) | OrderError::RuleViolation(_)))) => {
                self.saved_outcome(&one_time_request).await?.ok_or(AutomationError::Order(error))
            }
            done => done,
        }
    }

    /// Returns the saved outcome of a request, if there is one.
    async fn saved_outcome(
        &self,
        idempotency: &IdempotentRequest,
    ) -> Result<Option<Outcome>, AutomationError> {
        let saved = replayed_answer(idempotency.look_up(&self.dynamo).await?)?;
        saved.map(|answer| Outcome::from_answer(&answer)).transpose()
    }

    /// Saves the outcome of a command without its own transaction, or returns the first outcome of the same
    /// request.
    async fn save_outcome(
        &self,
        idempotency: Option<IdempotentRequest>,
        outcome: Outcome,
    ) -> Result<Outcome, AutomationError> {
        let Some(idempotency) = idempotency else { return Ok(outcome) };
        match replayed_answer(idempotency.save(&self.dynamo, &outcome.answer()).await?)? {
            Some(answer) if answer.omitted().is_none() => Outcome::from_answer(&answer),
            // A list that is too long to be saved is read again each time.
            _ => Ok(outcome),
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
        let items = page.items.into_iter().map(OrderSummary::from).collect();
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
