//! The JSON API of caps. Agents may set caps, because they may also create orders.

use jiff::Timestamp;

use crate::base::fields::{Fields, FromFields, text, whole_number};
use crate::base::values::{Invalid, UsState, Version};
use crate::orders::Orders;
use crate::orders::domain::{Cap, DefaultCap, StateCap};
use crate::shared::api::*;

pub fn routes() -> Routes<Orders> {
    Routes::default().get("/api/leads/caps", Access::Viewer, caps).put("/api/leads/caps", Access::Agent, set)
}

/// All caps, with the number of leads in stock.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CapsAnswer {
    default: DefaultCap,
    states: Vec<CapAnswer>,
    /// The time for which `inStock` was counted. Caps and leads in orders are exact.
    as_of: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CapAnswer {
    #[serde(flatten)]
    cap: StateCap,
    in_stock: u64,
}

async fn caps(State(orders): State<Orders>) -> Result<Json<CapsAnswer>, Problem> {
    let (caps, free) = orders.caps_and_free_leads().await?;
    let with_stock = |cap: StateCap| CapAnswer { in_stock: free.in_state(cap.state), cap };
    let states = caps.states.into_iter().map(with_stock).collect();
    Ok(Json(CapsAnswer { default: caps.default, states, as_of: free.as_of }))
}

/// The body of a change: the cap of one state (null makes it follow the default), or the default.
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

/// The cap to set.
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
            (Some(_), None, None) => wrong("cap", "Send the state's cap; null makes it follow the default."),
            (None, Some(_), None) => wrong("state", "Send the state of this cap."),
            (None, None, None) => wrong("state", "Send a state and its cap, or the default."),
            _ => wrong("default", "Set either the default or a state's cap, not both."),
        }
    }
}

async fn set(
    State(orders): State<Orders>,
    who: SignedIn,
    request: JsonRequest<SetBody>,
) -> Result<Answer, Problem> {
    let wanted = request.body.wanted()?;
    let version = request.version(request.body.version)?;
    Ok(match wanted {
        Wanted::Of(state, cap) => {
            let answer = |cap: &StateCap| answer(StatusCode::OK, cap, cap.version.get(), None);
            let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
            orders.set_cap(state, version, cap, &who, idempotency.as_ref()).await?.answer(answer)
        }
        Wanted::Default(cap) => {
            let answer = |cap: &DefaultCap| answer(StatusCode::OK, cap, cap.version.get(), None);
            let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &answer });
            orders.set_default_cap(version, cap, &who, idempotency.as_ref()).await?.answer(answer)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fields;

    #[test]
    fn a_request_sets_one_cap_and_null_follows_the_default() {
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
