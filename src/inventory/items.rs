//! Keys and items of the inventory: what stands where in the table.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;
use serde::{Deserialize, Serialize};

use super::domain::{Delivery, Message, MessageId, Movement, Parked, ParkedId, ParkedStatus, Product, Sku};
use crate::base::values::Version;
use crate::store::schema::{ALL_NEWEST, ALL_SCORE, STATUS_NEWEST};
use crate::store::{Item, Key, StoreError, from_item, to_item};

/// The sort key of a product's own item.
const PRODUCT: &str = "PRODUCT";
/// What the sort keys of movements begin with; it sorts before [`PRODUCT`].
pub(super) const MOVEMENTS: &str = "MOVEMENT#";
/// The partition of all products in the index.
pub(super) const PRODUCTS: &str = "PRODUCTS";
const PARKED: &str = "PARKED";
const BODY: &str = "BODY#";
/// The attribute of the bytes of a parked message.
const BYTES: &str = "bytes";
/// The bytes of one item of a body: an item holds 400 KB.
const BODY_BYTES: usize = 300_000;

pub(super) fn product_key(sku: &Sku) -> Key {
    Key::new(format!("PRODUCT#{sku}"), PRODUCT)
}

/// Where a product stands in the list: low stock first, then by sku.
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

/// What is remembered of a message, for ever: it counts once however often it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdempotencyRecord {
    pub message_id: MessageId,
    pub fingerprint: String,
    pub sku: Sku,
    /// The movement that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Where it is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<ParkedId>,
}

impl IdempotencyRecord {
    /// A message that is not parked and made no movement yet.
    pub(super) fn of(message: &Message) -> Self {
        Self {
            message_id: message.message_id.clone(),
            fingerprint: message.fingerprint(),
            sku: message.sku.clone(),
            version: None,
            parked: None,
        }
    }
}

pub(super) fn message_key(id: &MessageId) -> Key {
    Key::new(format!("MESSAGE#{id}"), "MESSAGE")
}

pub(super) fn remembered_item(saved_before: &IdempotencyRecord) -> Result<Item, StoreError> {
    to_item(&message_key(&saved_before.message_id), saved_before)
}

pub(super) fn parked_key(id: ParkedId) -> Key {
    Key::new(format!("PARKED#{id}"), PARKED)
}

/// The partition of parked messages of a status in the index.
pub(super) fn parked_partition(status: ParkedStatus) -> String {
    format!("PARKED#{status}")
}

/// Where a parked message stands in its list.
pub(super) fn parked_sort(parked: &Parked) -> String {
    format!("{:015}#{}", parked.parked_at.as_millisecond(), parked.id)
}

pub(super) fn parked_item(parked: &Parked) -> Result<Item, StoreError> {
    let mut item = to_item(&parked_key(parked.id), parked)?;
    let partition = parked_partition(parked.status);
    item.insert(STATUS_NEWEST.partition.to_owned(), AttributeValue::S(partition));
    item.insert(STATUS_NEWEST.sort.to_owned(), AttributeValue::S(parked_sort(parked)));
    Ok(item)
}

fn body_key(id: ParkedId, number: usize) -> Key {
    Key::new(parked_key(id).pk, format!("{BODY}{number:02}"))
}

/// Where the bytes of a parked message begin; those of a short one end there as well.
pub(super) fn first_body_key(id: ParkedId) -> Key {
    body_key(id, 0)
}

/// The bytes in an item of a body.
pub(super) fn bytes_of(item: &Item) -> Option<&[u8]> {
    item.get(BYTES)?.as_b().ok().map(AsRef::as_ref)
}

/// The items that hold the bytes of a parked message. Most have one.
pub(super) fn body_items(id: ParkedId, raw: &[u8]) -> Vec<Item> {
    let item = |(number, bytes): (usize, &[u8])| {
        let text = |text: String| AttributeValue::S(text);
        let key = body_key(id, number);
        Item::from([
            ("pk".to_owned(), text(key.pk)),
            ("sk".to_owned(), text(key.sk)),
            (BYTES.to_owned(), AttributeValue::B(Blob::new(bytes))),
        ])
    };
    raw.chunks(BODY_BYTES).enumerate().map(item).collect()
}

/// A parked message and its bytes, from all the items of its partition.
pub(super) fn parked_with_body(items: Vec<Item>) -> Result<Option<(Parked, Vec<u8>)>, StoreError> {
    let (mut parked, mut raw) = (None, Vec::new());
    for item in items {
        match bytes_of(&item) {
            // They come in the order of their numbers.
            Some(bytes) => raw.extend_from_slice(bytes),
            None => parked = Some(from_item(item)?),
        }
    }
    Ok(parked.map(|parked| (parked, raw)))
}

/// How many bytes a delivery brings into a transaction, which holds 4 MB.
pub(super) fn weight(delivery: &Delivery) -> usize {
    2_000 + delivery.raw.len()
}
