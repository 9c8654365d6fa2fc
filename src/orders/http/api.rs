//! The JSON API of orders and caps.
//!
//! Invariants: creating answers 201 with `Location`, `ETag` and the new resource. Changing answers 200 with
//! the resource after the change. Every change, including fulfilling and deleting, names the version that it
//! changes. A change with an `Idempotency-Key` happens once. Field names are also accepted in snake case.
//!
//! The `ETag` of an order is its version, for `If-Match`. Its leads have their own versions, so the `ETag`
//! does not tell whether an answer with leads is fresh, and `If-None-Match` is ignored.

mod caps;
mod export;

pub(super) use export::address as export_address;

use serde_json::json;

use crate::base::fields::{Fields, FromFields, boolean, text, whole_number};
use crate::base::values::{Email, Invalid, OrderId};
use crate::leads::domain::{Lead, LeadId, Reason};
use crate::orders::Orders;
use crate::orders::domain::{
    CustomerName, Fingerprint, NewOrder, Order, OrderDetail, OrderEntry, Quantity, Release, ReleaseReason,
    Released, RequestedStates,
};
use crate::orders::error::OrderError;
use crate::orders::list::{CustomerWords, ListRequest, OrderFilter};
use crate::orders::period::Period;
use crate::shared::api::*;
use crate::store::idempotency::Done;

pub fn routes() -> Routes<Orders> {
    Routes::default()
        .get("/api/orders", Access::Viewer, list_orders)
        .post("/api/orders", Access::Agent, create)
        .get("/api/orders/{id}", Access::Viewer, read)
        .get("/api/orders/{id}/leads", Access::Viewer, leads)
        .get("/api/orders/{id}/history", Access::Viewer, history)
        .patch("/api/orders/{id}/fulfill", Access::Agent, fulfill)
        .delete("/api/orders/{id}", Access::Agent, delete)
        .post("/api/orders/{id}/release", Access::Agent, release)
        .and(caps::routes())
        .and(export::routes())
}

/// The query parameters of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    status: Option<String>,
    state: Option<String>,
    customer: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

impl ListParameters {
    fn read(self) -> Result<ListRequest, WebError> {
        let filter = OrderFilter {
            status: parameter("status", self.status, str::parse)?,
            state: parameter("state", self.state, str::parse)?,
            customer: parameter("customer", self.customer, CustomerWords::parse)?.flatten(),
            created: Period::read(self.from, self.to)?,
        };
        let cursor = self.cursor.filter(|text| !text.is_empty());
        Ok(ListRequest { filter, limit: limit(self.limit)?, cursor })
    }
}

async fn list_orders(
    State(orders): State<Orders>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<Order>>, Problem> {
    Ok(Json(orders.list(&parameters.read()?).await?))
}

/// The body of a new order: either a preview, or an order that may confirm a preview.
#[derive(Debug)]
struct CreateBody {
    customer_name: CustomerName,
    customer_email: Email,
    requested_states: RequestedStates,
    quantity_per_state: Option<Quantity>,
    preview: bool,
    confirm: Option<Fingerprint>,
}

impl FromFields for CreateBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("customerName", text);
        let email = fields.required("customerEmail", text);
        let states = fields.required_list("requestedStates", text).and_then(|states| {
            let states = RequestedStates::try_from(states);
            states.map_err(|invalid| fields.refuse("requestedStates", invalid)).ok()
        });
        let quantity_per_state = fields.optional("quantityPerState", whole_number);
        let preview = fields.optional_not_null("preview", boolean).unwrap_or_default();
        let confirm = fields.optional("confirm", text);
        let (customer_name, customer_email, requested_states) = (name?, email?, states?);
        Some(Self { customer_name, customer_email, requested_states, quantity_per_state, preview, confirm })
    }
}

async fn create(
    State(orders): State<Orders>,
    context: PageContext,
    who: SignedIn,
    request: JsonRequest<CreateBody>,
) -> Result<Response, Problem> {
    let CreateBody { customer_name, customer_email, requested_states, quantity_per_state, preview, confirm } =
        request.body;
    let new = NewOrder { customer_name, customer_email, requested_states, quantity_per_state };
    if preview {
        if confirm.is_some() {
            let both = Invalid::new("Request a preview or confirm one, not both.");
            return Err(WebError::field("confirm", &both).into());
        }
        return Ok(Json(orders.preview(&new).await?).into_response());
    }
    let answer = |detail: &OrderDetail| {
        let location = context.url(&format!("/api/orders/{}", detail.order.id));
        answer(StatusCode::CREATED, detail, detail.order.version.get(), Some(location)).about(detail.order.id)
    };
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
    let by = who.actor().into();
    let done = orders.create(&new, confirm.as_ref(), &by, idempotency.as_ref()).await?;
    Ok(answer_of(&orders, done, answer).await?.into_response())
}

/// Returns the answer to a request that was done now or before. A long answer is not stored, so a repeated
/// request gets the order as it is now, or only its id if the order is gone.
async fn answer_of(
    orders: &Orders,
    done: Done<OrderDetail>,
    answer: impl Fn(&OrderDetail) -> Answer,
) -> Result<Answer, Problem> {
    let kept = match done {
        Done::Now(detail) => return Ok(answer(&detail)),
        Done::Replayed(kept) => kept,
    };
    let Some(id) = kept.omitted().and_then(|id| id.parse().ok()) else { return Ok(kept) };
    match orders.find(id).await {
        Ok(detail) => Ok(Answer { status: kept.status, ..answer(&detail) }),
        Err(OrderError::NotFound(_)) => Ok(Answer { body: json!({ "id": id }).to_string(), ..kept }),
        Err(error) => Err(error.into()),
    }
}

/// Returns the order with its version as `ETag`.
fn order_answer(detail: &OrderDetail) -> Answer {
    answer(StatusCode::OK, detail, detail.order.version.get(), None).about(detail.order.id)
}

async fn read(State(orders): State<Orders>, Path(id): Path<OrderId>) -> Result<Answer, Problem> {
    Ok(order_answer(&orders.find(id).await?))
}

async fn leads(
    State(orders): State<Orders>,
    Path(id): Path<OrderId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Lead>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(orders.leads_of(id, limit, cursor.as_deref()).await?))
}

async fn history(
    State(orders): State<Orders>,
    Path(id): Path<OrderId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<OrderEntry>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(orders.history(id, limit, cursor.as_deref()).await?))
}

async fn fulfill(
    State(orders): State<Orders>,
    change: Change<OrderId, EmptyBody>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor().into(), change.idempotency(&order_answer));
    let done = orders.fulfill(change.id, Some(change.version), &by, idempotency.as_ref()).await?;
    answer_of(&orders, done, order_answer).await
}

async fn delete(State(orders): State<Orders>, change: Change<OrderId, Deletion>) -> Result<Answer, Problem> {
    let (by, idempotency) = ((&change.who).into(), change.idempotency(&|_: &Order| no_content()));
    let done = orders.delete(change.id, Some(change.version), &by, idempotency.as_ref()).await?;
    Ok(done.answer(|_| no_content()))
}

#[derive(Debug)]
struct ReleaseBody {
    lead_id: LeadId,
    reason: ReleaseReason,
    note: Option<Reason>,
}

impl FromFields for ReleaseBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (lead_id, reason) = (fields.required("leadId", text), fields.required("reason", text));
        let note = fields.optional("note", text);
        Some(Self { lead_id: lead_id?, reason: reason?, note })
    }
}

async fn release(
    State(orders): State<Orders>,
    change: Change<OrderId, ReleaseBody>,
) -> Result<Answer, Problem> {
    let answer = |released: &Released| answer(StatusCode::OK, released, released.order.version.get(), None);
    let (by, idempotency) = (change.who.actor().into(), change.idempotency(&answer));
    let Change { id, version, body: ReleaseBody { lead_id, reason, note }, .. } = change;
    let release = Release::new(reason, note).map_err(|invalid| WebError::field("note", &invalid))?;
    let done = orders.release(id, lead_id, version, &release, &by, idempotency.as_ref()).await?;
    Ok(done.answer(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fields::{self, FieldError};
    use serde_json::Value;

    fn body(json: Value) -> Result<CreateBody, Vec<FieldError>> {
        fields::read(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_new_order_is_accepted_in_camel_case_and_snake_case() {
        let camel = json!({
            "customerName": "Acme", "customerEmail": "buy@acme.example", "requestedStates": ["ny", "CA", "NY"],
            "quantityPerState": 3,
        });
        let snake = json!({
            "customer_name": "Acme", "customer_email": "buy@acme.example", "requested_states": ["NY", "CA"],
            "quantity_per_state": 3,
        });
        let (camel, snake) = (body(camel).unwrap(), body(snake).unwrap());
        assert_eq!(camel.requested_states, snake.requested_states);
        assert_eq!((camel.customer_name, camel.customer_email), (snake.customer_name, snake.customer_email));
        assert_eq!(camel.quantity_per_state, snake.quantity_per_state);
        assert!(!snake.preview && snake.confirm.is_none());
    }
}
