//! The JSON API of raffles.
//!
//! What always holds: who buys, gives back and draws is who sends the request, and no body names anybody; a POST with an
//! `Idempotency-Key` happens once; an `ETag` is the [tag](RaffleState::tag) of the state, which changes with everything
//! that the state shows. Names of fields may be written in snake case as well.

mod reports;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::domain::{
    Limit, NewRaffle, Prize, Quantity, RaffleId, RaffleState, TicketCount, TicketNumber, Title,
};
use super::store::{self, Purchase, RafflePage};
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once, OnceOnly};
use crate::error::AppError;
use crate::fields::{Fields, FromFields, text, whole_number};
use crate::values::Invalid;
use crate::web::access::{Access, Routes};
use crate::web::extract::{
    InPath, InQuery, JsonRequest, TwoInPath, WebError, WithKey, expected_version, if_match, once_only, whole,
};
use crate::web::lists::{Listed, PageParameters, parameter};
use crate::web::pages::Shell;
use crate::web::request::Seen;
use crate::web::respond::{answer, no_content, not_modified};

/// The routes of the JSON API.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/api/raffles", Access::SignedIn, list)
        .post("/api/raffles", Access::Administrator, create)
        .get("/api/raffles/{id}", Access::SignedIn, read)
        .post("/api/raffles/{id}/tickets", Access::SignedIn, buy)
        .delete("/api/raffles/{id}/tickets/{number}", Access::SignedIn, cancel)
        .post("/api/raffles/{id}/draw", Access::Administrator, draw)
        .and(reports::routes(app))
}

/// The address of a raffle in the JSON API.
fn address(id: RaffleId) -> String {
    format!("/api/raffles/{id}")
}

/// An answer about a raffle, with the tag of its state.
fn tagged(state: &RaffleState, answer: Answer) -> Answer {
    Answer { etag: Some(format!("\"{}\"", state.tag())), ..answer }
}

/// The raffle as it is now.
fn shown(state: &RaffleState) -> Answer {
    tagged(state, answer(StatusCode::OK, state, state.version, None))
}

async fn list(
    State(app): State<App>,
    who: SignedIn,
    InQuery(parameters): InQuery<PageParameters>,
) -> Result<Json<Listed<RaffleState>>, AppError> {
    let (limit, cursor) = parameters.read()?;
    let RafflePage { raffles, next } = store::list(&app, limit, cursor.as_deref(), &who).await?;
    Ok(Json(Listed { items: raffles, next }))
}

/// A new raffle.
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

/// A moment as RFC 3339 writes it.
fn moment(value: &Value) -> Result<Timestamp, Invalid> {
    let moment = value.as_str().and_then(|text| text.trim().parse().ok());
    moment.ok_or_else(|| {
        Invalid::new("Give a moment with its offset from UTC, for example 2030-12-24T18:00:00-05:00.")
    })
}

async fn create(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    request: JsonRequest<CreateBody>,
) -> Result<Answer, AppError> {
    let CreateBody { title, prize, tickets, limit_per_person, closes_at } = request.body;
    let tickets = tickets.unwrap_or(TicketCount::DEFAULT);
    let limit = limit_per_person.unwrap_or(Limit::DEFAULT);
    let new = NewRaffle { title, prize, tickets, limit, closes_at };
    let answer = |state: &RaffleState| {
        let location = shell.url(&address(state.id));
        tagged(state, answer(StatusCode::CREATED, state, state.version, Some(location)))
    };
    let once = request.once.map(|request| Once { request, answer: &answer });
    Ok(store::create(&app, &new, &who, once.as_ref()).await?.answer(answer))
}

async fn read(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<RaffleId>,
    seen: Seen,
) -> Result<Response, AppError> {
    // Whoever polls names one tag, and where that is still right, what they have themselves need not be read.
    if let Some(tag) = seen.only() {
        let changed = store::read_changed(&app, id, &who, tag).await?;
        return Ok(changed.map_or_else(|| not_modified(tag), |state| shown(&state).into_response()));
    }
    let state = store::read(&app, id, &who).await?;
    let tag = state.tag();
    Ok(if seen.has(&tag) { not_modified(&tag) } else { shown(&state).into_response() })
}

/// A purchase. Whose it is says the request's session or token.
#[derive(Debug)]
struct BuyBody {
    quantity: Quantity,
}

impl FromFields for BuyBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { quantity: fields.present("quantity", whole_number).unwrap_or(Quantity::ONE) })
    }
}

async fn buy(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    InPath(id): InPath<RaffleId>,
    request: JsonRequest<BuyBody>,
) -> Result<Answer, AppError> {
    let answer = |purchase: &Purchase| {
        let state = &purchase.raffle;
        tagged(state, answer(StatusCode::CREATED, purchase, state.version, Some(shell.url(&address(id)))))
    };
    let once = request.once.map(|request| Once { request, answer: &answer });
    Ok(store::buy(&app, id, request.body.quantity, &who, once.as_ref()).await?.answer(answer))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelParameters {
    version: Option<String>,
}

async fn cancel(
    State(app): State<App>,
    who: SignedIn,
    TwoInPath(id, number): TwoInPath<RaffleId, TicketNumber>,
    InQuery(parameters): InQuery<CancelParameters>,
    headers: HeaderMap,
    WithKey(once): WithKey,
) -> Result<Answer, AppError> {
    let version = parameter("version", parameters.version, str::parse)?;
    // One's own ticket is meant whenever it was bought; another's is asked for below.
    let version = match expected_version(version, if_match(&headers)?) {
        Err(WebError::VersionMissing) => None,
        version => Some(version?),
    };
    let once = once.map(|request| Once { request, answer: &|_: &RaffleState| no_content() });
    let cancel = async { Ok(store::cancel(&app, id, number, version, &who, once.as_ref()).await?) };
    Ok(Once::run::<AppError>(once.as_ref(), &app.dynamo, cancel).await?.answer(|_| no_content()))
}

/// Nothing needs to be said.
#[derive(Debug)]
struct DrawBody;

impl FromFields for DrawBody {
    fn from_fields(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}

/// The request's key, of a POST that has nothing to say: its body is `{}` or not there.
async fn key_of(app: &App, request: Request) -> Result<Option<OnceOnly>, AppError> {
    if request.headers().contains_key(header::CONTENT_TYPE) {
        let JsonRequest { body: DrawBody, once, .. } = JsonRequest::from_request(request, app).await?;
        return Ok(once);
    }
    let (parts, bytes) = whole(request, app).await?;
    if !bytes.is_empty() {
        return Err(WebError::MediaType("application/json").into());
    }
    Ok(once_only(&parts, &bytes, app.clock.now())?)
}

async fn draw(
    State(app): State<App>,
    who: SignedIn,
    InPath(id): InPath<RaffleId>,
    request: Request,
) -> Result<Answer, AppError> {
    let once = key_of(&app, request).await?;
    let once = once.map(|request| Once { request, answer: &shown });
    Ok(store::draw(&app, id, &who, once.as_ref()).await?.answer(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;
    use serde_json::json;

    #[test]
    fn a_new_raffle_is_read_in_camel_case_and_in_snake_case() {
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
        assert!(named.starts_with("closesAt: Give a moment"), "{named}");
    }
}
