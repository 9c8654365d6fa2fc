//! The audit log: who did what to whom, when, and from where. Administrators read it.
//!
//! Invariants: every feature writes its [entries](crate::shared::audit_log) in the transactions of what they record;
//! this feature only reads them, and writes the entry of its own export. Pages are newest first, and neither skip nor
//! repeat an entry while others arrive. An expired entry is never shown, even if DynamoDB has not removed it yet.
//!
//! **Cost.** A day has 16 partitions. One round reads all of them at the same time, each with a limit, and a page makes
//! at most [`ROUNDS`](read::ROUNDS) rounds, so it takes at most 112 calls. If a filter matches few entries, a page has
//! fewer than it may have, and its cursor says where the search continues.

mod error;
pub mod export;
pub mod filter;
mod http;
mod merge;
pub mod read;
mod routes;
mod service;

pub use error::AuditError;
pub use routes::routes;
pub use service::Audit;
