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
mod authenticate;
pub mod cookies;
pub mod device;
pub mod domain;
mod error;
pub mod hashing;
pub mod keys;
pub mod login_throttle;
mod pages;
pub mod password;
pub mod requester;
mod routes;
mod service;
pub mod session;
pub mod sign_up;
pub mod store;
pub mod tokens;
mod views;

pub use error::AccountError;
pub use routes::routes;
pub use service::Accounts;

/// The path of a sign-in link with this secret.
pub fn link_path(secret: &str) -> String {
    format!("/sign-in/link/{secret}")
}
