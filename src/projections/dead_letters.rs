//! Dead letters of the table's stream: records that could not be read or applied. They are stored with key and
//! reason until an administrator retries or dismisses them.
//!
//! Invariants: a record has one dead letter, however often it is delivered. A retry applies all effects of the
//! record, each once, because they are safe to repeat. Each change of a dead letter names its version. The record
//! is dropped when the dead letter is closed, and the rest 30 days later.

pub mod domain;
mod error;
pub mod retry;
pub mod store;

pub use error::DeadLetterError;
