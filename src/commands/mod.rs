//! Automation: commands, as JSON, as lines of text, from a shell and from a page.
//!
//! Invariants: one table of commands and parameters ([`specs`]) reads them from JSON and from text, writes the help and
//! the messages; of a text with a mistake in it no line runs; a command with an idempotency key has its effect once; a
//! one-time rule has its effect once for its order and action, whoever asks and however often.

pub mod api;
pub mod domain;
mod error;
pub mod execute;
pub mod grammar;
pub mod help;
pub mod pages;
mod routes;
pub mod script;
mod service;
pub mod specs;
mod store;
mod views;

pub use error::AutomationError;
pub use execute::Outcome;
pub use routes::routes;
pub use service::Commands;
