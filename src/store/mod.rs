//! The one store: a DynamoDB table behind a [`mod@line`].
//!
//! Invariants: every call has a key or index condition, a limit and a deadline. Every change is one guarded
//! `TransactWriteItems`. Temporary failures are retried in one place. No request sends a Scan. Every item that is
//! read is converted to the current schema, unless little more than its key is needed.

mod answer;
mod budget;
mod client;
mod convert;
mod cursor;
mod deadline;
#[cfg(feature = "local")]
mod embedded;
mod error;
mod expression;
mod guarded_write;
pub mod idempotency;
mod item;
pub mod line;
mod outcome;
mod read;
#[cfg(feature = "local")]
mod reader;
mod record;
mod refusal;
mod retry;
pub mod schema;
mod schema_to_write;
mod schema_versions;
pub mod stream;
mod trace;
mod transaction;
mod upgrade;
mod versions;
mod write;

pub use budget::DeadlineExceeded;
pub use client::Dynamo;
pub use convert::{from_item, to_attribute, to_item};
pub use cursor::{Cursor, CursorError};
pub use deadline::Retries;
#[cfg(feature = "local")]
pub use embedded::Embedded;
pub use error::StoreError;
#[cfg(feature = "aws")]
pub(crate) use error::error_chain;
pub use expression::{Condition, Update};
pub use guarded_write::GuardedWrite;
pub use item::{Item, Key};
pub use read::{Page, Select};
#[cfg(feature = "local")]
pub use reader::{PollInterval, Progress, StreamReader};
pub use refusal::{Refusal, WriteError};
pub use retry::RetryPolicy;
pub use upgrade::{ScanPosition, Upgraded, upgrade_all};
pub use versions::{OLDEST, SCHEMA};
