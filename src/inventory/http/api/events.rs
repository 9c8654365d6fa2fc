//! Messages over HTTP: one, or up to a hundred at once, each with its own result.
//!
//! Invariants: as with a topic, a valid message is applied, becomes a dead letter, or is a duplicate; an invalid one
//! is INVALID and is not kept, because the response tells its sender. Sending the same request again changes nothing,
//! because each message's id is kept forever. So the `Idempotency-Key` is only validated, and no answer is stored
//! under it: a request spans many transactions, and its answer cannot be written together with all of them.

use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler as _;
use serde_json::Value;

use crate::base::telemetry::metrics;
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{
    Channel, DeadLetter, DeadLetterId, Delivery, Movement, Outcome, ParseError, Reason, Source,
};
use crate::shared::api::*;
use crate::web::extract::{buffer_body, idempotent_request, is_json, json_value};

/// The most messages of one request.
const MOST_MESSAGES: usize = 100;
/// The largest body: a hundred messages with the longest texts, in any escaping.
const LARGEST_BODY: usize = 1024 * 1024;

pub fn routes() -> Routes<Inventory> {
    let limit = DefaultBodyLimit::max(LARGEST_BODY);
    Routes::default().post("/api/inventory/events", Access::Agent, ingest.layer(limit))
}

/// The results of all messages, in the order of the request.
#[derive(Debug, Serialize)]
struct Results {
    results: Vec<MessageResult>,
}

/// The result of one message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageResult {
    /// The message id, if it could be read.
    message_id: Option<String>,
    #[serde(flatten)]
    outcome: MessageOutcome,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "SCREAMING_SNAKE_CASE")]
enum MessageOutcome {
    Applied {
        movement: Movement,
    },
    Duplicate,
    #[serde(rename = "PARKED")]
    DeadLetter {
        #[serde(rename = "parked")]
        dead_letter: DeadLetterBrief,
    },
    Invalid {
        errors: Vec<MessageProblem>,
    },
}

/// The id and the reason of a dead letter.
#[derive(Debug, Serialize)]
struct DeadLetterBrief {
    id: DeadLetterId,
    reason: Reason,
}

#[derive(Debug, Serialize)]
struct MessageProblem {
    /// The wrong field, or none if the whole message is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
}

impl From<Outcome> for MessageOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Applied(movement) => Self::Applied { movement },
            Outcome::Duplicate => Self::Duplicate,
            Outcome::DeadLetter(DeadLetter { id, reason, .. }) => {
                Self::DeadLetter { dead_letter: DeadLetterBrief { id, reason } }
            }
        }
    }
}

impl From<ParseError> for MessageOutcome {
    fn from(error: ParseError) -> Self {
        let errors = match error {
            ParseError::Fields(wrong) => wrong
                .into_iter()
                // The message also names the field, for clients written before `field` existed.
                .map(|wrong| MessageProblem { message: wrong.to_string(), field: Some(wrong.field) })
                .collect(),
            other => vec![MessageProblem { field: None, message: other.to_string() }],
        };
        Self::Invalid { errors }
    }
}

async fn ingest(
    State(inventory): State<Inventory>,
    who: SignedIn,
    request: Request,
) -> Result<Json<Results>, Problem> {
    let sent = sent_messages(request).await?;
    let ids: Vec<Option<String>> = sent.iter().map(id_of).collect();
    let (deliveries, errors) = parse(sent);
    let outcomes = inventory.apply_all(&deliveries, Some(&who.actor())).await?;
    metrics::ignored_fields(deliveries.iter().map(|delivery| delivery.ignored).sum());
    let outcomes = merge(errors, outcomes);
    let results = ids.into_iter().zip(outcomes);
    let results = results.map(|(message_id, outcome)| MessageResult { message_id, outcome }).collect();
    Ok(Json(Results { results }))
}

/// Reads the messages of a request.
async fn sent_messages(request: Request) -> Result<Vec<Value>, WebError> {
    if !is_json(request.headers()) {
        return Err(WebError::MediaType("application/json"));
    }
    let (parts, bytes) = buffer_body(request).await?;
    idempotent_request(&parts, &bytes)?;
    messages(&bytes)
}

/// Parses messages. Returns the valid ones, and for each message its error, if it has one.
fn parse(sent: Vec<Value>) -> (Vec<Delivery>, Vec<Option<ParseError>>) {
    let (mut deliveries, mut errors) = (Vec::new(), Vec::new());
    for value in sent {
        match Delivery::of_json(Source::of(Channel::Api), value) {
            Ok(delivery) => {
                deliveries.push(delivery);
                errors.push(None);
            }
            Err(error) => errors.push(Some(error)),
        }
    }
    (deliveries, errors)
}

/// Merges the errors of invalid messages with the outcomes of the valid ones, which are in the same order.
fn merge(errors: Vec<Option<ParseError>>, outcomes: Vec<Outcome>) -> Vec<MessageOutcome> {
    let mut outcomes = outcomes.into_iter().map(MessageOutcome::from);
    errors
        .into_iter()
        .filter_map(|error| error.map(MessageOutcome::from).or_else(|| outcomes.next()))
        .collect()
}

fn id_of(value: &Value) -> Option<String> {
    value.get("messageId")?.as_str().map(str::to_owned)
}

/// Parses a body: one message, or an array of messages.
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
