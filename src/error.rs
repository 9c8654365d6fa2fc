//! Every known failure → status and words, in one place; the one layer that [shows](present()) them stands beside.
//! Unknown failures are logged once with what is known of them and answered opaque.

mod inventory;
mod panic;
mod present;
mod raffle;

pub use panic::catch_panic;
pub use present::{Said, present};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::accounts::AccountError;
use crate::automation::AutomationError;
use crate::automation::dead_letters::DeadLetterError;
use crate::automation::rules::RuleError;
use crate::dynamo::ledger::KeyReused;
use crate::dynamo::{CursorError, StoreError, WriteError};
use crate::inventory::InventoryError;
use crate::leads::LeadError;
use crate::leads::import::ImportError;
use crate::orders::OrderError;
use crate::raffle::RaffleError;
use crate::telemetry::tally;
use crate::values::Invalid;
use crate::web::access::Access;
use crate::web::extract::WebError;

/// Any failure of a request.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// About accounts.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// About commands.
    #[error(transparent)]
    Automation(#[from] AutomationError),
    /// About dead letters of the stream.
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    /// About imports.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// About products and parked messages.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// About leads.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// About orders and caps.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// About raffles.
    #[error(transparent)]
    Raffle(#[from] RaffleError),
    /// About rules and their runs.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// About the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// About the request itself.
    #[error(transparent)]
    Web(#[from] WebError),
}

impl From<KeyReused> for AppError {
    fn from(error: KeyReused) -> Self {
        Self::Web(error.into())
    }
}

impl From<WriteError> for AppError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Store(error) => Self::Store(error),
            WriteError::Refused(_) => {
                Self::Web(WebError::Internal("the refusal of a write was not explained".to_owned()))
            }
        }
    }
}

/// A failure as a client is told it.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    /// The seconds after which trying again may help, where the status alone does not say.
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, name: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, name, title, detail: detail.into(), more: Map::new(), retry_after: None }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The failure in one line, for answers that are text.
    pub fn words(&self) -> String {
        format!("{}. {}", self.title, self.detail)
    }

    fn document(&self) -> Value {
        let mut document = Map::from_iter([
            ("type".to_owned(), format!("urn:holdfast:problem:{}", self.name).into()),
            ("title".to_owned(), self.title.into()),
            ("status".to_owned(), self.status.as_u16().into()),
            ("detail".to_owned(), self.detail.clone().into()),
        ]);
        document.extend(self.more.clone());
        Value::Object(document)
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Account(error) => account_problem(error),
            AppError::Automation(error) => automation_problem(error),
            AppError::DeadLetter(error) => dead_letter_problem(error),
            AppError::Import(error) => import_problem(error),
            AppError::Inventory(error) => inventory::problem(error),
            AppError::Lead(error) => lead_problem(error),
            AppError::Order(error) => order_problem(error),
            AppError::Raffle(error) => raffle::problem(error),
            AppError::Rule(error) => rule_problem(error),
            AppError::Store(error) => store_problem(&error),
            AppError::Web(error) => web_problem(error),
        }
    }
}

fn lead_problem(error: LeadError) -> Problem {
    match error {
        LeadError::NotFound(_) => Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such lead",
            "It was deleted, or never was. Look for it in the list.",
        ),
        LeadError::Conflict(conflict) => Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "The lead has changed since it was read",
            "Nothing was written. `fresh` is the lead as it is now; send the change again with its version.",
        )
        .with("fresh", json!(conflict.fresh))
        .with("changes", json!(conflict.since)),
        LeadError::RuleViolation(rule) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "rule-violation",
            "A rule forbids this change",
            rule.words(),
        )
        .with("rule", rule.name().into())
        .with("field", rule.field().as_str().into())
        .with("errors", json!([{ "field": rule.field().as_str(), "message": rule.words() }])),
        LeadError::KeyOfAnotherRequest => key_of_another_request(),
        LeadError::Cursor(error) => bad_cursor(error),
        LeadError::Store(error) => store_problem(&error),
    }
}

fn order_problem(error: OrderError) -> Problem {
    use StatusCode as S;
    let stale = |what: &'static str, fresh: Value| {
        let detail = "Nothing was written. `fresh` is as it is now; send the change again with its version.";
        Problem::new(S::CONFLICT, "conflict", what, detail).with("fresh", fresh)
    };
    match error {
        OrderError::NotFound(_) => Problem::new(
            S::NOT_FOUND,
            "not-found",
            "There is no such order",
            "It was deleted, or never was. Look for it in the list.",
        ),
        OrderError::Conflict(fresh) => stale("The order has changed since it was read", json!(fresh)),
        OrderError::CapConflict(fresh) => stale("The cap has changed since it was read", json!(fresh)),
        OrderError::DefaultCapConflict(fresh) => {
            stale("The default cap has changed since it was read", json!(fresh))
        }
        OrderError::PreviewOutdated(preview) => Problem::new(
            S::CONFLICT,
            "preview-outdated",
            "Other leads would be given by now",
            "No order was created. `preview` is what would be given now; confirm its fingerprint.",
        )
        .with("preview", json!(preview)),
        OrderError::RuleViolation(rule) => {
            Problem::new(S::UNPROCESSABLE_ENTITY, "rule-violation", "A rule forbids this change", rule.words())
                .with("rule", rule.name().into())
                .with("field", rule.field().into())
                .with("errors", json!([{ "field": rule.field(), "message": rule.words() }]))
        }
        OrderError::NothingToGive(given) => Problem::new(
            S::UNPROCESSABLE_ENTITY,
            "nothing-to-give",
            "There is nothing to give",
            "No order was created: no requested state has a free lead under its cap. `given` says why, state by state.",
        )
        .with("given", json!(given)),
        OrderError::Crowded => {
            tracing::warn!(%error, "an order gave way");
            busy("Others were faster until the deadline. Nothing was written; trying again in a moment is safe.")
        }
        OrderError::KeyOfAnotherRequest => key_of_another_request(),
        OrderError::Lead(error) => lead_problem(error),
        OrderError::Cursor(error) => bad_cursor(error),
        OrderError::Store(error) => store_problem(&error),
    }
}

fn busy(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy right now", detail)
}

fn automation_problem(error: AutomationError) -> Problem {
    match error {
        AutomationError::Order(error) => order_problem(error),
        AutomationError::Inventory(error) => inventory::problem(error),
        AutomationError::Lead(error) => lead_problem(error),
        AutomationError::Store(error) => store_problem(&error),
        AutomationError::KeyOfAnotherRequest => key_of_another_request(),
        AutomationError::Answer(_) => unknown(&error),
    }
}

fn rule_problem(error: RuleError) -> Problem {
    use StatusCode as S;
    let stale = |what: &'static str, fresh: Value| {
        let detail = "Nothing was written. `fresh` is as it is now; send the change again with its version.";
        Problem::new(S::CONFLICT, "conflict", what, detail).with("fresh", fresh)
    };
    match error {
        RuleError::NotFound(_) => {
            Problem::new(S::NOT_FOUND, "not-found", "There is no such rule", "It was deleted, or never was.")
        }
        RuleError::NoSuchRun(_) => Problem::new(
            S::NOT_FOUND,
            "not-found",
            "There is no such run",
            "It never was, or is forgotten by now: runs are kept for 30 days.",
        ),
        RuleError::Conflict(fresh) => stale("The rule has changed since it was read", json!(fresh)),
        RuleError::RunConflict(fresh) => stale("The run has changed since it was read", json!(fresh)),
        RuleError::NotToRepeat => Problem::new(
            S::UNPROCESSABLE_ENTITY,
            "not-to-repeat",
            "This run is not to be repeated",
            "It was done, or stopped because rules set each other off. Only runs that failed are run again.",
        ),
        RuleError::Misfit { field, invalid } => web_problem(WebError::field(field, &invalid)),
        RuleError::TooMany => Problem::new(
            S::UNPROCESSABLE_ENTITY,
            "too-many-rules",
            "There are too many rules",
            "There may be 100. Delete one that is not needed, or join two into one.",
        ),
        RuleError::KeyOfAnotherRequest => key_of_another_request(),
        RuleError::Cursor(error) => bad_cursor(error),
        RuleError::Store(error) => store_problem(&error),
    }
}

fn dead_letter_problem(error: DeadLetterError) -> Problem {
    use StatusCode as S;
    match error {
        DeadLetterError::NotFound(_) => Problem::new(
            S::NOT_FOUND,
            "not-found",
            "There is no such dead letter",
            "It never was, or was closed more than 30 days ago.",
        ),
        DeadLetterError::Conflict(fresh) => Problem::new(
            S::CONFLICT,
            "conflict",
            "The dead letter has changed since it was read",
            "Nothing was written. `fresh` is as it is now; send the request again with its version.",
        )
        .with("fresh", json!(fresh)),
        DeadLetterError::StillRefused(reason) => Problem::new(
            S::UNPROCESSABLE_ENTITY,
            "still-refused",
            "The record still cannot be applied",
            reason.words.clone(),
        )
        .with("reason", json!(reason)),
        DeadLetterError::KeyOfAnotherRequest => key_of_another_request(),
        DeadLetterError::Cursor(error) => bad_cursor(error),
        DeadLetterError::Store(error) => store_problem(&error),
    }
}

fn import_problem(error: ImportError) -> Problem {
    use StatusCode as S;
    let (status, name, title) = match error {
        ImportError::Lead(error) => return lead_problem(error),
        ImportError::Store(error) => return store_problem(&error),
        ImportError::NotFound => (S::NOT_FOUND, "not-found", "There is no such import"),
        ImportError::TooLarge(_) | ImportError::TooLargeForForm => {
            (S::PAYLOAD_TOO_LARGE, "too-long", "The file is too large")
        }
        ImportError::PartOutOfOrder { .. } | ImportError::PartLength { .. } => {
            (S::UNPROCESSABLE_ENTITY, "wrong-part", "This part of the file does not fit")
        }
        ImportError::NotStarted => (S::UNPROCESSABLE_ENTITY, "not-started", "The import was not started"),
        ImportError::NoFile
        | ImportError::TooManyColumns(_)
        | ImportError::File(_)
        | ImportError::Mapping(_) => (S::UNPROCESSABLE_ENTITY, "bad-file", "The file cannot be imported"),
    };
    Problem::new(status, name, title, error.to_string())
}

fn store_problem(error: &StoreError) -> Problem {
    if let StoreError::Unavailable { .. } = error {
        tracing::warn!(%error, "the store is unavailable");
        return busy("The table did not answer in time. Nothing was changed; try again in a moment.");
    }
    if let StoreError::OutcomeUnknown { .. } = error {
        tracing::warn!(%error, "the outcome of a write is unknown");
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "outcome-unknown",
            "We do not know whether this was done",
            "The table did not answer in time, so the change may have been made. Look before you repeat it: a creation \
             that is sent again without an Idempotency-Key may be made twice.",
        );
    }
    if let StoreError::Full { .. } = error {
        tracing::error!(%error, "the disk is full: free some space, and writing goes on by itself");
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "disk-full",
            "The disk is full",
            "Free some space on the disk that holds Holdfast's data, then try again. No restart is needed.",
        );
    }
    unknown(error)
}

fn unknown(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request failed");
    internal()
}

fn internal() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something went wrong on our side",
        "It has been logged. Trying again may help.",
    )
}

fn web_problem(error: WebError) -> Problem {
    use StatusCode as S;
    match error {
        WebError::Malformed(detail) => {
            Problem::new(S::BAD_REQUEST, "malformed", "The request cannot be read", detail)
        }
        WebError::Invalid(fields) => invalid_problem(&fields),
        WebError::MediaType(expected) => Problem::new(
            S::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "The body is of another type",
            format!("Send {expected}, and say so in Content-Type."),
        ),
        WebError::TooLong => {
            Problem::new(S::PAYLOAD_TOO_LARGE, "too-long", "The body is too long", "Send less at once.")
        }
        WebError::VersionMissing => Problem::new(
            S::PRECONDITION_REQUIRED,
            "version-missing",
            "The change does not say which version it is of",
            "Send the version last seen, as the field `version` or the header If-Match.",
        ),
        WebError::NotFound => Problem::new(
            S::NOT_FOUND,
            "not-found",
            "There is nothing here",
            "The address leads nowhere, or what stood here is gone.",
        ),
        WebError::NoSuchId(invalid) => {
            Problem::new(S::NOT_FOUND, "not-found", "There is nothing here", invalid.to_string())
        }
        WebError::Method => Problem::new(
            S::METHOD_NOT_ALLOWED,
            "method",
            "This address does not know this method",
            "The Allow header lists those that it knows.",
        ),
        WebError::SignInNeeded => Problem::new(
            S::UNAUTHORIZED,
            "sign-in",
            "Sign in first",
            "Send a session or a token: Authorization: Bearer ….",
        ),
        WebError::Forbidden(access) => Problem::new(
            S::FORBIDDEN,
            "forbidden",
            "Your account may not do this",
            match access {
                Access::Administrator => "Only administrators may. Ask one of them.",
                _ => "Only agents and administrators may. Ask an administrator.",
            },
        ),
        WebError::CrossSite => Problem::new(
            S::FORBIDDEN,
            "cross-site",
            "This write came from another site",
            "Open Holdfast itself and try again there. A program sends a token, or its Origin with a session.",
        ),
        WebError::KeyReused(_) => key_of_another_request(),
        WebError::PastProxy => Problem::new(
            S::FORBIDDEN,
            "wrong-address",
            "Holdfast is not opened at this address",
            "Open it at its public address, which its administrator knows.",
        ),
        WebError::Overloaded => {
            busy("Too many requests run at this moment. Nothing was done; trying again in a moment is safe.")
        }
        WebError::Internal(_) => unknown(&error),
    }
}

fn invalid_problem(fields: &[crate::web::extract::FieldError]) -> Problem {
    let errors: Vec<Value> =
        fields.iter().map(|error| json!({ "field": error.field, "message": error.message })).collect();
    let detail: Vec<String> =
        fields.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some fields are not right", detail.join(" "))
        .with("errors", errors.into())
}

fn account_problem(error: AccountError) -> Problem {
    use StatusCode as S;
    match error {
        AccountError::NoSuchAccount => {
            Problem::new(S::NOT_FOUND, "not-found", "There is no such account", "It is gone, or never was.")
        }
        AccountError::NoSuchToken => Problem::new(
            S::NOT_FOUND,
            "not-found",
            "There is no such token",
            "It was revoked, or never was yours.",
        ),
        AccountError::EmailTaken(_) => {
            let invalid = Invalid::new("Another account has this e-mail address.");
            web_problem(WebError::field("email", &invalid))
        }
        AccountError::SignUpOff => Problem::new(
            S::FORBIDDEN,
            "sign-up-off",
            "Sign-up is switched off",
            "Ask an administrator for an account.",
        ),
        AccountError::WrongInvitationCode => {
            let invalid = Invalid::new("This is not the invitation code.");
            web_problem(WebError::field("code", &invalid))
        }
        AccountError::WrongPassword => {
            let invalid = Invalid::new("This is not the current password.");
            web_problem(WebError::field("current", &invalid))
        }
        AccountError::TooManyAttempts(throttled) => Problem::new(
            S::TOO_MANY_REQUESTS,
            "too-many-attempts",
            "Too many passwords were tried",
            format!("Wait {} seconds and try again.", throttled.seconds),
        )
        .retry_after(throttled.seconds),
        AccountError::Busy => {
            busy("Too many people are signing in at once. Trying again in a moment is safe.")
        }
        AccountError::Changed => Problem::new(
            S::CONFLICT,
            "conflict",
            "The account was changed meanwhile",
            "Nothing was written. Try again.",
        ),
        AccountError::SessionNeeded => Problem::new(
            S::FORBIDDEN,
            "session-needed",
            "A token may not do this",
            "Only a person who is signed in at a browser may. Sign in and do it on the account page.",
        ),
        AccountError::KeyOfAnotherRequest => key_of_another_request(),
        AccountError::Cursor(error) => bad_cursor(error),
        AccountError::Hashing(_) => unknown(&error),
        AccountError::Store(error) => store_problem(&error),
    }
}

fn key_of_another_request() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "This Idempotency-Key belongs to another request",
        "A key repeats one request: the same method, address, precondition and body. Send another key for another request.",
    )
}

fn bad_cursor(error: CursorError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-cursor", "The cursor cannot be used", error.to_string())
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// The bare status. [`present()`] shows the rest.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        tally::problem(self.name);
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
