//! Keys and items of the inventory in the table.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;
use serde::{Deserialize, Serialize};

use super::domain::{DeadLetter, DeadLetterId, Delivery, Message, MessageId, Movement, Product, Sku};
use crate::base::values::Version;
use crate::shared::dead_letters::table::DeadLetterList;
use crate::store::schema::{ALL_NEWEST, ALL_SCORE, PK, SK};
use crate::store::{Item, Key, StoreError, from_item, to_item};

/// The sort key of a product's item.
const PRODUCT: &str = "PRODUCT";
/// The prefix of the sort keys of movements. It sorts before [`PRODUCT`].
pub(super) const MOVEMENTS: &str = "MOVEMENT#";
/// The index partition of all products.
pub(super) const PRODUCTS: &str = "PRODUCTS";
const BODY: &str = "BODY#";
/// The attribute for the bytes of a dead letter.
const BYTES: &str = "bytes";
/// The bytes in one item of a body. An item can hold 400 KB.
const BODY_BYTES: usize = 300_000;

pub(super) fn product_key(sku: &Sku) -> Key {
    Key::new(format!("PRODUCT#{sku}"), PRODUCT)
}

/// Returns a product's sort key in the list: low stock first, then by sku.
pub(super) fn list_sort(product: &Product) -> String {
    format!("{}#{}", if product.is_low() { "0-low" } else { "1" }, product.sku)
}

pub(super) fn product_item(product: &Product) -> Result<Item, StoreError> {
    let mut item = to_item(&product_key(&product.sku), product)?;
    item.insert(ALL_SCORE.partition.to_owned(), AttributeValue::S(PRODUCTS.to_owned()));
    item.insert(ALL_SCORE.sort.to_owned(), AttributeValue::S(list_sort(product)));
    item.insert(ALL_NEWEST.sort.to_owned(), AttributeValue::S(product.sku.to_string()));
    Ok(item)
}

pub(super) fn movement_key(sku: &Sku, version: Version) -> Key {
    Key::new(product_key(sku).pk, format!("{MOVEMENTS}{:010}", version.get()))
}

pub(super) fn movement_item(sku: &Sku, movement: &Movement) -> Result<Item, StoreError> {
    to_item(&movement_key(sku, movement.version), movement)
}

/// The idempotency record of a message. It is kept forever, so that the message counts only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdempotencyRecord {
    pub message_id: MessageId,
    pub fingerprint: String,
    pub sku: Sku,
    /// The version of the movement it caused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The id of its dead letter.
    #[serde(rename = "parked", default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetterId>,
}

impl IdempotencyRecord {
    /// Creates the record of a message without a movement or a dead letter.
    pub(super) fn of(message: &Message) -> Self {
        Self {
            message_id: message.message_id.clone(),
            fingerprint: message.fingerprint(),
            sku: message.sku.clone(),
            version: None,
            dead_letter: None,
        }
    }
}

pub(super) fn message_key(id: &MessageId) -> Key {
    Key::new(format!("MESSAGE#{id}"), "MESSAGE")
}

pub(super) fn record_item(record: &IdempotencyRecord) -> Result<Item, StoreError> {
    to_item(&message_key(&record.message_id), record)
}

/// The dead letters of messages.
pub(super) const DEAD_LETTERS: DeadLetterList =
    DeadLetterList { sort_key: "PARKED", partition: "PARKED", name: "parked", oldest_first: false };

pub(super) fn dead_letter_item(dead_letter: &DeadLetter) -> Result<Item, StoreError> {
    DEAD_LETTERS.item(dead_letter, dead_letter.id, dead_letter.status, dead_letter.created_at)
}

fn body_key(id: DeadLetterId, number: usize) -> Key {
    Key::new(DEAD_LETTERS.key(id).pk, format!("{BODY}{number:02}"))
}

/// Returns the key of the first bytes of a dead letter. Short messages have only this item.
pub(super) fn first_body_key(id: DeadLetterId) -> Key {
    body_key(id, 0)
}

/// Returns the bytes in an item of a body.
pub(super) fn bytes_of(item: &Item) -> Option<&[u8]> {
    item.get(BYTES)?.as_b().ok().map(AsRef::as_ref)
}

/// Builds the items with the bytes of a dead letter. Most have one item.
pub(super) fn body_items(id: DeadLetterId, raw: &[u8]) -> Vec<Item> {
    let item = |(number, bytes): (usize, &[u8])| {
        let Key { pk, sk } = body_key(id, number);
        Item::from([
            (PK.to_owned(), AttributeValue::S(pk)),
            (SK.to_owned(), AttributeValue::S(sk)),
            (BYTES.to_owned(), AttributeValue::B(Blob::new(bytes))),
        ])
    };
    raw.chunks(BODY_BYTES).enumerate().map(item).collect()
}

/// Builds a dead letter and its bytes from all items of its partition.
pub(super) fn dead_letter_with_body(items: Vec<Item>) -> Result<Option<(DeadLetter, Vec<u8>)>, StoreError> {
    let (mut dead_letter, mut raw) = (None, Vec::new());
    for item in items {
        match bytes_of(&item) {
            // The items are in the order of their numbers.
            Some(bytes) => raw.extend_from_slice(bytes),
            None => dead_letter = Some(from_item(item)?),
        }
    }
    Ok(dead_letter.map(|dead_letter| (dead_letter, raw)))
}

/// Estimates how many bytes a delivery adds to a transaction, which can hold 4 MB.
pub(super) fn write_size(delivery: &Delivery) -> usize {
    2_000 + delivery.raw.len()
}
