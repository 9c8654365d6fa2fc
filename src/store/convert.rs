//! Converts values to items and attributes, and items to values.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::item::key_of;
use super::{Item, Key, StoreError};

/// Converts `value` to the item with this key. Attributes have the same names as in JSON.
///
/// # Errors
/// [`StoreError::Malformed`] if the value is not a map or contains something that DynamoDB cannot store.
pub fn to_item(key: &Key, value: &impl Serialize) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(|error| StoreError::malformed(key, error))?;
    item.extend(key.attributes());
    Ok(item)
}

/// Converts an item to the value that it stores.
///
/// # Errors
/// [`StoreError::Malformed`] if the item does not store such a value.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let key = key_of(&item).unwrap_or_else(|| Key::new("", ""));
    serde_dynamo::from_item(item).map_err(|error| StoreError::malformed(&key, error))
}

/// Converts one field's value to an attribute.
///
/// # Errors
/// [`StoreError::Malformed`] if the value contains something that DynamoDB cannot store.
pub fn to_attribute(value: impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|error| StoreError::malformed(&Key::new("", ""), error))
}
