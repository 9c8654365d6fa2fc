//! The embedded engine: DynamoDB's semantics for what the product sends, over ordered bytes, in this process.
//!
//! Invariants:
//! - Writes are judged one after another, each against the state that all before it left. A transaction happens as a
//!   whole or not at all.
//! - On disk, nothing is answered, refusals included, before the state that it was judged against is synced.
//! - A request's parameters and expressions are checked by the caller; the one writer only judges and stores.
//! - What the engine does not support is a `ValidationException` that names it, never a silent difference.
//! - Neither input nor stored bytes can make it panic; damaged bytes are an `InternalServerError`.
//!
//! Differences from DynamoDB that callers may see: indexes are consistent at once, a batch happens as a whole, numbers
//! come back in their shortest form, nothing is throttled unless the queue of writes is full, and client request tokens
//! are forgotten when the process ends.

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
