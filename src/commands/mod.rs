//! Automation: commands from JSON, lines of text, a shell and a page.
//!
//! Invariants: one table of commands and parameters ([`specs`]) parses JSON and text, and generates the help and
//! the error messages. If a text has an error, none of its lines runs. A command with an idempotency key takes
//! effect once. A one-time rule takes effect once per order and action, for all callers together.

pub mod domain;
mod error;
pub mod execute;
pub mod grammar;
pub mod help;
mod http;
mod routes;
pub mod script;
mod service;
pub mod specs;
mod store;

pub use error::AutomationError;
pub use execute::Outcome;
pub use routes::routes;
pub use service::Commands;
