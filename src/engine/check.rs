//! Looks at everything that is stored, in small steps beside the writers: whether each value is what was written, and
//! whether items and entries of indexes belong together.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;

use super::codec::{self, Damaged, ItemRef, ValueRef};
use super::error::{EngineError, internal, storage_error};
use super::handle::{Backend, Engine};
use super::storage::{Range, Read, Space, StorageError, Values, read_step};
use super::stream::{self, RowExtent};
use super::tables::{EXPIRY_INDEX, ItemKey, KeySchema, Table};
use super::{catalog, expiry, index, key, readers};

/// Findings that a report tells in words.
const TOLD: usize = 20;

/// What [`Engine::check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Items of tables.
    pub items: u64,
    /// Entries of indexes and of the order by time to live.
    pub entries: u64,
    /// Rows of the stream's log.
    pub rows: u64,
    /// Values that belong to nothing, such as the rest of a deleted table. They do no harm.
    pub leftovers: u64,
    /// How many things are damaged or missing. The file is sound if it is 0.
    pub damaged: u64,
    /// The first twenty of them, each in a line. They show keys.
    pub findings: Vec<String>,
}

impl CheckReport {
    fn found(&mut self, finding: String) {
        self.damaged += 1;
        if self.findings.len() < TOLD {
            self.findings.push(finding);
        }
    }
}

impl Engine {
    /// Reads and checks everything that is stored. It takes as long as reading the whole file; writes go on meanwhile. At
    /// the end SQLite checks its file in one go, and until that is done the write-ahead log cannot begin anew.
    /// `progress` gets the number of values read so far, and returns whether to go on.
    ///
    /// # Errors
    /// `InternalServerError` if the storage fails in another way than by being damaged.
    pub fn check(&self, progress: &mut dyn FnMut(u64) -> bool) -> Result<CheckReport, EngineError> {
        let mut check = Check::default();
        for space in [Space::Meta, Space::Items, Space::Index, Space::Log] {
            let mut start = Some(Vec::new());
            while let Some(from) = start {
                start = self.read_one_state(|read| check.step(read, space, from).map_err(storage_error))?;
                if !progress(check.read) {
                    return Err(internal("the check was cancelled"));
                }
            }
        }
        if let Backend::Disk(disk) = &self.shared.backend {
            for line in disk.integrity()? {
                check.report.found(format!("SQLite says of its file: {line}"));
            }
        }
        Ok(check.report)
    }
}

#[derive(Default)]
struct Check {
    report: CheckReport,
    /// Values that were read.
    read: u64,
    /// The row of the log that was looked at last.
    row: Option<RowExtent>,
}

type Tables = HashMap<u16, Arc<Table>>;

impl Check {
    /// Looks at some values, all in one state of the storage, and returns where the next step begins.
    fn step(
        &mut self,
        read: &dyn Read,
        space: Space,
        start: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let tables = readable_tables(read)?;
        let mut values = Vec::new();
        let next = read_step(read, space, &Range { start, end: Vec::new() }, &mut values);
        self.read += values.len() as u64;
        if space == Space::Log {
            self.rows(&values);
        }
        for (key, sealed) in &values {
            match space {
                Space::Meta => self.meta(key, sealed),
                Space::Items => self.item(read, &tables, key, sealed),
                Space::Index => match self.entry(read, &tables, key, sealed) {
                    Err(StorageError::Damaged) => {
                        self.report.found("the item of an entry of an index cannot be read".to_owned());
                    }
                    other => other?,
                },
                Space::Log => {}
            }
        }
        if matches!(next, Err(StorageError::Damaged)) {
            self.report.found(format!("{}: what comes behind these cannot be read", of_space(space)));
            return Ok(None);
        }
        next
    }

    fn meta(&mut self, key: &[u8], sealed: &[u8]) {
        let is_sound = codec::unseal(key, sealed).is_ok_and(|value| {
            let is_table = catalog::is_table(key);
            (!is_table || Table::decode(value).is_some()) && (!readers::is_reader(key) || value.len() == 8)
        });
        if !is_sound {
            self.report.found(format!("{} is not what was written", String::from_utf8_lossy(key)));
        }
    }

    fn item(&mut self, read: &dyn Read, tables: &Tables, key: &[u8], sealed: &[u8]) {
        self.report.items += 1;
        let Some(table) = table_of(tables, key) else {
            self.report.leftovers += 1;
            return;
        };
        let name = || of_item(table, key.get(2..).unwrap_or_default());
        let Ok(value) = codec::unseal_item(key, sealed) else {
            self.report.found(format!("{} is not what was written", name()));
            return;
        };
        let item = ItemRef(&value);
        let own = table.key_of(item).ok().filter(|own| own.storage == key && item.decode().is_ok());
        let Some(own) = own else {
            self.report.found(format!("{} cannot be read", name()));
            return;
        };
        for (index, entry) in entries(table, &own, item) {
            if !matches!(read.get(Space::Index, &entry), Ok(Some(_))) {
                self.report.found(format!("{} is missing in {index}", name()));
            }
        }
    }

    fn entry(
        &mut self,
        read: &dyn Read,
        tables: &Tables,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<(), StorageError> {
        self.report.entries += 1;
        let Some((table, place)) = table_of(tables, key).and_then(|table| Some((table, place(table, key)?)))
        else {
            self.report.leftovers += 1;
            return Ok(());
        };
        let name = || format!("the entry in {} of {}", place.index, of_item(table, place.item));
        let Ok(value) = codec::unseal(key, sealed) else {
            self.report.found(format!("{} is not what was written", name()));
            return Ok(());
        };
        let item_key = [&key::table_prefix(table.id), place.item].concat();
        let Some(sealed) = read.get(Space::Items, &item_key)? else {
            self.report.found(format!("{} has no item", name()));
            return Ok(());
        };
        // A damaged item is told of where items are.
        if let Ok(item) = codec::unseal_item(&item_key, &sealed)
            && let item = ItemRef(&item)
            && let Ok(own) = table.key_of(item)
            && expected(table, place.id, &own, item) != Some((key.to_vec(), value.to_vec()))
        {
            self.report.found(format!("{} is not the item's", name()));
        }
        Ok(())
    }

    fn rows(&mut self, values: &Values) {
        for (place, (key, sealed)) in values.iter().enumerate() {
            self.report.rows += 1;
            let number = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            let before = self.row.take();
            match stream::extent(key, sealed) {
                Ok(row) => {
                    // Between two steps, rows may be trimmed.
                    let follows = |before: RowExtent| {
                        place == 0 && before.number + 1 < number || before.is_before(&row)
                    };
                    if !before.is_none_or(follows) {
                        self.report.found(format!(
                            "the stream's log: row {number} does not follow the one before it"
                        ));
                    }
                    self.row = Some(row);
                }
                Err(Damaged) => {
                    self.report.found(format!("the stream's log: row {number} is not what was written"));
                }
            }
        }
    }
}

/// The tables whose description can be read. What cannot is told of where the descriptions are.
fn readable_tables(read: &dyn Read) -> Result<Tables, StorageError> {
    let mut tables = Tables::new();
    let scanned = catalog::each_table(read, &mut |table| {
        tables.extend(table.map(|table| (table.id, Arc::new(table))));
    });
    match scanned {
        Err(StorageError::Damaged) | Ok(()) => Ok(tables),
        Err(other) => Err(other),
    }
}

fn table_of<'a>(tables: &'a Tables, key: &[u8]) -> Option<&'a Table> {
    tables.get(&u16::from_be_bytes(*key.first_chunk()?)).map(|table| &**table)
}

/// The entries that an item must have: the index in words, and the entry's key.
fn entries(table: &Table, key: &ItemKey, item: ItemRef<'_>) -> Vec<(String, Vec<u8>)> {
    let ids = table.indexes.iter().map(|index| index.id).chain([EXPIRY_INDEX]);
    let ids = ids.filter(|id| !table.building.contains(id));
    ids.filter_map(|id| Some((of_index(table, id)?, expected(table, id, key, item)?.0))).collect()
}

/// The key and the value of an item's entry in an index.
fn expected(table: &Table, id: u8, key: &ItemKey, item: ItemRef<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    if id == EXPIRY_INDEX {
        return expiry::entry(table, key, item).map(|entry| (entry, Vec::new()));
    }
    let index = table.indexes.iter().find(|index| index.id == id)?;
    index::entry(table, index, key, item).map(|entry| (entry.key, entry.value))
}

/// What an entry's key says.
struct Place<'a> {
    id: u8,
    index: String,
    /// The item's key without its table.
    item: &'a [u8],
}

/// None if the entry belongs to no index that the table has.
fn place<'a>(table: &Table, entry: &'a [u8]) -> Option<Place<'a>> {
    let (id, mut rest) = entry.get(2..)?.split_first()?;
    let index = of_index(table, *id)?;
    if *id == EXPIRY_INDEX {
        rest = rest.get(8..)?;
    } else {
        let index = table.indexes.iter().find(|index| index.id == *id)?;
        for attribute in index.keys.attributes() {
            key::take_part(attribute.kind, &mut rest)?;
        }
    }
    Some(Place { id: *id, index, item: rest })
}

fn of_index(table: &Table, id: u8) -> Option<String> {
    if id == EXPIRY_INDEX {
        return table.ttl.as_ref().map(|_| "the order by time to live".to_owned());
    }
    let index = table.indexes.iter().find(|index| index.id == id)?;
    Some(format!("index {}", index.name))
}

fn of_space(space: Space) -> &'static str {
    match space {
        Space::Meta => "descriptions of tables",
        Space::Items => "items",
        Space::Index => "entries of indexes",
        Space::Log => "the stream's log",
    }
}

fn of_item(table: &Table, mut key: &[u8]) -> String {
    let words = words(&table.keys, &mut key).unwrap_or_else(|| "a key that cannot be read".to_owned());
    format!("table {}: the item with {words}", table.name)
}

fn words(keys: &KeySchema, bytes: &mut &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    for attribute in keys.attributes() {
        let value = key::take_part(attribute.kind, bytes)?;
        let value = match ValueRef(&value).decode().ok()? {
            AttributeValue::S(text) => format!("{:?}", text.chars().take(100).collect::<String>()),
            AttributeValue::N(number) => number,
            _ => format!("{} bytes", value.len() - 1),
        };
        parts.push(format!("{} {value}", attribute.name));
    }
    Some(parts.join(", "))
}
