//! Why a request about accounts fails.

use http::StatusCode;
use serde_json::json;

use super::authority::NoLongerAllowed;
use super::domain::Account;
use super::hashing::QueueFull;
use super::login_throttle::Throttled;
use super::two_factor::TwoFactorError;
use super::view::AccountView;
use crate::base::identity::Role;
use crate::base::values::{Email, Invalid};
use crate::shared::problems::not_found;
use crate::store::idempotency::KeyReused;
use crate::store::{CursorError, StoreError};
use crate::web::error::WebError;
use crate::web::problem::{IntoProblem, Problem};

/// Why a request about accounts failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The account does not exist.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The token does not exist, or was revoked.
    #[error("there is no such token")]
    NoSuchToken,
    /// Another account has this email address.
    #[error("another account has the email {0}")]
    EmailTaken(Email),
    /// Sign-up is off.
    #[error("sign-up is off")]
    SignUpOff,
    /// The invitation code is wrong.
    #[error("the invitation code is not right")]
    WrongInvitationCode,
    /// The current password is wrong.
    #[error("the password is not right")]
    WrongPassword,
    /// The new password is among those that are guessed first.
    #[error("the new password is invalid: {0}")]
    NewPassword(Invalid),
    /// Too many passwords or codes were tried.
    #[error(transparent)]
    TooManyAttempts(#[from] Throttled),
    /// Too many passwords are waiting to be hashed, or too many attempts are being counted. Nothing was checked.
    #[error("too many people are signing in at once")]
    Busy,
    /// Another request changed the account at the same time. Nothing was written.
    #[error("another request changed the account")]
    Changed,
    /// The account has another version than the sender saw.
    #[error("the account was changed")]
    Conflict(Box<Account>),
    /// The change would leave no active administrator.
    #[error("the last active administrator cannot be removed")]
    LastAdministrator,
    /// A token cannot have a higher role than its account, which has this one.
    #[error("the account only has the role {0}")]
    RoleTooHigh(Role),
    /// The account is not active, or is that of a service, so it cannot have this.
    #[error("the account is not active")]
    NotActive,
    /// The code of the second factor was not accepted.
    #[error(transparent)]
    TwoFactor(#[from] TwoFactorError),
    /// This host has no key to encrypt the secrets of two-factor authentication.
    #[error("this host has no data key")]
    NoDataKey,
    /// The role requires two-factor authentication, so it cannot be switched off.
    #[error("two-factor authentication is required")]
    TwoFactorRequired,
    /// A person needs an email address.
    #[error("a person needs an email")]
    EmailNeeded,
    /// The session or token is that of a disabled account.
    #[error("the account is disabled")]
    Disabled,
    /// The sender was disabled, or lost the role that the change requires. Nothing was written.
    #[error("the account may no longer do this")]
    NoLongerAllowed,
    /// The request requires a session and came with a token.
    #[error("only a signed-in browser may do this")]
    SessionNeeded,
    /// The request makes or takes over an administrator, which requires a session, and came with a token.
    #[error("only a signed-in browser may do this to an administrator")]
    SessionNeededForAdministrator,
    /// The idempotency key was already used for another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The cursor does not belong to this list.
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
        match self {
            Self::NoSuchAccount => not_found("Account not found", "It was deleted or never existed."),
            Self::NoSuchToken => not_found("Token not found", "It was revoked, or it isn't yours."),
            Self::EmailTaken(_) => wrong("email", "Another account has this email."),
            Self::EmailNeeded => wrong("email", "A person needs an email to sign in with."),
            Self::WrongInvitationCode => wrong("code", "Incorrect invitation code."),
            Self::WrongPassword => wrong("current", "Incorrect current password."),
            Self::NewPassword(invalid) => WebError::field("password", &invalid).into_problem(),
            Self::RoleTooHigh(role) => {
                wrong("role", format!("The account is {role}. Choose that role or a lower one."))
            }
            Self::TwoFactor(error) => two_factor(error),
            Self::LastAdministrator => last_administrator(),
            Self::NotActive => not_active(),
            Self::NoDataKey => no_data_key(),
            Self::TwoFactorRequired => two_factor_required(),
            Self::SignUpOff => {
                forbidden("sign-up-off", "Sign-up is off", "Ask an administrator for an account.")
            }
            Self::Disabled => disabled(),
            Self::NoLongerAllowed => NoLongerAllowed.into_problem(),
            Self::SessionNeeded => session_needed(),
            Self::SessionNeededForAdministrator => session_needed_for_administrator(),
            Self::TooManyAttempts(throttled) => too_many_attempts(&throttled),
            Self::Busy => {
                Problem::busy("Too many people are signing in right now. Try again in a few seconds.")
            }
            Self::Changed => conflict("The account just changed", "Nothing was saved. Try again."),
            Self::Conflict(current) => stale(&current),
            Self::KeyReused(error) => error.into_problem(),
            Self::Cursor(error) => error.into_problem(),
            Self::Hashing(_) => Problem::unknown(&self),
            Self::Store(error) => error.into_problem(),
        }
    }
}

// What was entered is wrong.

/// Creates the problem of a field with a wrong value.
fn wrong(field: &str, message: impl Into<String>) -> Problem {
    WebError::field(field, &Invalid::new(message)).into_problem()
}

fn two_factor(error: TwoFactorError) -> Problem {
    match error {
        TwoFactorError::WrongCode => wrong("code", "Incorrect code."),
        TwoFactorError::UsedCode => wrong("code", "This code was already used. Wait for the next one."),
        TwoFactorError::Cipher(_) => Problem::unknown(&error),
    }
}

// A rule forbids the change.

fn rule_violation(name: &'static str, title: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, name, title, detail)
}

fn last_administrator() -> Problem {
    let title = "This is the last active administrator";
    rule_violation("last-administrator", title, "Make another person an administrator first.")
}

fn not_active() -> Problem {
    let detail = "The account is invited, disabled, or a service, which doesn't sign in.";
    rule_violation("account-not-active", "This isn't possible for the account now", detail)
}

fn no_data_key() -> Problem {
    let title = "Two-factor authentication isn't available on this server";
    rule_violation("no-data-key", title, "Set HOLDFAST_DATA_KEY, as docs/configuration.md says.")
}

fn two_factor_required() -> Problem {
    let title = "Your role requires two-factor authentication";
    let detail = "You can't turn it off. An administrator can change the requirement.";
    rule_violation("two-factor-required", title, detail)
}

// The sender may not do this.

fn forbidden(name: &'static str, title: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, name, title, detail)
}

fn disabled() -> Problem {
    let detail = "An administrator disabled your account. Ask an administrator to enable it.";
    forbidden("account-disabled", "Your account is disabled", detail)
}

fn session_needed() -> Problem {
    let detail = "Sign in with a browser and use the account page.";
    forbidden("session-needed", "A token can't do this", detail)
}

fn session_needed_for_administrator() -> Problem {
    let detail = "Only a signed-in browser can add, promote, or enable an administrator, change their email, or reset their sign-in. Use the People page.";
    forbidden("session-needed", "A token can't do this to an administrator", detail)
}

// The request may succeed later.

fn too_many_attempts(throttled: &Throttled) -> Problem {
    let detail = format!("Wait {} and try again.", throttled.wait());
    let title = "Too many failed attempts";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", title, detail);
    problem.retry_after(throttled.seconds)
}

fn conflict(title: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "conflict", title, detail)
}

/// Creates the problem of a change that names an old version. It contains the current account.
fn stale(current: &Account) -> Problem {
    let detail = "Nothing was saved. `fresh` is the current account; send the change again with its version.";
    conflict("The account has changed", detail).with("fresh", json!(AccountView::from(current)))
}
