//! The one store: a DynamoDB table at the end of a [`mod@line`].
//!
//! What always holds here: every call has a key or index condition, a limit and a deadline; every change is one
//! guarded `TransactWriteItems`; failures that pass by waiting are retried in one place; no request sends a Scan; what
//! comes from the table is in the present form of items, whichever it was written in.

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
mod form_to_write;
mod forms;
mod guarded_write;
mod item;
pub mod ledger;
pub mod line;
mod outcome;
mod read;
#[cfg(feature = "local")]
mod reader;
mod record;
mod refusal;
mod retry;
pub mod schema;
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
pub use upgrade::{Upgraded, upgrade_all};
pub use versions::{OLDEST, SCHEMA};
