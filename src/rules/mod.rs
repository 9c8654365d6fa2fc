//! Rules: commands that events trigger.
//!
//! Invariants: however often an event is delivered, the command takes effect once for each rule and event, because it
//! has an idempotency record. Every run leaves a record of its outcome. Rules that trigger each other stop at a depth of
//! five. A failed run is tried three times, and then waits visibly for a person.

pub mod domain;
mod error;
pub mod events;
pub mod execute;
mod http;
pub mod last;
mod routes;
pub mod run;
pub mod runs;
mod service;
pub mod store;
pub mod template;
mod trigger;

pub use error::RuleError;
pub use routes::routes;
pub use service::Rules;
