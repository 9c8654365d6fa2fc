//! The JSON API of leads.
//!
//! Invariants: creating a lead answers 201 with `Location`, `ETag` and the lead. Changing one answers 200 with the
//! current lead. Every change names the version that it is based on. A POST with an `Idempotency-Key` happens once.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::Filter;
use super::domain::{HistoryEntry, Lead, LeadChange, LeadId, NewLead, Reason, Score, Status};
use super::list::{LeadPage, ListRequest};
use super::search::SearchQuery;
use crate::base::fields::{Fields, FromFields, text, whole_number};
use crate::base::identity::SignedIn;
use crate::base::values::{Email, Name, UsState, Version};
use crate::leads::Leads;
use crate::store::idempotency::{Answer, Idempotency, IdempotentRequest};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::{JsonRequest, Path, Query, VersionBody, WithKey, expected_version, if_match};
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

/// A partial change. Missing fields keep their value.
#[derive(Debug)]
struct ChangeBody {
    version: Option<Version>,
    change: LeadChange,
}

impl FromFields for ChangeBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let change = LeadChange {
            name: fields.present("name", text),
            email: fields.present("email", text),
            state: fields.nullable("state", text),
            lead_score: fields.present("leadScore", whole_number),
            status: fields.present("status", text),
        };
        Some(Self { version: fields.optional("version", whole_number), change })
    }
}

async fn change(
    State(leads): State<Leads>,
    who: SignedIn,
    Path(id): Path<LeadId>,
    request: JsonRequest<ChangeBody>,
) -> Result<Answer, Problem> {
    let version = request.version(request.body.version)?;
    let change = request.body.change;
    if change.is_empty() {
        let message = "The change is empty; send at least one of name, email, state, leadScore, status.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    update(&leads, &who, id, version, change, request.idempotency).await
}

async fn update(
    leads: &Leads,
    who: &SignedIn,
    id: LeadId,
    version: Version,
    change: LeadChange,
    idempotency: Option<IdempotentRequest>,
) -> Result<Answer, Problem> {
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &changed });
    let done = leads.update(id, version, &change, &who.actor(), idempotency.as_ref()).await?;
    Ok(done.answer(changed))
}

/// A full change: the body of a GET with other values. Read-only fields are allowed, so that a client can send back
/// what it received, and are ignored.
#[derive(Debug)]
struct ReplaceBody {
    version: Option<Version>,
    name: Name,
    email: Email,
    state: Option<UsState>,
    lead_score: Score,
    status: Status,
}

impl FromFields for ReplaceBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let version = fields.optional("version", whole_number);
        let (name, email) = (fields.required("name", text), fields.required("email", text));
        let state = fields.optional("state", text);
        let (score, status) = (fields.required("leadScore", whole_number), fields.required("status", text));
        fields.ignore(&["id", "stock", "orderId", "createdAt", "updatedAt", "updatedBy"]);
        Some(Self { version, name: name?, email: email?, state, lead_score: score?, status: status? })
    }
}

async fn replace(
    State(leads): State<Leads>,
    who: SignedIn,
    Path(id): Path<LeadId>,
    request: JsonRequest<ReplaceBody>,
) -> Result<Answer, Problem> {
    let version = request.version(request.body.version)?;
    let body = request.body;
    let change = LeadChange {
        name: Some(body.name),
        email: Some(body.email),
        state: Some(body.state),
        lead_score: Some(body.lead_score),
        status: Some(body.status),
    };
    update(&leads, &who, id, version, change, request.idempotency).await
}

#[derive(Debug)]
struct StatusBody {
    version: Option<Version>,
    status: Status,
}

impl FromFields for StatusBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (version, status) = (fields.optional("version", whole_number), fields.required("status", text));
        Some(Self { version, status: status? })
    }
}

async fn change_status(
    State(leads): State<Leads>,
    who: SignedIn,
    Path(id): Path<LeadId>,
    request: JsonRequest<StatusBody>,
) -> Result<Answer, Problem> {
    let version = request.version(request.body.version)?;
    let change = LeadChange { status: Some(request.body.status), ..LeadChange::default() };
    update(&leads, &who, id, version, change, request.idempotency).await
}

#[derive(Debug)]
struct ReopenBody {
    version: Option<Version>,
    reason: Reason,
}

impl FromFields for ReopenBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (version, reason) = (fields.optional("version", whole_number), fields.required("reason", text));
        Some(Self { version, reason: reason? })
    }
}

async fn reopen(
    State(leads): State<Leads>,
    who: SignedIn,
    Path(id): Path<LeadId>,
    request: JsonRequest<ReopenBody>,
) -> Result<Answer, Problem> {
    let version = request.version(request.body.version)?;
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &changed });
    let done = leads.reopen(id, version, request.body.reason, &who.actor(), idempotency.as_ref()).await?;
    Ok(done.answer(changed))
}

async fn restock(
    State(leads): State<Leads>,
    who: SignedIn,
    Path(id): Path<LeadId>,
    request: JsonRequest<VersionBody>,
) -> Result<Answer, Problem> {
    let version = request.version(request.body.version)?;
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &changed });
    let done = leads.restock(id, version, &who.actor(), idempotency.as_ref()).await?;
    Ok(done.answer(changed))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteParameters {
    version: Option<String>,
}

async fn delete(
    State(leads): State<Leads>,
    who: SignedIn,
    Path(id): Path<LeadId>,
    Query(parameters): Query<DeleteParameters>,
    headers: HeaderMap,
    WithKey(idempotency): WithKey,
) -> Result<Answer, Problem> {
    let version = parameter("version", parameters.version, str::parse)?;
    let version = expected_version(version, if_match(&headers)?)?;
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &|()| no_content() });
    let delete = async { Ok(leads.delete(id, version, &who.actor(), idempotency.as_ref()).await?) };
    Ok(Idempotency::run::<Problem>(idempotency.as_ref(), &leads.dynamo, delete)
        .await?
        .answer(|()| no_content()))
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
