//! The time-to-live index: a table's items, ordered by the second after which they expire.

use super::codec::{ItemRef, Kind};
use super::key;
use super::storage::{Batch, Space};
use super::tables::{EXPIRY_INDEX, ItemKey, Table};

/// Returns the second after which an item expires.
fn expiry(table: &Table, item: ItemRef<'_>) -> Option<u64> {
    let value = item.get(table.ttl.as_deref()?)?;
    if value.kind() != Some(Kind::N) {
        return None;
    }
    let text = value.number()?.to_string();
    text.split('.').next()?.parse().ok()
}

/// Returns the key of an item's entry in the time-to-live index.
pub fn entry(table: &Table, key: &ItemKey, item: ItemRef<'_>) -> Option<Vec<u8>> {
    let mut entry = key::index_prefix(table.id, EXPIRY_INDEX);
    entry.extend_from_slice(&expiry(table, item)?.to_be_bytes());
    entry.extend_from_slice(key.storage.get(2..)?);
    Some(entry)
}

/// Adds the changes of the time-to-live index to a batch if `old` becomes `new`.
pub fn difference(
    table: &Table,
    key: &ItemKey,
    old: Option<ItemRef<'_>>,
    new: Option<ItemRef<'_>>,
    batch: &mut Batch,
) {
    if table.ttl.is_none() {
        return;
    }
    let old = old.and_then(|item| entry(table, key, item));
    let new = new.and_then(|item| entry(table, key, item));
    if old == new {
        return;
    }
    if let Some(old) = old {
        batch.delete(Space::Index, old);
    }
    if let Some(new) = new {
        batch.put_sealed(Space::Index, new, &[]);
    }
}
