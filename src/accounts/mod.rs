//! Accounts: the people who may use Holdfast.
//!
//! Invariants:
//! - An email address belongs to one account, regardless of case.
//! - A password is stored as an argon2id hash, and a secret (API token, sign-in link) as its SHA-256. Neither is
//!   logged.
//! - A session ends after seven days and with every new password.
//! - A sign-in link works once. A revoked token signs nobody in.
//! - A person who signs up is a participant.
//! - Authenticating a request takes at most one read. Every change is one guarded write.
//!
//! A token contains the name and role that its owner had when it was created. A feature that changes these must change
//! the owner's tokens in the same write.

pub mod agents;
pub mod auth_cache;
mod authenticate;
pub mod authority;
pub mod cookies;
pub mod device;
pub mod domain;
mod error;
pub mod hashing;
mod http;
pub mod keys;
pub mod login_throttle;
pub mod password;
pub mod requester;
mod routes;
mod service;
pub mod session;
pub mod sign_up;
pub mod store;
pub mod tokens;

pub use error::AccountError;
pub use routes::routes;
pub use service::Accounts;

/// Returns the path of the sign-in link with this secret.
pub fn link_path(secret: &str) -> String {
    format!("/sign-in/link/{secret}")
}
