//! The JSON API of leads.
//!
//! Invariants: creating a lead answers 201 with `Location`, `ETag` and the lead. Changing one answers 200 with the
//! current lead. Every change names the version that it is based on. A POST with an `Idempotency-Key` happens once.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use crate::base::fields::{Fields, FromFields, text, whole_number};
use crate::base::identity::SignedIn;
use crate::leads::Filter;
use crate::leads::Leads;
use crate::leads::domain::{HistoryEntry, Lead, LeadChange, LeadId, NewLead, Reason, Status};
use crate::leads::list::{LeadPage, ListRequest};
use crate::leads::search::SearchQuery;
use crate::store::idempotency::{Answer, Idempotency};
use crate::web::access::Access;
use crate::web::change::{Change, Deletion, NoBody};
use crate::web::error::WebError;
use crate::web::extract::{JsonRequest, Path, Query};
use crate::web::lists::{Listed, PageParameters, limit, parameter};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::IfNoneMatch;
use crate::web::respond::{answer, no_content, not_modified};
use crate::web::routes::Routes;

/// Returns the routes of the JSON API.
pub fn routes() -> Routes<Leads> {
    Routes::default()
        .get("/api/leads", Access::Agent, list_leads)
        .post("/api/leads", Access::Agent, create)
        .get("/api/leads/{id}", Access::Agent, read)
        .patch("/api/leads/{id}", Access::Agent, change)
        .post("/api/leads/{id}", Access::Agent, change)
        .put("/api/leads/{id}", Access::Agent, replace)
        .delete("/api/leads/{id}", Access::Agent, delete)
        .patch("/api/leads/{id}/status", Access::Agent, change_status)
        .post("/api/leads/{id}/reopen", Access::Administrator, reopen)
        .post("/api/leads/{id}/restock", Access::Agent, restock)
        .get("/api/leads/{id}/history", Access::Agent, history)
}

/// The query parameters of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    q: Option<String>,
    status: Option<String>,
    state: Option<String>,
    stock: Option<String>,
    sort: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

impl ListParameters {
    fn read(self) -> Result<ListRequest, WebError> {
        let status = parameter("status", self.status, str::parse)?;
        let state = parameter("state", self.state, str::parse)?;
        let stock = parameter("stock", self.stock, str::parse)?;
        let filter = Filter::of(status, state, stock);
        let request = ListRequest {
            query: parameter("q", self.q, SearchQuery::parse)?.flatten(),
            filter: filter.map_err(|invalid| WebError::field("stock", &invalid))?,
            sort: parameter("sort", self.sort, str::parse)?.unwrap_or_default(),
            limit: limit(self.limit)?,
            cursor: self.cursor.filter(|text| !text.is_empty()),
        };
        request.checked().map_err(|invalid| WebError::field("sort", &invalid))
    }
}

async fn list_leads(
    State(leads): State<Leads>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<Lead>>, Problem> {
    let LeadPage { leads, next } = leads.list(&parameters.read()?).await?;
    Ok(Json(Listed { items: leads, next }))
}

impl FromFields for NewLead {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, email) = (fields.required("name", text), fields.required("email", text));
        let (state, lead_score) = (fields.optional("state", text), fields.present("leadScore", whole_number));
        let status = fields.present("status", text).unwrap_or_default();
        Some(Self { name: name?, email: email?, state, lead_score: lead_score.unwrap_or_default(), status })
    }
}

async fn create(
    State(leads): State<Leads>,
    context: PageContext,
    who: SignedIn,
    request: JsonRequest<NewLead>,
) -> Result<Answer, Problem> {
    let answer = |lead: &Lead| {
        let location = context.url(&format!("/api/leads/{}", lead.id));
        answer(StatusCode::CREATED, lead, lead.version.get(), Some(location))
    };
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
    let done = leads.create(request.body, &who.actor(), idempotency.as_ref()).await?;
    Ok(done.answer(answer))
}

/// Answers 200 with the lead, and with its version as `ETag`.
fn changed(lead: &Lead) -> Answer {
    answer(StatusCode::OK, lead, lead.version.get(), None)
}

async fn read(
    State(leads): State<Leads>,
    Path(id): Path<LeadId>,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    let lead = leads.find(id).await?;
    let tag = lead.version.to_string();
    if if_none_match.has(&tag) {
        return Ok(not_modified(&tag));
    }
    Ok(changed(&lead).into_response())
}

/// A partial change: missing fields keep their values.
impl FromFields for LeadChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.present("name", text),
            email: fields.present("email", text),
            state: fields.nullable("state", text),
            lead_score: fields.present("leadScore", whole_number),
            status: fields.present("status", text),
        })
    }
}

async fn change(State(leads): State<Leads>, change: Change<LeadId, LeadChange>) -> Result<Answer, Problem> {
    if change.body.is_empty() {
        let message = "The change is empty; send at least one of name, email, state, leadScore, status.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    update(&leads, &change, &change.body).await
}

async fn update<B>(
    leads: &Leads,
    request: &Change<LeadId, B>,
    change: &LeadChange,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (request.who.actor(), request.idempotency(&changed));
    let done = leads.update(request.id, request.version, change, &by, idempotency.as_ref()).await?;
    Ok(done.answer(changed))
}

/// A full change: the body of a GET with other values. Read-only fields are allowed, so that a client can send back
/// what it received, and are ignored.
#[derive(Debug)]
struct Replacement(LeadChange);

impl FromFields for Replacement {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, email) = (fields.required("name", text), fields.required("email", text));
        let state = fields.optional("state", text);
        let (lead_score, status) =
            (fields.required("leadScore", whole_number), fields.required("status", text));
        fields.ignore(&["id", "stock", "orderId", "createdAt", "updatedAt", "updatedBy"]);
        Some(Self(LeadChange {
            name: Some(name?),
            email: Some(email?),
            state: Some(state),
            lead_score: Some(lead_score?),
            status: Some(status?),
        }))
    }
}

async fn replace(State(leads): State<Leads>, change: Change<LeadId, Replacement>) -> Result<Answer, Problem> {
    update(&leads, &change, &change.body.0).await
}

#[derive(Debug)]
struct StatusBody {
    status: Status,
}

impl FromFields for StatusBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { status: fields.required("status", text)? })
    }
}

async fn change_status(
    State(leads): State<Leads>,
    change: Change<LeadId, StatusBody>,
) -> Result<Answer, Problem> {
    let status = LeadChange { status: Some(change.body.status), ..LeadChange::default() };
    update(&leads, &change, &status).await
}

#[derive(Debug)]
struct ReopenBody {
    reason: Reason,
}

impl FromFields for ReopenBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { reason: fields.required("reason", text)? })
    }
}

async fn reopen(State(leads): State<Leads>, change: Change<LeadId, ReopenBody>) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&changed));
    let Change { id, version, body, .. } = change;
    Ok(leads.reopen(id, version, body.reason, &by, idempotency.as_ref()).await?.answer(changed))
}

async fn restock(State(leads): State<Leads>, change: Change<LeadId, NoBody>) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&changed));
    Ok(leads.restock(change.id, change.version, &by, idempotency.as_ref()).await?.answer(changed))
}

async fn delete(State(leads): State<Leads>, change: Change<LeadId, Deletion>) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&|()| no_content()));
    let delete = async { Ok(leads.delete(change.id, change.version, &by, idempotency.as_ref()).await?) };
    let done = Idempotency::run::<Problem>(idempotency.as_ref(), &leads.dynamo, delete).await?;
    Ok(done.answer(|()| no_content()))
}

async fn history(
    State(leads): State<Leads>,
    Path(id): Path<LeadId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<HistoryEntry>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    let page = leads.history(id, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: page.entries, next: page.next }))
}
