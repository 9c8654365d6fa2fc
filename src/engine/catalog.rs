//! Where the storage keeps the descriptions of tables, and how they are read from there.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::codec;
use super::storage::{Order, Range, Read, Space, StorageError};
use super::tables::{Catalog, Table};

/// Where [`Space::Meta`] keeps tables.
const TABLES: &[u8] = b"table/";

/// Where [`Space::Meta`] keeps the table with this name.
pub fn table_key(name: &str) -> Vec<u8> {
    [TABLES, name.as_bytes()].concat()
}

/// Whether a key of [`Space::Meta`] is a table's.
pub fn is_table(key: &[u8]) -> bool {
    key.starts_with(TABLES)
}

/// Visits all tables; those that are damaged are none.
///
/// # Errors
/// [`StorageError`] if they cannot be read.
pub fn each_table(read: &dyn Read, visit: &mut dyn FnMut(Option<Table>)) -> Result<(), StorageError> {
    read.scan(Space::Meta, &Range::prefix(TABLES.to_vec()), Order::Forward, &mut |key, value| {
        visit(codec::unseal(key, value).ok().and_then(Table::decode));
        ControlFlow::Continue(())
    })
}

/// Reads all tables.
///
/// # Errors
/// [`StorageError`] if they cannot be read.
pub fn load(read: &dyn Read) -> Result<Catalog, StorageError> {
    let mut tables = Vec::new();
    each_table(read, &mut |table| tables.push(table))?;
    let named = |table: Option<Table>| table.map(|table| (table.name.clone(), Arc::new(table)));
    tables.into_iter().map(named).collect::<Option<_>>().ok_or(StorageError::Damaged)
}
