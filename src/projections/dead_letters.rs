//! Dead letters of the table's stream: records that could not be read or applied, kept with key and reason until an
//! administrator retries or dismisses them.
//!
//! Invariants: a record has one dead letter, however often it is delivered; a retry does everything that the record
//! should have done, and nothing twice, since all of that is safe to repeat; each change of a dead letter names its
//! version. What the record held is dropped once the dead letter is closed, and the rest 30 days later.

pub mod api;
pub mod domain;
mod error;
pub mod pages;
pub mod retry;
pub mod store;
mod views;

pub use error::DeadLetterError;
