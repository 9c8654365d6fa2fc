//! What requests about dead letters contain, and what they answer.

use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;

use super::{DeadLetterStatus, Note, Reason};
use crate::base::values::Version;
use crate::web::change::{self, ChangeBody};
use crate::web::error::WebError;
use crate::web::lists::{limit, parameter};
use crate::web::problem::Problem;

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
    ///
    /// # Errors
    /// [`WebError::Invalid`] for an invalid status or limit.
    pub fn read(self) -> Result<(DeadLetterStatus, u16, Option<String>), WebError> {
        let status = parameter("status", self.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
        Ok((status, limit(self.limit)?, self.cursor.filter(|text| !text.is_empty())))
    }
}

/// The dismissal of a dead letter: its address may have the parameters `version` and `note`.
#[derive(Debug)]
pub struct Dismissal {
    /// Why it needs no retry.
    pub note: Option<Note>,
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

/// Creates the problem of a dead letter that still cannot be applied.
pub fn still_refused(title: &'static str, reason: &Reason) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "still-refused", title, reason.words.clone())
        .with("reason", json!(reason))
}
