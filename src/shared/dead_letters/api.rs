//! The JSON API of dead letters: what all features with dead letters have in common.

use http::request::Parts;
use serde_json::json;

use super::service::DeadLetters;
use super::{DeadLetterId, DeadLetterStatus, Note, Reason};
use crate::base::values::Version;
use crate::shared::api::*;
use crate::web::change::{self, ChangeBody};

/// The parameters of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    status: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

impl ListParameters {
    /// Returns the status, the most dead letters of the page, and the cursor after which it starts.
    fn read(self) -> Result<(DeadLetterStatus, u16, Option<String>), WebError> {
        let Self { status, limit, cursor } = self;
        let status = parameter("status", status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
        let (limit, cursor) = PageParameters { limit, cursor }.read()?;
        Ok((status, limit, cursor))
    }
}

/// Answers with a page of dead letters.
///
/// # Errors
/// The problem of an invalid parameter, of a cursor of another list, or of a failure of the store.
pub async fn list<F: DeadLetters>(
    State(feature): State<F>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<F::DeadLetter>>, Problem> {
    let (status, limit, cursor) = parameters.read()?;
    Ok(Json(feature.list_dead_letters(status, limit, cursor.as_deref()).await?))
}

fn dead_letter_answer<F: DeadLetters>(dead_letter: &F::DeadLetter) -> Answer {
    answer(StatusCode::OK, dead_letter, F::version_of(dead_letter).get(), None)
}

/// Retries a dead letter, and answers with the closed one.
///
/// # Errors
/// The problem of a [retry](DeadLetters::retry_dead_letter).
pub async fn retry<F: DeadLetters>(
    State(feature): State<F>,
    change: Change<DeadLetterId, EmptyBody>,
) -> Result<Answer, Problem> {
    let closed = dead_letter_answer::<F>;
    let (by, idempotency) = (change.who.actor(), change.idempotency(&closed));
    let done = feature.retry_dead_letter(change.id, change.version, &by, idempotency.as_ref()).await?;
    Ok(done.answer(closed))
}

/// The dismissal of a dead letter: its address may have the parameters `version` and `note`.
#[derive(Debug)]
pub struct Dismissal {
    /// Why it needs no retry.
    note: Option<Note>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DismissalParameters {
    version: Option<String>,
    note: Option<String>,
}

impl ChangeBody for Dismissal {
    fn check(_: &Parts) -> Result<(), WebError> {
        Ok(())
    }

    fn read(parts: &Parts, _: &[u8]) -> Result<(Option<Version>, Self), WebError> {
        let DismissalParameters { version, note } = change::parameters(parts)?;
        let note = parameter("note", note, str::parse)?;
        Ok((parameter("version", version, str::parse)?, Self { note }))
    }
}

/// Dismisses a dead letter, and answers without content.
///
/// # Errors
/// The problem of a [dismissal](DeadLetters::dismiss_dead_letter).
pub async fn dismiss<F: DeadLetters>(
    State(feature): State<F>,
    change: Change<DeadLetterId, Dismissal>,
) -> Result<Answer, Problem> {
    let closed = |_: &F::DeadLetter| no_content();
    let (by, idempotency) = (change.who.actor(), change.idempotency(&closed));
    let Change { id, version, body: Dismissal { note }, .. } = change;
    let done = feature.dismiss_dead_letter(id, version, note, &by, idempotency.as_ref()).await?;
    Ok(done.answer(closed))
}

/// Creates the problem of a dead letter that still cannot be applied.
pub fn still_refused(title: &'static str, reason: &Reason) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "still-refused", title, reason.words.clone())
        .with("reason", json!(reason))
}
