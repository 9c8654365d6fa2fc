//! The JSON API of raffles.
//!
//! Invariants: the buyer, the canceling person and the drawing administrator are always the account that sends the
//! request, never a name in the body; a POST with an `Idempotency-Key` takes effect once; the `ETag` is the
//! [tag](RaffleState::tag) of the state and changes whenever the state changes. Field names may also be in snake
//! case.

mod reports;

use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::Value;

use crate::base::fields::{Fields, FromFields, text, whole_number};
use crate::base::values::Invalid;
use crate::raffles::Raffles;
use crate::raffles::buy::Purchase;
use crate::raffles::domain::{
    Limit, NewRaffle, Prize, Quantity, RaffleId, RaffleState, TicketCount, TicketNumber, Title,
};
use crate::shared::api::*;
use crate::store::idempotency::IdempotentRequest;
use crate::web::extract::{PathPair, buffer_body, expected_version, idempotent_request, if_match};
use crate::web::request::IfNoneMatch;
use crate::web::respond::not_modified;

pub fn routes() -> Routes<Raffles> {
    Routes::default()
        .get("/api/raffles", Access::SignedIn, list)
        .post("/api/raffles", Access::Administrator, create)
        .get("/api/raffles/{id}", Access::SignedIn, read)
        .post("/api/raffles/{id}/tickets", Access::SignedIn, buy)
        .delete("/api/raffles/{id}/tickets/{number}", Access::SignedIn, cancel)
        .post("/api/raffles/{id}/draw", Access::Administrator, draw)
        .and(reports::routes())
}

/// Returns the path of a raffle in the JSON API.
fn address(id: RaffleId) -> String {
    format!("/api/raffles/{id}")
}

/// Adds the tag of the raffle's state to an answer.
fn tagged(state: &RaffleState, answer: Answer) -> Answer {
    Answer { etag: Some(format!("\"{}\"", state.tag())), ..answer }
}

/// Answers with the current raffle.
fn shown(state: &RaffleState) -> Answer {
    tagged(state, answer(StatusCode::OK, state, state.version, None))
}

async fn list(
    State(raffles): State<Raffles>,
    who: SignedIn,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<RaffleState>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(raffles.list(limit, cursor.as_deref(), &who).await?))
}

#[derive(Debug)]
struct CreateBody {
    title: Title,
    prize: Prize,
    tickets: Option<TicketCount>,
    limit_per_person: Option<Limit>,
    closes_at: Option<Timestamp>,
}

impl FromFields for CreateBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (title, prize) = (fields.required("title", text), fields.required("prize", text));
        let tickets = fields.optional("tickets", whole_number);
        let limit_per_person = fields.optional("limitPerPerson", whole_number);
        let closes_at = fields.optional("closesAt", moment);
        Some(Self { title: title?, prize: prize?, tickets, limit_per_person, closes_at })
    }
}

/// Parses a timestamp in RFC 3339.
fn moment(value: &Value) -> Result<Timestamp, Invalid> {
    let moment = value.as_str().and_then(|text| text.trim().parse().ok());
    moment.ok_or_else(|| {
        Invalid::new("Send a time with its offset from UTC, for example 2030-12-24T18:00:00-05:00.")
    })
}

async fn create(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    request: JsonRequest<CreateBody>,
) -> Result<Answer, Problem> {
    let CreateBody { title, prize, tickets, limit_per_person, closes_at } = request.body;
    let tickets = tickets.unwrap_or(TicketCount::DEFAULT);
    let limit = limit_per_person.unwrap_or(Limit::DEFAULT);
    let new = NewRaffle { title, prize, tickets, limit, closes_at };
    let answer = |state: &RaffleState| {
        let location = context.url(&address(state.id));
        tagged(state, answer(StatusCode::CREATED, state, state.version, Some(location)))
    };
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
    Ok(raffles.create(&new, &who, idempotency.as_ref()).await?.answer(answer))
}

async fn read(
    State(raffles): State<Raffles>,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    // A client that polls sends one tag. If it still matches, the client's own holding need not be read.
    if let Some(tag) = if_none_match.only() {
        let changed = raffles.read_changed(id, &who, tag).await?;
        return Ok(changed.map_or_else(|| not_modified(tag), |state| shown(&state).into_response()));
    }
    let state = raffles.read(id, &who).await?;
    let tag = state.tag();
    Ok(if if_none_match.has(&tag) { not_modified(&tag) } else { shown(&state).into_response() })
}

/// A purchase. The buyer is the account that sends the request.
#[derive(Debug)]
struct BuyBody {
    quantity: Quantity,
}

impl FromFields for BuyBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { quantity: fields.optional_not_null("quantity", whole_number).unwrap_or(Quantity::ONE) })
    }
}

async fn buy(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    request: JsonRequest<BuyBody>,
) -> Result<Answer, Problem> {
    let answer = |purchase: &Purchase| {
        let state = &purchase.raffle;
        tagged(state, answer(StatusCode::CREATED, purchase, state.version, Some(context.url(&address(id)))))
    };
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
    Ok(raffles.buy(id, request.body.quantity, &who, idempotency.as_ref()).await?.answer(answer))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelParameters {
    version: Option<String>,
}

async fn cancel(
    State(raffles): State<Raffles>,
    who: SignedIn,
    PathPair(id, number): PathPair<RaffleId, TicketNumber>,
    Query(parameters): Query<CancelParameters>,
    headers: HeaderMap,
    WithKey(idempotency): WithKey,
) -> Result<Answer, Problem> {
    let version = parameter("version", parameters.version, str::parse)?;
    // The version is optional for the person's own ticket. `Raffles::cancel` requires it for any other ticket.
    let version = match expected_version(version, if_match(&headers)?) {
        Err(WebError::VersionMissing) => None,
        version => Some(version?),
    };
    let answer = |_: &RaffleState| no_content();
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &answer });
    Ok(raffles.cancel(id, number, version, &who, idempotency.as_ref()).await?.answer(answer))
}

/// A draw takes no fields.
#[derive(Debug)]
struct DrawBody;

impl FromFields for DrawBody {
    fn from_fields(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}

/// Reads the idempotency key of a POST whose body is `{}` or missing.
async fn key_of(request: Request) -> Result<Option<IdempotentRequest>, Problem> {
    if request.headers().contains_key(header::CONTENT_TYPE) {
        let JsonRequest { body: DrawBody, idempotency, .. } = JsonRequest::from_request(request, &()).await?;
        return Ok(idempotency);
    }
    let (parts, bytes) = buffer_body(request).await?;
    if !bytes.is_empty() {
        return Err(WebError::MediaType("application/json").into());
    }
    Ok(idempotent_request(&parts, &bytes)?)
}

async fn draw(
    State(raffles): State<Raffles>,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    request: Request,
) -> Result<Answer, Problem> {
    let idempotency = key_of(request).await?;
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &shown });
    Ok(raffles.draw(id, &who, idempotency.as_ref()).await?.answer(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fields;
    use serde_json::json;

    #[test]
    fn a_new_raffle_can_be_in_camel_case_or_snake_case() {
        let read = |json| {
            let read = fields::read::<CreateBody>(serde_json::from_value(json).unwrap());
            read.map_err(|wrong| wrong[0].to_string())
        };
        let at = "2030-12-24T18:00:00-05:00";
        let camel = json!({ "title": "A", "prize": "B", "limitPerPerson": 3, "closesAt": at });
        let snake = json!({ "title": "A", "prize": "B", "limit_per_person": 3, "closes_at": at });
        let (camel, snake) = (read(camel).unwrap(), read(snake).unwrap());
        assert_eq!(camel.closes_at, "2030-12-24T23:00:00Z".parse().ok());
        assert_eq!((camel.closes_at, camel.limit_per_person), (snake.closes_at, snake.limit_per_person));
        for bad in [json!("tomorrow"), json!("2030-12-24"), json!("2030-12-24T18:00:00"), json!(1)] {
            assert!(read(json!({ "title": "A", "prize": "B", "closesAt": bad })).is_err());
        }
        let named = read(json!({ "title": "A", "prize": "B", "closesAt": "soon" })).unwrap_err();
        assert!(named.starts_with("closesAt: Send a time"), "{named}");
    }
}
