//! The embedded engine: DynamoDB's semantics for the operations that the product uses, in this process.
//!
//! Invariants:
//! - Writes are evaluated one after another, and each sees the result of all earlier writes. A transaction is applied
//!   completely or not at all.
//! - With a data file, every answer, including an error, is sent after the state that it is based on is synced.
//! - The caller's thread checks a request's parameters and expressions. The single writer only evaluates and stores.
//! - An unsupported feature is a `ValidationException` that names it, never a silent difference.
//! - Neither input nor stored bytes can cause a panic. Damaged bytes are an `InternalServerError`.
//!
//! Callers can observe these differences from DynamoDB: indexes are consistent immediately, a batch is atomic, numbers
//! are returned in their shortest form, throttling happens only when the write queue is full, and client request tokens
//! are lost when the process ends.

mod action;
mod backup;
mod capacity;
mod catalog;
mod check;
mod codec;
mod ddl;
mod disk;
mod error;
mod expire;
mod expiry;
mod expression;
mod handle;
mod index;
mod key;
mod load;
mod number;
mod operations;
mod parameters;
mod query;
mod read;
mod readers;
mod state;
mod storage;
mod stream;
mod tables;
mod tokens;
mod transact;
mod write;

#[cfg(test)]
mod tests;

pub use self::backup::BackupError;
pub use self::check::CheckReport;
pub use self::error::{EngineError, ErrorCode};
pub use self::handle::Engine;
pub use self::storage::OpenError;
pub use self::stream::{ChangeKind, StreamPage, StreamRecord};
