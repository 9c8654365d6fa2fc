//! The one store: a DynamoDB table at the end of a [`mod@line`].
//!
//! What always holds here: every call has a key or index condition, a limit and a deadline; every change is one
//! guarded `TransactWriteItems`; failures that pass by waiting are retried in one place; no request sends a Scan; what
//! comes from the table is in the present form of items, whichever it was written in.

mod client;
mod cursor;
mod deadline;
#[cfg(feature = "local")]
mod embedded;
mod expression;
pub mod ledger;
pub mod line;
mod outcome;
mod read;
#[cfg(feature = "local")]
mod reader;
pub mod schema;
pub mod stream;
mod upgrade;
mod write;

#[cfg(feature = "aws")]
pub(crate) use client::error_chain;
pub use client::{Dynamo, RetryPolicy, StoreError};
pub use cursor::{Cursor, CursorError};
pub use deadline::{DeadlineExceeded, Retries};
#[cfg(feature = "local")]
pub use embedded::Embedded;
pub use expression::{Condition, Update};
pub use read::{Page, Select};
#[cfg(feature = "local")]
pub use reader::{Pace, Progress, StreamReader};
pub use upgrade::{OLDEST, SCHEMA, Upgraded, upgrade_all};
pub use write::{GuardedWrite, Refusal, WriteError};

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An item as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// The primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

impl Key {
    /// A key from its two parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    fn attributes(&self) -> Item {
        Item::from([
            (schema::PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (schema::SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// The item that stores `value` under `key`. Attributes are named as in JSON.
///
/// # Errors
/// [`StoreError::Malformed`] if the value is no map or holds what DynamoDB cannot.
pub fn to_item(key: &Key, value: &impl Serialize) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(|error| StoreError::malformed(key, error))?;
    item.extend(key.attributes());
    Ok(item)
}

/// The value that an item stores.
///
/// # Errors
/// [`StoreError::Malformed`] if the item does not hold such a value.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let key = Key::new(text(schema::PK).unwrap_or_default(), text(schema::SK).unwrap_or_default());
    serde_dynamo::from_item(item).map_err(|error| StoreError::malformed(&key, error))
}

/// The attribute that stores one value of a field.
///
/// # Errors
/// [`StoreError::Malformed`] if the value holds what DynamoDB cannot.
pub fn to_attribute(value: impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|error| StoreError::malformed(&Key::new("", ""), error))
}
