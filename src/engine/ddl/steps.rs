//! Changes that affect all items of a table. They consist of small writes and continue after a restart.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::action::find_table;
use super::super::codec::{self, Damaged, ItemRef};
use super::super::error::EngineError;
use super::super::handle::Engine;
use super::super::state::WriteContext;
use super::super::storage::{Order, Range, Space, read_step};
use super::super::tables::{EXPIRY_INDEX, Table};
use super::super::{expiry, index, key};

/// The key prefix in [`Space::Meta`] of deleted tables whose items still exist.
const DELETED: &[u8] = b"deleted/";

/// Records that a table's items must be removed.
pub fn record_deletion(context: &mut WriteContext<'_>, table: &Table) {
    let key = [DELETED, &table.id.to_be_bytes()].concat();
    context.changes.batch.put_sealed(Space::Meta, key, &[]);
}

/// Removes the items and index entries of deleted tables.
pub fn finish_deletions(engine: &Engine) -> Result<(), EngineError> {
    let mut deleted = Vec::new();
    engine.read(|read| {
        let range = Range::prefix(DELETED.to_vec());
        Ok(read.scan(Space::Meta, &range, Order::Forward, &mut |key, _| {
            deleted.push(key.to_vec());
            ControlFlow::Continue(())
        })?)
    })?;
    for key in deleted {
        let table = key.get(DELETED.len()..).unwrap_or_default().to_vec();
        if table.len() != 2 {
            return Err(Damaged.into());
        }
        delete_prefix(engine, Space::Items, table.clone())?;
        delete_prefix(engine, Space::Index, table)?;
        engine.write(move |context| {
            context.changes.batch.delete(Space::Meta, key);
            Ok(())
        })?;
    }
    Ok(())
}

/// Fills all incomplete indexes. The caller must prevent other changes of tables.
pub fn build_indexes(engine: &Engine) -> Result<(), EngineError> {
    let unfinished: Vec<Arc<Table>> =
        engine.catalog().values().filter(|table| !table.building.is_empty()).cloned().collect();
    for table in unfinished {
        let mut start = key::table_prefix(table.id);
        loop {
            let (table, from) = (table.clone(), start);
            match engine.write(move |context| build_step(context, &table, from))? {
                Some(next) => start = next,
                None => break,
            }
        }
    }
    Ok(())
}

/// Writes the index entries of some items and returns the start of the next step.
fn build_step(
    context: &mut WriteContext<'_>,
    table: &Table,
    start: Vec<u8>,
) -> Result<Option<Vec<u8>>, EngineError> {
    let range = Range { start, end: key::successor(&key::table_prefix(table.id)) };
    let mut items = Vec::new();
    let next = read_step(context.read, Space::Items, &range, &mut items)?;
    for (key, sealed) in &items {
        let item = codec::unseal_item(key, sealed)?;
        put_entries(context, table, ItemRef(&item))?;
    }
    if next.is_none() {
        let mut built = Table::clone(find_table(&context.state.catalog, &table.name)?);
        built.building.retain(|id| !table.building.contains(id));
        context.store_table(built)?;
    }
    Ok(next)
}

/// Writes an item's entries in the indexes that are being built. Skips an index that the item does not fit,
/// as DynamoDB does.
fn put_entries(context: &mut WriteContext<'_>, table: &Table, item: ItemRef<'_>) -> Result<(), EngineError> {
    let key = table.key_of(item).map_err(|_| Damaged)?;
    for index in table.indexes.iter().filter(|index| table.building.contains(&index.id)) {
        if let Some(entry) = index::entry(table, index, &key, item) {
            context.changes.batch.put_sealed(Space::Index, entry.key, &entry.value);
        }
    }
    if table.building.contains(&EXPIRY_INDEX)
        && let Some(entry) = expiry::entry(table, &key, item)
    {
        context.changes.batch.put_sealed(Space::Index, entry, &[]);
    }
    Ok(())
}

/// Deletes all keys with this prefix in small steps.
pub fn delete_prefix(engine: &Engine, space: Space, prefix: Vec<u8>) -> Result<(), EngineError> {
    let range = Range::prefix(prefix);
    loop {
        let range = range.clone();
        let is_done = engine.write(move |context| {
            let mut values = Vec::new();
            let next = read_step(context.read, space, &range, &mut values)?;
            values.into_iter().for_each(|(key, _)| context.changes.batch.delete(space, key));
            context.changes.frees_space = true;
            Ok(next.is_none())
        })?;
        if is_done {
            return Ok(());
        }
    }
}
