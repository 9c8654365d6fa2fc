//! Descriptions of tables: keys, indexes, stream, time to live.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::codec::{self, Attributes, ItemRef, Kind, ValueRef};
use super::error::EngineError;
use super::key;

/// A key attribute: a text, a number or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttribute {
    pub name: String,
    pub kind: Kind,
}

/// The key attributes of a table or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySchema {
    pub partition: KeyAttribute,
    pub sort: Option<KeyAttribute>,
}

impl KeySchema {
    /// Returns the key attributes, partition key first.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.attributes().any(|attribute| attribute.name == name)
    }
}

/// The attributes that an index contains in addition to keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projected {
    KeysOnly,
    Include(Vec<String>),
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The index's number in the table. Part of its entries' keys.
    pub id: u8,
    pub name: String,
    pub keys: KeySchema,
    pub projected: Projected,
}

/// The number of the time-to-live index of every table.
pub const EXPIRY_INDEX: u8 = u8::MAX;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table's number. Part of all its keys.
    pub id: u16,
    pub name: String,
    pub keys: KeySchema,
    pub indexes: Vec<Index>,
    /// The label of the stream, if the table has one.
    pub stream: Option<String>,
    /// The attribute that contains the second after which an item expires.
    pub ttl: Option<String>,
    /// The numbers of indexes that do not contain all items yet. Writes update them, but they cannot be read.
    pub building: Vec<u8>,
    pub created: Timestamp,
}

/// All tables by name. A change of a table creates a new catalog.
pub type Catalog = HashMap<String, Arc<Table>>;

/// The key of an item, in two encodings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemKey {
    /// The key in [`Space::Items`](super::storage::Space::Items).
    pub storage: Vec<u8>,
    /// An encoded item that contains only the key attributes.
    pub attributes: Vec<u8>,
}

/// Why a key is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The request is malformed. This rejects a whole transaction.
    Malformed(String),
    /// The key does not fit the table. In a transaction, this rejects only its action.
    Mismatch(String),
}

impl From<KeyError> for EngineError {
    fn from(error: KeyError) -> Self {
        let (KeyError::Malformed(message) | KeyError::Mismatch(message)) = error;
        Self::invalid(message)
    }
}

impl Table {
    pub fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// Returns the key of an encoded item. The item may have other attributes.
    pub fn key_of(&self, item: ItemRef<'_>) -> Result<ItemKey, KeyError> {
        let mut storage = key::table_prefix(self.id);
        let mut attributes: Vec<(&str, ValueRef<'_>)> = Vec::with_capacity(2);
        for (position, attribute) in self.keys.attributes().enumerate() {
            let Some(value) = item.get(&attribute.name) else {
                let message = "One or more parameter values were invalid: Missing the key";
                return Err(KeyError::Malformed(format!("{message} {} in the item", attribute.name)));
            };
            check_key_value(attribute, value, position == 0)?;
            key::put_part(value, &mut storage);
            attributes.push((&attribute.name, value));
        }
        Ok(ItemKey { storage, attributes: item_of(attributes) })
    }

    /// Returns the key from a request's key attributes, which must be complete and contain nothing else.
    pub fn key(&self, attributes: &Attributes) -> Result<ItemKey, KeyError> {
        let complete = attributes.len() == self.keys.attributes().count()
            && self.keys.attributes().all(|key| attributes.contains_key(&key.name));
        if !complete {
            return Err(KeyError::Malformed("The provided key element does not match the schema".to_owned()));
        }
        let item = codec::encode_item(attributes).map_err(|error| KeyError::Malformed(error.to_string()))?;
        self.key_of(ItemRef(&item))
    }

    /// Returns the key attributes of a stored item.
    pub fn key_attributes(&self, item: ItemRef<'_>) -> Vec<u8> {
        let keys = self.keys.attributes();
        item_of(keys.filter_map(|key| Some((&*key.name, item.get(&key.name)?))).collect())
    }
}

/// Encodes an item from some attributes.
pub fn item_of(mut attributes: Vec<(&str, ValueRef<'_>)>) -> Vec<u8> {
    attributes.sort_unstable_by_key(|(name, _)| *name);
    attributes.dedup_by_key(|(name, _)| *name);
    let mut item = Vec::new();
    for (name, value) in attributes {
        codec::put_attribute(name, value, &mut item);
    }
    item
}

/// Checks the type and the length of a key attribute's value.
pub fn check_key_value(
    attribute: &KeyAttribute,
    value: ValueRef<'_>,
    is_partition: bool,
) -> Result<(), KeyError> {
    let name = &attribute.name;
    let kind = value.kind();
    if kind != Some(attribute.kind) {
        let (expected, actual) = (attribute.kind.name(), kind.map_or("?", Kind::name));
        return Err(KeyError::Mismatch(format!(
            "One or more parameter values were invalid: Type mismatch for key {name} expected: {expected} actual: {actual}"
        )));
    }
    let length = value.payload().len();
    if length == 0 {
        let what = if kind == Some(Kind::B) { "binary" } else { "string" };
        return Err(KeyError::Malformed(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty {what} value. Key: {name}"
        )));
    }
    let (limit, part) =
        if is_partition { (key::MAX_PARTITION, "hashkey") } else { (key::MAX_SORT, "rangekey") };
    if length > limit {
        return Err(KeyError::Mismatch(format!(
            "One or more parameter values were invalid: Size of {part} has exceeded the maximum size limit of{limit} bytes"
        )));
    }
    Ok(())
}

fn key_to_value(keys: &KeySchema) -> AttributeValue {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let parts = keys.attributes().flat_map(|key| [text(&key.name), text(key.kind.name())]);
    AttributeValue::L(parts.collect())
}

fn key_from_value(value: &AttributeValue) -> Option<KeySchema> {
    let parts: Option<Vec<&String>> = value.as_l().ok()?.iter().map(|part| part.as_s().ok()).collect();
    let attribute =
        |name: &str, kind: &str| Some(KeyAttribute { name: name.to_owned(), kind: Kind::from_name(kind)? });
    match &parts?[..] {
        [name, kind] => Some(KeySchema { partition: attribute(name, kind)?, sort: None }),
        [name, kind, sort, sort_kind] => {
            Some(KeySchema { partition: attribute(name, kind)?, sort: Some(attribute(sort, sort_kind)?) })
        }
        _ => None,
    }
}

impl Index {
    fn to_value(&self) -> AttributeValue {
        let mut map = HashMap::from([
            ("id".to_owned(), AttributeValue::N(self.id.to_string())),
            ("name".to_owned(), AttributeValue::S(self.name.clone())),
            ("keys".to_owned(), key_to_value(&self.keys)),
        ]);
        match &self.projected {
            Projected::KeysOnly => {}
            Projected::All => drop(map.insert("all".to_owned(), AttributeValue::Bool(true))),
            Projected::Include(names) => {
                let names = names.iter().cloned().map(AttributeValue::S).collect();
                map.insert("include".to_owned(), AttributeValue::L(names));
            }
        }
        AttributeValue::M(map)
    }

    fn from_value(value: &AttributeValue) -> Option<Self> {
        let map = value.as_m().ok()?;
        let include = map.get("include").and_then(|names| names.as_l().ok());
        let projected = match include {
            Some(names) => {
                Projected::Include(names.iter().filter_map(|name| name.as_s().ok().cloned()).collect())
            }
            None if map.contains_key("all") => Projected::All,
            None => Projected::KeysOnly,
        };
        Some(Self {
            id: map.get("id")?.as_n().ok()?.parse().ok()?,
            name: map.get("name")?.as_s().ok()?.clone(),
            keys: key_from_value(map.get("keys")?)?,
            projected,
        })
    }
}

impl Table {
    pub fn encode(&self) -> Result<Vec<u8>, EngineError> {
        let mut map: Attributes = HashMap::from([
            ("id".to_owned(), AttributeValue::N(self.id.to_string())),
            ("name".to_owned(), AttributeValue::S(self.name.clone())),
            ("keys".to_owned(), key_to_value(&self.keys)),
            ("indexes".to_owned(), AttributeValue::L(self.indexes.iter().map(Index::to_value).collect())),
            ("created".to_owned(), AttributeValue::N(self.created.as_millisecond().to_string())),
        ]);
        let building = self.building.iter().map(|id| AttributeValue::N(id.to_string())).collect();
        map.insert("building".to_owned(), AttributeValue::L(building));
        let optional = [("stream", &self.stream), ("ttl", &self.ttl)];
        for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))) {
            map.insert(name.to_owned(), AttributeValue::S(value));
        }
        Ok(codec::encode_item(&map)?)
    }

    /// Decodes a stored table. Returns `None` if the bytes are not a valid table.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let map = ItemRef(bytes).decode().ok()?;
        let text = |name: &str| map.get(name).and_then(|value| value.as_s().ok()).cloned();
        let building = map.get("building")?.as_l().ok()?.iter();
        let building = building.map(|id| id.as_n().ok()?.parse().ok()).collect::<Option<_>>()?;
        let created = map.get("created")?.as_n().ok()?.parse().ok()?;
        Some(Self {
            id: map.get("id")?.as_n().ok()?.parse().ok()?,
            name: text("name")?,
            keys: key_from_value(map.get("keys")?)?,
            indexes: map.get("indexes")?.as_l().ok()?.iter().map(Index::from_value).collect::<Option<_>>()?,
            stream: text("stream"),
            ttl: text("ttl"),
            building,
            created: Timestamp::from_millisecond(created).ok()?,
        })
    }

    /// Returns the key attributes of the table and all its indexes, with their types.
    pub fn definitions(&self) -> BTreeMap<&str, Kind> {
        let indexes = self.indexes.iter().map(|index| &index.keys);
        let keys = std::iter::once(&self.keys).chain(indexes);
        keys.flat_map(KeySchema::attributes).map(|key| (&*key.name, key.kind)).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
