//! The JSON API of leads.
//!
//! Invariants: creating a lead answers 201 with `Location`, `ETag` and the lead. Changing one answers 200 with the
//! current lead. Every change names the version that it is based on. A POST with an `Idempotency-Key` happens once.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::body::{LeadChangeBody, MergeBody, NewLeadBody, Replacement, RevertBody};
use crate::accounts::agents::AccountReference;
use crate::base::fields::{Fields, FromFields, text};
use crate::base::identity::SignedIn;
use crate::leads::domain::{HistoryEntry, Lead, LeadChange, LeadId, Reason, Status};
use crate::leads::list::{LeadPage, ListRequest};
use crate::leads::merge_leads::Merge;
use crate::leads::search::parse_query;
use crate::leads::{Filter, LeadError, Leads};
use crate::store::idempotency::{Answer, Idempotency};
use crate::web::access::Access;
use crate::web::change::{Change, Deletion, EmptyBody};
use crate::web::error::WebError;
use crate::web::extract::{JsonRequest, Path, Query};
use crate::web::lists::{Listed, PageParameters, limit, parameter};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::IfNoneMatch;
use crate::web::respond::{answer, moved, no_content, not_modified};
use crate::web::routes::Routes;

/// Returns the routes of the JSON API.
pub fn routes() -> Routes<Leads> {
    Routes::default()
        .get("/api/leads", Access::Viewer, list_leads)
        .post("/api/leads", Access::Agent, create)
        .get("/api/leads/{id}", Access::Viewer, read)
        .patch("/api/leads/{id}", Access::Agent, change)
        .post("/api/leads/{id}", Access::Agent, change)
        .put("/api/leads/{id}", Access::Agent, replace)
        .delete("/api/leads/{id}", Access::Agent, delete)
        .patch("/api/leads/{id}/status", Access::Agent, change_status)
        .post("/api/leads/{id}/reopen", Access::Administrator, reopen)
        .post("/api/leads/{id}/restock", Access::Agent, restock)
        .post("/api/leads/{id}/restore", Access::Agent, restore)
        .post("/api/leads/{id}/revert", Access::Agent, revert)
        .post("/api/leads/{id}/merge", Access::Agent, merge)
        .get("/api/leads/{id}/duplicates", Access::Viewer, duplicates)
        .get("/api/leads/{id}/history", Access::Viewer, history)
        .get("/api/leads/trash", Access::Viewer, trash)
}

/// The query parameters of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    q: Option<String>,
    status: Option<String>,
    state: Option<String>,
    stock: Option<String>,
    owner: Option<String>,
    sort: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

impl ListParameters {
    async fn read(self, leads: &Leads) -> Result<ListRequest, Problem> {
        let status = parameter("status", self.status, str::parse)?;
        let state = parameter("state", self.state, str::parse)?;
        let stock = parameter("stock", self.stock, str::parse)?;
        let filter =
            Filter::of(status, state, stock).map_err(|invalid| WebError::field("stock", &invalid))?;
        let owner = match parameter("owner", self.owner, str::parse::<AccountReference>)? {
            Some(reference) => Some(leads.owner_id(&reference).await?),
            None => None,
        };
        let request = ListRequest {
            query: parameter("q", self.q, parse_query)?.flatten(),
            filter: Filter { owner, ..filter },
            sort: parameter("sort", self.sort, str::parse)?.unwrap_or_default(),
            limit: limit(self.limit)?,
            cursor: self.cursor.filter(|text| !text.is_empty()),
        };
        Ok(request.checked().map_err(|invalid| WebError::field("sort", &invalid))?)
    }
}

async fn list_leads(
    State(leads): State<Leads>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<Lead>>, Problem> {
    let LeadPage { leads, next } = leads.list(&parameters.read(&leads).await?).await?;
    Ok(Json(Listed { items: leads, next }))
}

async fn create(
    State(leads): State<Leads>,
    context: PageContext,
    who: SignedIn,
    request: JsonRequest<NewLeadBody>,
) -> Result<Answer, Problem> {
    let answer = |lead: &Lead| {
        let location = context.url(&format!("/api/leads/{}", lead.id));
        answer(StatusCode::CREATED, lead, lead.version.get(), Some(location))
    };
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
    let done = match request.body.resolve(&leads).await {
        Ok(new) => leads.create(new, &who.actor(), idempotency.as_ref()).await?,
        Err(error) => leads.replayed_or(error, idempotency.as_ref()).await?,
    };
    Ok(done.answer(answer))
}

/// Answers 200 with the lead, and with its version as `ETag`.
fn changed(lead: &Lead) -> Answer {
    answer(StatusCode::OK, lead, lead.version.get(), None)
}

async fn read(
    State(leads): State<Leads>,
    context: PageContext,
    Path(id): Path<LeadId>,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    let found = match leads.find_with_fields(id).await {
        Err(LeadError::Merged(into)) => return Ok(moved(&context.url(&format!("/api/leads/{into}")))),
        found => found?,
    };
    let tag = found.lead.version.to_string();
    if if_none_match.has(&tag) {
        return Ok(not_modified(&tag));
    }
    Ok(answer(StatusCode::OK, &found, found.lead.version.get(), None).into_response())
}

async fn change(
    State(leads): State<Leads>,
    change: Change<LeadId, LeadChangeBody>,
) -> Result<Answer, Problem> {
    if change.body.is_empty() {
        let message = "Nothing to change. Send at least one of name, email, phone, company, state, leadScore, status, source, owner, fields.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    update(&leads, &change, change.body.resolve(&leads).await).await
}

/// Makes a change, unless its owner was not found.
async fn update<B>(
    leads: &Leads,
    request: &Change<LeadId, B>,
    change: Result<LeadChange, LeadError>,
) -> Result<Answer, Problem> {
    let (by, idempotency) = (request.who.actor(), request.idempotency(&changed));
    let done = match change {
        Ok(change) => leads.update(request.id, request.version, &change, &by, idempotency.as_ref()).await?,
        Err(error) => leads.replayed_or(error, idempotency.as_ref()).await?,
    };
    Ok(done.answer(changed))
}

async fn replace(State(leads): State<Leads>, change: Change<LeadId, Replacement>) -> Result<Answer, Problem> {
    update(&leads, &change, change.body.change().resolve(&leads).await).await
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
    update(&leads, &change, Ok(status)).await
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

async fn restock(State(leads): State<Leads>, change: Change<LeadId, EmptyBody>) -> Result<Answer, Problem> {
    let (by, idempotency) = (change.who.actor(), change.idempotency(&changed));
    Ok(leads.restock(change.id, change.version, &by, idempotency.as_ref()).await?.answer(changed))
}

async fn delete(State(leads): State<Leads>, change: Change<LeadId, Deletion>) -> Result<Answer, Problem> {
    let (by, idempotency) = ((&change.who).into(), change.idempotency(&|()| no_content()));
    let done = leads.delete(change.id, change.version, &by, idempotency.as_ref()).await?;
    Ok(done.answer(|()| no_content()))
}

async fn restore(State(leads): State<Leads>, change: Change<LeadId, EmptyBody>) -> Result<Answer, Problem> {
    let (by, idempotency) = ((&change.who).into(), change.idempotency(&changed));
    Ok(leads.restore(change.id, change.version, &by, idempotency.as_ref()).await?.answer(changed))
}

async fn revert(State(leads): State<Leads>, change: Change<LeadId, RevertBody>) -> Result<Answer, Problem> {
    let idempotency = change.idempotency(&changed);
    let Change { id, version, ref body, ref who, .. } = change;
    Ok(leads.revert(id, version, body.to, who, idempotency.as_ref()).await?.answer(changed))
}

async fn merge(State(leads): State<Leads>, change: Change<LeadId, MergeBody>) -> Result<Answer, Problem> {
    let (by, idempotency) = ((&change.who).into(), change.idempotency(&changed));
    let MergeBody { merged, merged_version, choices } = &change.body;
    let choices = match choices.resolve(&leads).await {
        Ok(choices) => choices,
        Err(error) => return Ok(leads.replayed_or(error, idempotency.as_ref()).await?.answer(changed)),
    };
    let merge = Merge { kept: (change.id, change.version), merged: (*merged, *merged_version), choices };
    Ok(leads.merge(&merge, &by, idempotency.as_ref()).await?.answer(changed))
}

async fn duplicates(
    State(leads): State<Leads>,
    Path(id): Path<LeadId>,
) -> Result<Json<Listed<Lead>>, Problem> {
    let lead = leads.find(id).await?;
    Ok(Json(Listed { items: leads.possible_duplicates(&lead).await?, next: None }))
}

async fn trash(
    State(leads): State<Leads>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Lead>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    let LeadPage { leads, next } = leads.trash(limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: leads, next }))
}

async fn history(
    State(leads): State<Leads>,
    Path(id): Path<LeadId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<HistoryEntry>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(leads.history(id, limit, cursor.as_deref()).await?))
}
