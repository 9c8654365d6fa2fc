//! Accounts: the people who may use Holdfast.
//!
//! Invariants:
//! - An email address belongs to one account, regardless of case.
//! - A password is stored as an argon2id hash, and a secret (API token, link, session) as its SHA-256. Neither is
//!   logged.
//! - A session is in the table and ends there: by its limits, by signing out, with every new password, and when its
//!   account is disabled.
//! - A link works once, and only by its button. A revoked token signs no request in.
//! - A token never has a higher role than its account has now.
//! - There is always an active administrator, also if two administrators remove each other at once.
//! - A person who signs up is a participant. No answer says whether an address has an account.
//! - Recognizing a session takes one call, and a token two. Every change is one guarded write with a history entry and
//!   an audit entry.

pub mod administer;
pub mod agents;
pub mod auth_cache;
mod authenticate;
pub mod authority;
pub mod change;
pub mod cookies;
pub mod data_keys;
pub mod deletion;
pub mod device;
mod device_name;
pub mod domain;
pub mod ending;
mod error;
pub mod hashing;
mod http;
mod items;
pub mod keys;
pub mod links;
mod list;
pub mod login_throttle;
mod message_cookie;
mod own;
pub mod password;
pub mod register;
pub mod requester;
mod routes;
mod second_step;
pub mod security;
mod service;
mod session_cookie;
pub mod session_view;
pub mod sessions;
mod sign_in;
mod sign_in_audit;
pub mod sign_up;
mod store;
mod ticket;
pub mod token_view;
pub mod tokens;
pub mod two_factor;
mod upgrade;
pub mod view;

pub use error::AccountError;
pub use items::{Filter, HistoryEntry};
pub use routes::routes;
pub use service::{Accounts, SignInSettings};

/// Returns the path of the sign-in link with this secret.
pub fn link_path(secret: &str) -> String {
    format!("/sign-in/link/{secret}")
}
