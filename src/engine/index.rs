//! Entries of global secondary indexes, and their changes when an item changes.
//!
//! Invariants: an item has at most one entry in an index, and only if it has all key attributes of the index and their
//! values are valid keys. An unchanged entry is not written. The key of an entry contains the index key and the item
//! key, so an index that projects only keys stores no values.

use super::codec::{ItemRef, ValueRef};
use super::key;
use super::tables::{Index, ItemKey, KeyError, Projected, Table, check_key_value, item_of};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key: prefix, index key, item key.
    pub key: Vec<u8>,
    /// The projected item. Empty if the index projects only keys.
    pub value: Vec<u8>,
    /// The size in bytes, as DynamoDB counts it.
    pub size: usize,
}

/// The change of an item's entry in an index, and its cost in write units.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub delete: Option<Vec<u8>>,
    pub put: Option<Entry>,
    pub units: f64,
}

/// Returns the write units for a size: one for each started KB.
pub fn units(size: usize) -> f64 {
    let started = u32::try_from(size.max(1).div_ceil(1024)).unwrap_or(u32::MAX);
    f64::from(started)
}

/// Returns the entry of an item in an index. Returns `None` if the item lacks a key attribute of the index,
/// or if a value is not a valid key. Such a value can only be older than the index.
pub fn entry(table: &Table, index: &Index, key: &ItemKey, item: ItemRef<'_>) -> Option<Entry> {
    let mut bytes = Vec::with_capacity(key.storage.len() + 128);
    bytes.extend_from_slice(&key::index_prefix(table.id, index.id));
    for (position, attribute) in index.keys.attributes().enumerate() {
        let value = item.get(&attribute.name)?;
        check_key_value(attribute, value, position == 0).ok()?;
        key::put_part(value, &mut bytes);
    }
    bytes.extend_from_slice(key.storage.get(2..)?);
    let (value, size) = match &index.projected {
        Projected::All => (item.0.to_vec(), item.size()),
        Projected::KeysOnly => (Vec::new(), keys_size(table, index, item)),
        Projected::Include(names) => {
            let value = project(table, index, names, item);
            let size = ItemRef(&value).size();
            (value, size)
        }
    };
    Some(Entry { key: bytes, value, size })
}

/// Returns the size of the key attributes of a table and an index.
fn keys_size(table: &Table, index: &Index, item: ItemRef<'_>) -> usize {
    let more = index.keys.attributes().filter(|key| !table.keys.contains(&key.name));
    let keys = table.keys.attributes().chain(more);
    keys.filter_map(|key| Some(key.name.len() + item.get(&key.name)?.size())).sum()
}

fn project(table: &Table, index: &Index, include: &[String], item: ItemRef<'_>) -> Vec<u8> {
    let keys = table.keys.attributes().chain(index.keys.attributes()).map(|key| &key.name);
    let names = keys.chain(include);
    item_of(names.filter_map(|name| Some((&**name, item.get(name)?))).collect())
}

/// Returns the change in an index when `old` becomes `new`, or `None` if the entry does not change.
pub fn difference(
    table: &Table,
    index: &Index,
    key: &ItemKey,
    old: Option<ItemRef<'_>>,
    new: Option<ItemRef<'_>>,
) -> Option<Change> {
    if let (Some(old), Some(new)) = (old, new)
        && index.projected == Projected::KeysOnly
        && index.keys.attributes().all(|key| old.get(&key.name) == new.get(&key.name))
    {
        return None;
    }
    let old = old.and_then(|item| entry(table, index, key, item));
    let new = new.and_then(|item| entry(table, index, key, item));
    match (old, new) {
        (None, None) => None,
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) if old.key == new.key => {
            let units = units(old.size.max(new.size));
            Some(Change { delete: None, put: Some(new), units })
        }
        (old, new) => {
            let cost = |entry: &Option<Entry>| entry.as_ref().map_or(0.0, |entry| units(entry.size));
            let units = cost(&old) + cost(&new);
            Some(Change { delete: old.map(|entry| entry.key), put: new, units })
        }
    }
}

/// Checks that an item's attributes are valid keys of the indexes that use them. The error is DynamoDB's message.
pub fn check_keys(table: &Table, item: ItemRef<'_>) -> Result<(), String> {
    for index in &table.indexes {
        for (position, attribute) in index.keys.attributes().enumerate() {
            let Some(value) = item.get(&attribute.name) else { continue };
            check_key_value(attribute, value, position == 0).map_err(|error| {
                let (KeyError::Malformed(message) | KeyError::Mismatch(message)) = error;
                format!("{message} IndexName: {}", index.name)
            })?;
        }
    }
    Ok(())
}

/// Decodes the attributes of an entry from its key. The index must project only keys.
pub fn keys_of_entry(table: &Table, index: &Index, entry_key: &[u8]) -> Option<Vec<u8>> {
    let mut rest = entry_key.get(3..)?;
    let mut values = Vec::with_capacity(4);
    for attribute in index.keys.attributes().chain(table.keys.attributes()) {
        values.push((&*attribute.name, key::take_part(attribute.kind, &mut rest)?));
    }
    Some(item_of(values.iter().map(|(name, value)| (*name, ValueRef(value))).collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::super::codec::{self, Attributes, Kind};
    use super::super::tables::tests::{attribute, table};
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use proptest::prelude::*;

    fn item(g: Option<u8>, h: Option<u8>, x: Option<u8>, y: Option<u8>) -> Attributes {
        let text = |value: u8| AttributeValue::S(value.to_string());
        let mut item = HashMap::from([("pk".to_owned(), text(1)), ("sk".to_owned(), text(2))]);
        item.extend(g.map(|g| ("g".to_owned(), text(g))));
        item.extend(h.map(|h| ("h".to_owned(), AttributeValue::N(h.to_string()))));
        item.extend(x.map(|x| ("x".to_owned(), text(x))));
        item.extend(y.map(|y| ("y".to_owned(), text(y))));
        item
    }

    fn any_item() -> impl Strategy<Value = Option<Attributes>> {
        let part = || proptest::option::of(0..2_u8);
        proptest::option::of((part(), part(), part(), part()).prop_map(|(g, h, x, y)| item(g, h, x, y)))
    }

    fn item_key(table: &Table) -> ItemKey {
        let item = codec::encode_item(&item(None, None, None, None)).unwrap();
        table.key_of(ItemRef(&item)).unwrap()
    }

    proptest! {
        #[test]
        fn applying_a_difference_leaves_only_the_entry_of_the_new_item(old in any_item(), new in any_item()) {
            let table = table();
            let key = item_key(&table);
            let [old, new] = [old, new].map(|item| item.map(|item| codec::encode_item(&item).unwrap()));
            for index in &table.indexes {
                let entry_of = |item: &Option<Vec<u8>>| {
                    item.as_ref().and_then(|item| entry(&table, index, &key, ItemRef(item)))
                };
                let mut stored: BTreeMap<_, _> =
                    entry_of(&old).into_iter().map(|entry| (entry.key, entry.value)).collect();
                let before = stored.clone();
                let change = difference(
                    &table, index, &key, old.as_deref().map(ItemRef), new.as_deref().map(ItemRef),
                );
                if let Some(change) = &change {
                    prop_assert!(change.units > 0.0);
                    change.delete.iter().for_each(|key| drop(stored.remove(key)));
                    stored.extend(change.put.clone().map(|entry| (entry.key, entry.value)));
                }
                let expected: BTreeMap<_, _> =
                    entry_of(&new).into_iter().map(|entry| (entry.key, entry.value)).collect();
                prop_assert_eq!(&stored, &expected);
                prop_assert_eq!(change.is_none(), before == expected, "unchanged entries are not written");
            }
        }
    }

    #[test]
    fn key_attributes_are_decoded_from_an_entry_key() {
        let table = table();
        let bytes = codec::encode_item(&item(Some(3), Some(4), Some(5), None)).unwrap();
        let key = table.key_of(ItemRef(&bytes)).unwrap();
        let entry = entry(&table, &table.indexes[0], &key, ItemRef(&bytes)).unwrap();
        let keys = codec::encode_item(&item(Some(3), Some(4), None, None)).unwrap();
        assert_eq!(keys_of_entry(&table, &table.indexes[0], &entry.key), Some(keys));
        assert!(entry.value.is_empty());
    }

    #[test]
    fn index_units_match_dynamodb() {
        let mut table = table();
        table.indexes[1].keys.sort = Some(attribute("h", Kind::N));
        let units = |index: usize, old: Option<Attributes>, new: Option<Attributes>| {
            let [old, new] = [old, new].map(|item| item.map(|item| codec::encode_item(&item).unwrap()));
            let (old, new) = (old.as_deref().map(ItemRef), new.as_deref().map(ItemRef));
            let change = difference(&table, &table.indexes[index], &item_key(&table), old, new);
            change.map_or(0.0, |change| change.units)
        };
        let with = |g, x, y| Some(item(Some(g), Some(1), Some(x), Some(y)));
        let base = || with(1, 1, 1);
        assert_eq!(units(1, None, base()), 1.0, "put");
        assert_eq!(units(1, base(), None), 1.0, "delete");
        assert_eq!(units(1, base(), with(1, 2, 1)), 1.0, "projected attribute");
        assert_eq!(units(1, base(), with(1, 1, 2)), 0.0, "other attribute");
        assert_eq!(units(1, base(), with(2, 1, 1)), 2.0, "key");
        assert_eq!(units(2, base(), with(1, 1, 2)), 1.0, "all projected");
    }
}
