//! Loads table descriptions from the storage.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::codec;
use super::storage::{Order, Range, Read, Space, StorageError};
use super::tables::{Catalog, Table};

/// The prefix of table keys in [`Space::Meta`].
const TABLES: &[u8] = b"table/";

pub fn table_key(name: &str) -> Vec<u8> {
    [TABLES, name.as_bytes()].concat()
}

/// Whether a key of [`Space::Meta`] belongs to a table.
pub fn is_table(key: &[u8]) -> bool {
    key.starts_with(TABLES)
}

/// Visits all tables. A damaged description is visited as `None`.
pub fn each_table(read: &dyn Read, visit: &mut dyn FnMut(Option<Table>)) -> Result<(), StorageError> {
    read.scan(Space::Meta, &Range::prefix(TABLES.to_vec()), Order::Forward, &mut |key, value| {
        visit(codec::unseal(key, value).ok().and_then(Table::decode));
        ControlFlow::Continue(())
    })
}

pub fn load(read: &dyn Read) -> Result<Catalog, StorageError> {
    let mut tables = Vec::new();
    each_table(read, &mut |table| tables.push(table))?;
    let named = |table: Option<Table>| table.map(|table| (table.name.clone(), Arc::new(table)));
    tables.into_iter().map(named).collect::<Option<_>>().ok_or(StorageError::Damaged)
}
