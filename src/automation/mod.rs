//! Automation: commands, as JSON, as lines of text, from a shell and from a page.
//!
//! Invariants: one table of commands and parameters ([`specs`]) reads them from JSON and from text, writes the help and
//! the messages; of a text with a mistake in it no line runs; a command with an idempotency key has its effect once; a
//! one-time rule has its effect once for its order and action, whoever asks and however often.

pub mod api;
pub mod commands;
pub mod consume;
pub mod dead_letters;
pub mod domain;
mod error;
pub mod events;
pub mod grammar;
pub mod help;
pub mod pages;
pub mod rules;
pub mod script;
pub mod specs;
mod store;
mod views;

pub use commands::{Outcome, execute};
pub use error::AutomationError;

use crate::app::App;
use crate::web::access::Routes;

/// All routes of automation.
pub fn router(app: &App) -> Routes {
    api::routes(app).and(pages::routes(app)).and(rules::router(app)).and(dead_letters::router(app))
}
