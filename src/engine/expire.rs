//! Deletes expired items in small steps.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::action::{Action, Effects};
use super::codec::{self, ItemRef};
use super::error::{EngineError, damaged, storage_error};
use super::expiry::entry;
use super::key;
use super::state::WriteContext;
use super::storage::{Order, Range, Read, Space, StorageError};
use super::tables::{EXPIRY_INDEX, ItemKey, Table};

/// The maximum age in seconds, about five years. DynamoDB does not delete items that expired earlier.
const MAX_AGE: i64 = 5 * 365 * 24 * 60 * 60;

/// An entry of the time-to-live index for an expired item.
pub struct Expired {
    /// The entry's key in [`Space::Index`].
    pub entry: Vec<u8>,
    /// The item's key in [`Space::Items`].
    pub item: Vec<u8>,
}

/// Finds up to `limit` items of a table that expired before the second `now`.
///
/// # Errors
/// [`StorageError`] if the index cannot be read.
pub fn find_expired(
    read: &dyn Read,
    table: &Table,
    now: i64,
    limit: usize,
) -> Result<Vec<Expired>, StorageError> {
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

/// Deletes up to `limit` expired items of a table, and stale entries of the time-to-live index.
///
/// # Errors
/// [`EngineError`] if storage fails.
pub fn expire_some(
    context: &mut WriteContext<'_>,
    table: &Arc<Table>,
    limit: usize,
) -> Result<usize, EngineError> {
    let Some(table) = context.state.catalog.get(&table.name).filter(|table| table.ttl.is_some()).cloned()
    else {
        return Ok(0);
    };
    let now = context.now.as_second();
    let found = find_expired(context.read, &table, now, limit).map_err(storage_error)?;
    let mut effects = Effects::default();
    let count = found.len();
    for found in found {
        let sealed = context.read.get(Space::Items, &found.item).map_err(storage_error)?;
        let Some(key) = current_key(&table, &found, sealed.as_deref())? else {
            // An interrupted change of the time-to-live setting left this entry behind.
            effects.batch.delete(Space::Index, found.entry);
            continue;
        };
        let action = Action::deletion(&table, key);
        if let Ok(outcome) = action.evaluate(context.read)? {
            action.commit(outcome, false, true, &mut effects);
        }
    }
    context.commit(effects);
    Ok(count)
}

/// Returns the key of the stored item if the entry matches the item.
fn current_key(
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
