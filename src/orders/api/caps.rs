//! Caps and statistics for programs. Setting a cap is an agent's work, as giving leads out is.

use axum::Json;
use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;

use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once};
use crate::error::AppError;
use crate::fields::{Fields, FromFields, text, whole_number};
use crate::leads::stats::{self, StateCount, Stats};
use crate::orders::domain::{Cap, DefaultCap, StateCap};
use crate::orders::store;
use crate::values::{Invalid, UsState, Version};
use crate::web::access::{Access, Routes};
use crate::web::extract::{JsonRequest, WebError};
use crate::web::respond::answer;

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/api/leads/caps", Access::Agent, caps)
        .put("/api/leads/caps", Access::Agent, set)
        .get("/api/leads/stats", Access::Agent, statistics)
}

/// All caps, with what is in stock.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CapsAnswer {
    default: DefaultCap,
    states: Vec<CapAnswer>,
    /// The time that `inStock` stands for; caps and what is out are exact.
    as_of: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CapAnswer {
    #[serde(flatten)]
    cap: StateCap,
    in_stock: u64,
}

async fn caps(State(app): State<App>) -> Result<Json<CapsAnswer>, AppError> {
    let (caps, stats) = both(&app).await?;
    let in_stock = |state: UsState| {
        stats
            .by_state
            .iter()
            .find(|count| count.state == state)
            .map_or(0, |count: &StateCount| count.unassigned)
    };
    let states =
        caps.states.into_iter().map(|cap| CapAnswer { in_stock: in_stock(cap.state), cap }).collect();
    Ok(Json(CapsAnswer { default: caps.default, states, as_of: stats.as_of }))
}

async fn both(app: &App) -> Result<(store::Caps, Stats), AppError> {
    let caps = async { Ok::<_, AppError>(store::caps(app).await?) };
    let stats = async { Ok::<_, AppError>(stats::read(app).await?) };
    try_join(caps, stats).await
}

/// The cap of one state (null: it follows the default again), or the default.
#[derive(Debug)]
struct SetBody {
    state: Option<UsState>,
    cap: Option<Option<Cap>>,
    default: Option<Cap>,
    version: Option<Version>,
}

impl FromFields for SetBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            state: fields.optional("state", text),
            cap: fields.nullable("cap", whole_number),
            default: fields.optional("default", whole_number),
            version: fields.optional("version", whole_number),
        })
    }
}

/// Which cap is set.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Of(UsState, Option<Cap>),
    Default(Cap),
}

impl SetBody {
    fn wanted(&self) -> Result<Wanted, WebError> {
        let wrong = |field: &str, words: &str| Err(WebError::field(field, &Invalid::new(words)));
        match (self.state, self.cap, self.default) {
            (Some(state), Some(cap), None) => Ok(Wanted::Of(state, cap)),
            (None, None, Some(default)) => Ok(Wanted::Default(default)),
            (Some(_), None, None) => wrong("cap", "Say the state's cap; null makes it follow the default."),
            (None, Some(_), None) => wrong("state", "Say of which state this is the cap."),
            (None, None, None) => wrong("state", "Say a state and its cap, or the default."),
            _ => wrong("default", "Set the default or a state's cap, one at a time."),
        }
    }
}

async fn set(State(app): State<App>, _: SignedIn, request: JsonRequest<SetBody>) -> Result<Answer, AppError> {
    let wanted = request.body.wanted()?;
    let version = request.version(request.body.version)?;
    Ok(match wanted {
        Wanted::Of(state, cap) => {
            let answer = |cap: &StateCap| answer(StatusCode::OK, cap, cap.version.get(), None);
            let once = request.once.map(|request| Once { request, answer: &answer });
            let set = async { Ok(store::set_cap(&app, state, version, cap, once.as_ref()).await?) };
            Once::run::<AppError>(once.as_ref(), &app.dynamo, set).await?.answer(answer)
        }
        Wanted::Default(cap) => {
            let answer = |cap: &DefaultCap| answer(StatusCode::OK, cap, cap.version.get(), None);
            let once = request.once.map(|request| Once { request, answer: &answer });
            let set = async { Ok(store::set_default_cap(&app, version, cap, once.as_ref()).await?) };
            Once::run::<AppError>(once.as_ref(), &app.dynamo, set).await?.answer(answer)
        }
    })
}

/// What the stream counted, and what is out against its cap, which is exact.
#[derive(Debug, Serialize)]
struct StatsAnswer {
    #[serde(flatten)]
    stats: Stats,
    out: Vec<OutAnswer>,
}

#[derive(Debug, Serialize)]
struct OutAnswer {
    state: UsState,
    out: u32,
    cap: Cap,
}

async fn statistics(State(app): State<App>) -> Result<Json<StatsAnswer>, AppError> {
    let (caps, stats) = both(&app).await?;
    let out = caps.states.into_iter().map(|StateCap { state, out, cap, .. }| OutAnswer { state, out, cap });
    Ok(Json(StatsAnswer { stats, out: out.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;

    #[test]
    fn one_cap_is_set_at_a_time_and_null_follows_the_default() {
        let wanted = |json: serde_json::Value| {
            fields::read::<SetBody>(serde_json::from_value(json).unwrap()).unwrap().wanted()
        };
        let ny: UsState = "NY".parse().unwrap();
        let cap = Cap::try_from(7).unwrap();
        assert_eq!(wanted(serde_json::json!({"state": "NY", "cap": 7})).unwrap(), Wanted::Of(ny, Some(cap)));
        assert_eq!(wanted(serde_json::json!({"state": "NY", "cap": null})).unwrap(), Wanted::Of(ny, None));
        assert_eq!(wanted(serde_json::json!({"default": 7})).unwrap(), Wanted::Default(cap));
        for wrong in [
            serde_json::json!({}),
            serde_json::json!({"state": "NY"}),
            serde_json::json!({"cap": 7}),
            serde_json::json!({"state": "NY", "cap": 7, "default": 7}),
            serde_json::json!({"state": "NY", "default": 7}),
        ] {
            assert!(matches!(wanted(wrong), Err(WebError::Invalid(_))));
        }
    }
}
