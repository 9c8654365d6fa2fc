//! Why a request about accounts was not done.

use http::StatusCode;

use super::hashing::QueueFull;
use super::login_throttle::Throttled;
use crate::base::values::{Email, Invalid};
use crate::store::{CursorError, StoreError};
use crate::web::error::WebError;
use crate::web::problem::{IntoProblem, Problem};

/// Why a request about accounts was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// There is no such token, or no longer.
    #[error("there is no such token")]
    NoSuchToken,
    /// Another account has this e-mail address.
    #[error("another account has the e-mail address {0}")]
    EmailTaken(Email),
    /// People may not make accounts of their own here.
    #[error("sign-up is switched off")]
    SignUpOff,
    /// What was typed is not the invitation code.
    #[error("the invitation code is not right")]
    WrongInvitationCode,
    /// The current password that was shown is another one.
    #[error("the password is not right")]
    WrongPassword,
    /// Too many passwords or codes were tried.
    #[error(transparent)]
    TooManyAttempts(#[from] Throttled),
    /// Too many passwords wait to be hashed, or attempts to be counted. Nothing was looked at.
    #[error("too many people are signing in at once")]
    Busy,
    /// The account was changed by another request meanwhile. Nothing was written.
    #[error("the account was changed meanwhile")]
    Changed,
    /// Only a person at a browser may, and not a program with a token.
    #[error("only a signed-in browser may do this")]
    SessionNeeded,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// The cursor is none of this list's.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A password could not be hashed.
    #[error("a password could not be hashed: {0}")]
    Hashing(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<QueueFull> for AccountError {
    fn from(_: QueueFull) -> Self {
        Self::Busy
    }
}

impl IntoProblem for AccountError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        match self {
            AccountError::NoSuchAccount => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such account",
                "It is gone, or never was.",
            ),
            AccountError::NoSuchToken => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such token",
                "It was revoked, or never was yours.",
            ),
            AccountError::EmailTaken(_) => {
                let invalid = Invalid::new("Another account has this e-mail address.");
                WebError::field("email", &invalid).into_problem()
            }
            AccountError::SignUpOff => Problem::new(
                S::FORBIDDEN,
                "sign-up-off",
                "Sign-up is switched off",
                "Ask an administrator for an account.",
            ),
            AccountError::WrongInvitationCode => {
                let invalid = Invalid::new("This is not the invitation code.");
                WebError::field("code", &invalid).into_problem()
            }
            AccountError::WrongPassword => {
                let invalid = Invalid::new("This is not the current password.");
                WebError::field("current", &invalid).into_problem()
            }
            AccountError::TooManyAttempts(throttled) => Problem::new(
                S::TOO_MANY_REQUESTS,
                "too-many-attempts",
                "Too many passwords were tried",
                format!("Wait {} seconds and try again.", throttled.seconds),
            )
            .retry_after(throttled.seconds),
            AccountError::Busy => {
                Problem::busy("Too many people are signing in at once. Trying again in a moment is safe.")
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
            AccountError::KeyOfAnotherRequest => Problem::key_reused(),
            AccountError::Cursor(error) => error.into_problem(),
            AccountError::Hashing(_) => Problem::unknown(&self),
            AccountError::Store(error) => error.into_problem(),
        }
    }
}
