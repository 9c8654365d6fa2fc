//! Rules: commands that events set off.
//!
//! Invariants: of each rule and event the command has its effect once, by the ledger, however often and by however many
//! the event is told; every run leaves a record that says what came of it; rules that set each other off stop at a
//! depth of five; a run that fails is tried three times and then waits, visibly, for a person.

pub mod api;
pub mod domain;
mod error;
pub mod events;
mod forms;
pub mod last;
mod on;
pub mod pages;
mod routes;
pub mod run;
pub mod running;
pub mod runs;
mod service;
pub mod store;
pub mod template;
mod views;

pub use error::RuleError;
pub use routes::routes;
pub use service::Rules;
