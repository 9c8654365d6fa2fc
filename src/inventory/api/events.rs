//! Messages by HTTP: one, or up to a hundred at once, each with a result of its own.
//!
//! What always holds: a message that can be read is applied, parked, or known from before, as from a topic; one that cannot
//! is INVALID and is not kept, for whoever sent it is told. The same request again changes nothing more: each message's
//! own id sees to that, for ever. An `Idempotency-Key` is therefore read like everywhere, and nothing is kept under it: a
//! request of messages is many transactions, and its answer could not be written together with all of them.

use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler as _;
use serde::Serialize;
use serde_json::Value;

use crate::base::identity::SignedIn;
use crate::base::telemetry::tally;
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{
    Channel, Delivery, Movement, Outcome, Parked, ParkedId, ParseError, Reason, Source,
};
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::{buffer_body, is_json, json_value, once_only};
use crate::web::problem::Problem;
use crate::web::routes::Routes;

/// The most messages of one request.
const MOST_MESSAGES: usize = 100;
/// The largest body: a hundred messages with the longest texts, however they are escaped.
const LARGEST_BODY: usize = 1024 * 1024;

/// The routes.
pub fn routes() -> Routes<Inventory> {
    let limit = DefaultBodyLimit::max(LARGEST_BODY);
    Routes::default().post("/api/inventory/events", Access::Agent, take.layer(limit))
}

/// What came of all messages, in the order in which they were sent.
#[derive(Debug, Serialize)]
struct Results {
    results: Vec<MessageResult>,
}

/// What came of one message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageResult {
    /// Its id, where it could be read.
    message_id: Option<String>,
    #[serde(flatten)]
    came: Came,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "SCREAMING_SNAKE_CASE")]
enum Came {
    Applied { movement: Movement },
    Duplicate,
    Parked { parked: ParkedBrief },
    Invalid { errors: Vec<MessageProblem> },
}

/// Where a message is parked, and why.
#[derive(Debug, Serialize)]
struct ParkedBrief {
    id: ParkedId,
    reason: Reason,
}

#[derive(Debug, Serialize)]
struct MessageProblem {
    /// The field; none where all of it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
}

impl From<Outcome> for Came {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Applied(movement) => Self::Applied { movement },
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Parked(Parked { id, reason, .. }) => Self::Parked { parked: ParkedBrief { id, reason } },
        }
    }
}

impl From<ParseError> for Came {
    fn from(flaw: ParseError) -> Self {
        let errors = match flaw {
            ParseError::Fields(wrong) => wrong
                .into_iter()
                // The message names the field as well, as it did before there was one.
                .map(|wrong| MessageProblem { message: wrong.to_string(), field: Some(wrong.field) })
                .collect(),
            other => vec![MessageProblem { field: None, message: other.to_string() }],
        };
        Self::Invalid { errors }
    }
}

async fn take(
    State(inventory): State<Inventory>,
    who: SignedIn,
    request: Request,
) -> Result<Json<Results>, Problem> {
    if !is_json(request.headers()) {
        return Err(WebError::MediaType("application/json").into());
    }
    let (parts, bytes) = buffer_body(request).await?;
    once_only(&parts, &bytes)?;
    let sent = messages(&bytes)?;
    let ids: Vec<Option<String>> = sent.iter().map(id_of).collect();
    let (mut deliveries, mut flaws) = (Vec::new(), Vec::new());
    for value in sent {
        match read(value) {
            Ok(delivery) => {
                deliveries.push(delivery);
                flaws.push(None);
            }
            Err(flaw) => flaws.push(Some(flaw)),
        }
    }
    let mut outcomes = inventory.apply_all(&deliveries, Some(&who.actor())).await?.into_iter();
    tally::ignored_fields(deliveries.iter().map(|delivery| delivery.ignored).sum());
    // One outcome for each message that could be read, in their order.
    let came =
        flaws.into_iter().filter_map(|flaw| flaw.map(Came::from).or_else(|| outcomes.next().map(Came::from)));
    let results = ids.into_iter().zip(came).map(|(message_id, came)| MessageResult { message_id, came });
    Ok(Json(Results { results: results.collect() }))
}

fn id_of(value: &Value) -> Option<String> {
    value.get("messageId")?.as_str().map(str::to_owned)
}

fn read(value: Value) -> Result<Delivery, ParseError> {
    Delivery::of_json(Source::of(Channel::Api), value)
}

/// The messages of a body: one object, or an array.
fn messages(bytes: &[u8]) -> Result<Vec<Value>, WebError> {
    let messages = match json_value(bytes)? {
        Value::Array(messages) => messages,
        message @ Value::Object(_) => vec![message],
        _ => return Err(WebError::Malformed("Send a message, or an array of messages.".to_owned())),
    };
    if !(1..=MOST_MESSAGES).contains(&messages.len()) {
        let invalid = Invalid::new(format!("Send 1 to {MOST_MESSAGES} messages at once."));
        return Err(WebError::field("messages", &invalid));
    }
    Ok(messages)
}
