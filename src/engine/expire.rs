//! Time to live: the deletion of expired items in small steps.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::action::{Action, Effects};
use super::codec::{self, ItemRef};
use super::error::{EngineError, damaged, storage_error};
use super::expiry::entry;
use super::key;
use super::state::Writing;
use super::storage::{Order, Range, Read, Space, StorageError};
use super::tables::{EXPIRY_INDEX, ItemKey, Table};

/// Items that expired longer ago are left alone, as DynamoDB does: about five years.
const MAX_AGE: i64 = 5 * 365 * 24 * 60 * 60;

/// An entry that says that an item expired.
pub struct Expired {
    /// The entry's key in [`Space::Index`].
    pub entry: Vec<u8>,
    /// The item's key in [`Space::Items`].
    pub item: Vec<u8>,
}

/// What says that up to `limit` items of a table expired before the second `now`.
///
/// # Errors
/// [`StorageError`] if the order cannot be read.
pub fn expired(read: &dyn Read, table: &Table, now: i64, limit: usize) -> Result<Vec<Expired>, StorageError> {
    let prefix = key::index_prefix(table.id, EXPIRY_INDEX);
    let at = |second: i64| [&prefix[..], &u64::try_from(second).unwrap_or(0).to_be_bytes()].concat();
    let range = Range { start: at(now.saturating_sub(MAX_AGE)), end: at(now) };
    let mut found = Vec::new();
    read.scan(Space::Index, &range, Order::Forward, &mut |entry, _| {
        if found.len() >= limit {
            return ControlFlow::Break(());
        }
        let mut key = key::table_prefix(table.id);
        key.extend_from_slice(entry.get(prefix.len() + 8..).unwrap_or_default());
        found.push(Expired { entry: entry.to_vec(), item: key });
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Deletes up to `limit` items of a table that expired, and what an interrupted change left behind.
///
/// # Errors
/// [`EngineError`] if storage fails.
pub fn expire_some(
    writing: &mut Writing<'_>,
    table: &Arc<Table>,
    limit: usize,
) -> Result<usize, EngineError> {
    let Some(table) = writing.state.catalog.get(&table.name).filter(|table| table.ttl.is_some()).cloned()
    else {
        return Ok(0);
    };
    let now = writing.now.as_second();
    let found = expired(writing.read, &table, now, limit).map_err(storage_error)?;
    let mut effects = Effects::default();
    let count = found.len();
    for found in found {
        let sealed = writing.read.get(Space::Items, &found.item).map_err(storage_error)?;
        let Some(key) = still_expired(&table, &found, sealed.as_deref())? else {
            // What an interrupted change of the time to live left behind.
            effects.batch.delete(Space::Index, found.entry);
            continue;
        };
        let action = Action::deletion(&table, key);
        if let Ok(outcome) = action.judge(writing.read)? {
            action.commit(outcome, false, true, &mut effects);
        }
    }
    writing.commit(effects);
    Ok(count)
}

/// The key of the stored item, if the entry is the item's own.
fn still_expired(
    table: &Table,
    found: &Expired,
    sealed: Option<&[u8]>,
) -> Result<Option<ItemKey>, EngineError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let item = codec::unseal_item(&found.item, sealed).map_err(|_| damaged())?;
    let item = ItemRef(&item);
    let key = table.key_of(item).map_err(|_| damaged())?;
    Ok((entry(table, &key, item).as_ref() == Some(&found.entry)).then_some(key))
}
