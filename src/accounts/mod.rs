//! Accounts: who may use Holdfast.
//!
//! Invariants: an e-mail address belongs to one account, whatever the case of its letters; a password is kept as an
//! argon2id hash and a secret (API token, sign-in link) as its SHA-256, and neither is logged; a session ends after
//! seven days and with every new password; a sign-in link works once; a revoked token signs nobody in; whoever signs up
//! is a participant. Who sends a request costs at most one read. Every change is one guarded write.
//!
//! A token carries the name and role that its owner had when it was made. A feature that changes these must change
//! the owner's tokens in the same write.

mod api;
pub mod auth_cache;
pub mod device;
pub mod domain;
pub mod hashing;
pub mod keys;
pub mod login_throttle;
mod pages;
pub mod password;
pub mod requester;
pub mod session;
pub mod sign_up;
pub mod store;
pub mod tokens;
mod views;

pub use session::{Sender, authenticate};

use self::hashing::QueueFull;
use self::login_throttle::Throttled;
use crate::app::App;
use crate::dynamo::{CursorError, StoreError};
use crate::values::Email;
use crate::web::access::Routes;

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

/// The path of a sign-in link with this secret.
pub fn link_path(secret: &str) -> String {
    format!("/sign-in/link/{secret}")
}

/// The routes of accounts, and the start page.
pub fn router(app: &App) -> Routes {
    pages::routes(app).and(api::routes(app))
}
