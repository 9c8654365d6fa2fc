//! What several pages of accounts share: the address to redirect to afterwards, the messages at fields, and the wait
//! before the next attempt.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::accounts::AccountError;
use crate::base::values::Invalid;
use crate::shared::pages::PageAnswer;
use crate::web::pages::PageContext;
use crate::web::query::address;
pub(super) use crate::web::request::local_path;
use crate::web::target::RenderTarget;

#[derive(Deserialize)]
pub(super) struct NextQuery {
    #[serde(default)]
    pub(super) next: String,
}

/// Returns the address of a page that redirects to `next` afterwards.
pub(super) fn with_next(context: &PageContext, path: &str, next: &str) -> String {
    context.url(&address(path, [("next", next)]))
}

/// Redirects to `next` if it is a local path, otherwise to the start page.
pub(super) fn redirect_to_next(target: &RenderTarget, next: &str) -> Response {
    target.redirect(local_path(&target.context.base, next).unwrap_or("/"))
}

/// Returns the message at a field, if its value is wrong.
pub(super) fn message<T>(read: Result<T, Invalid>) -> Option<String> {
    read.err().map(|invalid| invalid.to_string())
}

/// Why a person must wait before the next attempt, and how long.
pub(super) struct Delay {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) seconds: u64,
}

impl Delay {
    /// Returns the delay that an error requires.
    ///
    /// # Errors
    /// The error itself, if it requires no delay.
    pub(super) fn of(error: AccountError) -> Result<Self, AccountError> {
        match error {
            AccountError::TooManyAttempts(throttled) => Ok(Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                message: throttled.to_string(),
                seconds: throttled.seconds,
            }),
            AccountError::Busy => Ok(Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: "Too many people are signing in right now. Try again in a few seconds.".to_owned(),
                seconds: BUSY_RETRY_SECONDS,
            }),
            other => Err(other),
        }
    }

    /// Answers with the page that `render` returns for the status and the message.
    pub(super) fn answer(self, render: impl FnOnce(StatusCode, String) -> PageAnswer) -> PageAnswer {
        Ok(retry_after(render(self.status, self.message)?, self.seconds))
    }
}

/// The seconds that a full hashing queue takes to empty.
const BUSY_RETRY_SECONDS: u64 = 2;

pub(super) fn retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
