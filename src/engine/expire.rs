//! Deletes expired items in small steps.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::action::{Action, Effects};
use super::codec::{self, Damaged, ItemRef};
use super::error::EngineError;
use super::expiry::entry;
use super::handle::Engine;
use super::key;
use super::state::WriteContext;
use super::storage::{Order, Range, Read, Space, StorageError};
use super::stream::MAX_RECORDS;
use super::tables::{EXPIRY_INDEX, ItemKey, Table};

/// About five years in seconds. DynamoDB does not delete items that expired earlier.
const MAX_AGE: i64 = 5 * 365 * 24 * 60 * 60;

impl Engine {
    /// Deletes up to `limit` expired items, at most 256, and returns how many it deleted. Call it again while it
    /// returns that many.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn expire(&self, limit: usize) -> Result<usize, EngineError> {
        let limit = limit.min(MAX_RECORDS);
        let tables: Vec<Arc<Table>> =
            self.catalog().values().filter(|table| table.ttl.is_some()).cloned().collect();
        let mut expired = 0;
        for table in tables {
            expired += self.write(move |context| expire_some(context, &table, limit - expired))?;
        }
        Ok(expired)
    }
}

/// The keys of an entry of the time-to-live index and of its item.
struct Expired {
    entry: Vec<u8>,
    item: Vec<u8>,
}

/// Finds up to `limit` items of a table that expired before the second `now`.
fn find_expired(
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
fn expire_some(context: &mut WriteContext<'_>, table: &Table, limit: usize) -> Result<usize, EngineError> {
    let current = context.state.catalog.get(&table.name).filter(|table| table.ttl.is_some());
    let Some(table) = current.cloned() else { return Ok(0) };
    let found = find_expired(context.read, &table, context.now.as_second(), limit)?;
    let mut effects = Effects::default();
    let count = found.len();
    for found in found {
        let sealed = context.read.get(Space::Items, &found.item)?;
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
    let item = codec::unseal_item(&found.item, sealed)?;
    let item = ItemRef(&item);
    let key = table.key_of(item).map_err(|_| Damaged)?;
    Ok((entry(table, &key, item).as_ref() == Some(&found.entry)).then_some(key))
}
