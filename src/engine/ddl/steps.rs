//! What concerns all items of a table: small writes, one behind the other, that go on after a restart.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::action::find_table;
use super::super::codec::{self, ItemRef};
use super::super::error::{EngineError, damaged, storage_error};
use super::super::handle::Engine;
use super::super::state::Writing;
use super::super::storage::{Order, Range, Space, read_step};
use super::super::tables::{EXPIRY_INDEX, Table};
use super::super::{expiry, index, key};

/// Where [`Space::Meta`] keeps the numbers of deleted tables whose items are not yet gone.
const DELETED: &[u8] = b"deleted/";

/// Notes that a table's items are to be removed.
pub fn note_deletion(writing: &mut Writing<'_>, table: &Table) {
    let key = [DELETED, &table.id.to_be_bytes()].concat();
    let value = codec::seal(&key, &[]);
    writing.changes.batch.put(Space::Meta, key, value);
}

/// Removes the items and entries of tables that were deleted.
///
/// # Errors
/// [`EngineError`] if storage fails.
pub fn finish_deletions(engine: &Engine) -> Result<(), EngineError> {
    let mut deleted = Vec::new();
    engine.read(|read| {
        read.scan(Space::Meta, &Range::prefix(DELETED.to_vec()), Order::Forward, &mut |key, _| {
            deleted.push(key.to_vec());
            ControlFlow::Continue(())
        })
        .map_err(storage_error)
    })?;
    for key in deleted {
        let table = key.get(DELETED.len()..).unwrap_or_default().to_vec();
        if table.len() != 2 {
            return Err(damaged());
        }
        clear(engine, Space::Items, table.clone())?;
        clear(engine, Space::Index, table)?;
        engine.write(move |writing| {
            writing.changes.batch.delete(Space::Meta, key);
            Ok(())
        })?;
    }
    Ok(())
}

/// Fills every index that does not hold all items yet. No table may be changed meanwhile.
///
/// # Errors
/// [`EngineError`] if storage fails.
pub fn build_indexes(engine: &Engine) -> Result<(), EngineError> {
    let unfinished: Vec<Arc<Table>> =
        engine.catalog().values().filter(|table| !table.building.is_empty()).cloned().collect();
    for table in unfinished {
        let mut start = key::table_prefix(table.id);
        loop {
            let (table, from) = (table.clone(), start);
            match engine.write(move |writing| build_step(writing, &table, from))? {
                Some(next) => start = next,
                None => break,
            }
        }
    }
    Ok(())
}

/// Writes the entries of some items, and returns where the next step begins.
fn build_step(
    writing: &mut Writing<'_>,
    table: &Table,
    start: Vec<u8>,
) -> Result<Option<Vec<u8>>, EngineError> {
    let range = Range { start, end: key::successor(&key::table_prefix(table.id)) };
    let mut items = Vec::new();
    let next = read_step(writing.read, Space::Items, &range, &mut items).map_err(storage_error)?;
    for (key, sealed) in &items {
        let item = codec::unseal_item(key, sealed).map_err(|_| damaged())?;
        put_entries(writing, table, ItemRef(&item))?;
    }
    if next.is_none() {
        let mut built = Table::clone(find_table(&writing.state.catalog, &table.name)?);
        built.building.retain(|id| !table.building.contains(id));
        writing.store_table(built)?;
    }
    Ok(next)
}

/// Writes an item's entries in the indexes that are being built. An item that does not fit an index is left out, as
/// DynamoDB does.
fn put_entries(writing: &mut Writing<'_>, table: &Table, item: ItemRef<'_>) -> Result<(), EngineError> {
    let key = table.key_of(item).map_err(|_| damaged())?;
    for index in table.indexes.iter().filter(|index| table.building.contains(&index.id)) {
        if let Some(entry) = index::entry(table, index, &key, item) {
            let value = codec::seal(&entry.key, &entry.value);
            writing.changes.batch.put(Space::Index, entry.key, value);
        }
    }
    if table.building.contains(&EXPIRY_INDEX)
        && let Some(entry) = expiry::entry(table, &key, item)
    {
        let value = codec::seal(&entry, &[]);
        writing.changes.batch.put(Space::Index, entry, value);
    }
    Ok(())
}

/// Removes all keys that begin so, step by step.
///
/// # Errors
/// [`EngineError`] if storage fails.
pub fn clear(engine: &Engine, space: Space, prefix: Vec<u8>) -> Result<(), EngineError> {
    let range = Range::prefix(prefix);
    loop {
        let range = range.clone();
        let is_done = engine.write(move |writing| {
            let mut values = Vec::new();
            let next = read_step(writing.read, space, &range, &mut values).map_err(storage_error)?;
            values.into_iter().for_each(|(key, _)| writing.changes.batch.delete(space, key));
            writing.changes.frees = true;
            Ok(next.is_none())
        })?;
        if is_done {
            return Ok(());
        }
    }
}
