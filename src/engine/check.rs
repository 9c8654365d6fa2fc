//! Checks all stored data in small steps while writes continue: whether each value is intact, and whether items and
//! index entries match.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::codec::{self, Damaged, ItemRef, ValueRef};
use super::error::EngineError;
use super::handle::{Backend, Engine};
use super::storage::{Range, Read, Space, StorageError, Values, read_step};
use super::stream::{self, RowExtent};
use super::tables::{EXPIRY_INDEX, ItemKey, KeySchema, Table};
use super::{catalog, expiry, index, key, readers};

const MAX_FINDINGS: usize = 20;

/// The result of [`Engine::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The number of items in all tables.
    pub items: u64,
    /// The number of entries in indexes, including the time-to-live index.
    pub entries: u64,
    /// The number of rows in the stream's log.
    pub rows: u64,
    /// The number of values that belong to no table or index, for example after a table was deleted. They do no harm.
    pub leftovers: u64,
    /// The number of damaged or missing values. The file is sound if this is 0.
    pub damaged: u64,
    /// The first twenty findings, one line each. They contain keys.
    pub findings: Vec<String>,
}

impl CheckReport {
    fn add_finding(&mut self, finding: String) {
        self.damaged += 1;
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }
}

impl Engine {
    /// Reads and checks all stored data. This takes as long as reading the whole file, and writes continue. At the end
    /// SQLite checks its file in a single pass, and the write-ahead log cannot be reset until that pass is done.
    /// `progress` receives the number of values read so far and returns whether to continue.
    ///
    /// # Errors
    /// `InternalServerError` if the storage fails for a reason other than damage.
    pub fn check(&self, progress: &mut dyn FnMut(u64) -> bool) -> Result<CheckReport, EngineError> {
        let mut check = Check::default();
        for space in [Space::Meta, Space::Items, Space::Index, Space::Log] {
            let mut start = Some(Vec::new());
            while let Some(from) = start {
                start = self.read_snapshot(|read| Ok(check.step(read, space, from)?))?;
                if !progress(check.read) {
                    return Err(EngineError::internal("the check was canceled"));
                }
            }
        }
        if let Backend::Disk(disk) = &self.shared.backend {
            for line in disk.integrity()? {
                check.report.add_finding(format!("SQLite reports: {line}"));
            }
        }
        Ok(check.report)
    }
}

#[derive(Default)]
struct Check {
    report: CheckReport,
    read: u64,
    /// The log row that was checked last.
    row: Option<RowExtent>,
}

type Tables = HashMap<u16, Table>;

impl Check {
    /// Checks some values, all from one snapshot of the storage, and returns the start of the next step.
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
                        let finding = "an index entry refers to an item that cannot be read";
                        self.report.add_finding(finding.to_owned());
                    }
                    other => other?,
                },
                Space::Log => {}
            }
        }
        if matches!(next, Err(StorageError::Damaged)) {
            self.report.add_finding(format!("{}: the remaining values cannot be read", space_name(space)));
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
            self.report.add_finding(format!("{} is damaged", String::from_utf8_lossy(key)));
        }
    }

    fn item(&mut self, read: &dyn Read, tables: &Tables, key: &[u8], sealed: &[u8]) {
        self.report.items += 1;
        let Some(table) = table_of(tables, key) else {
            self.report.leftovers += 1;
            return;
        };
        let name = || item_name(table, key.get(2..).unwrap_or_default());
        let Ok(value) = codec::unseal_item(key, sealed) else {
            self.report.add_finding(format!("{} is damaged", name()));
            return;
        };
        let item = ItemRef(&value);
        let own_key =
            table.key_of(item).ok().filter(|own_key| own_key.storage == key && item.decode().is_ok());
        let Some(own_key) = own_key else {
            self.report.add_finding(format!("{} cannot be read", name()));
            return;
        };
        for (index, entry) in entries(table, &own_key, item) {
            if !matches!(read.get(Space::Index, &entry), Ok(Some(_))) {
                self.report.add_finding(format!("{} is missing in {index}", name()));
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
        let found = table_of(tables, key).and_then(|table| Some((table, locate(table, key)?)));
        let Some((table, location)) = found else {
            self.report.leftovers += 1;
            return Ok(());
        };
        let name = || format!("the entry in {} for {}", location.index, item_name(table, location.item));
        let Ok(value) = codec::unseal(key, sealed) else {
            self.report.add_finding(format!("{} is damaged", name()));
            return Ok(());
        };
        let item_key = [&key::table_prefix(table.id), location.item].concat();
        let Some(sealed) = read.get(Space::Items, &item_key)? else {
            self.report.add_finding(format!("{} has no item", name()));
            return Ok(());
        };
        // If the item is damaged, the check of the items reports it.
        if let Ok(item) = codec::unseal_item(&item_key, &sealed)
            && let item = ItemRef(&item)
            && let Ok(own_key) = table.key_of(item)
            && expected(table, location.id, &own_key, item) != Some((key.to_vec(), value.to_vec()))
        {
            self.report.add_finding(format!("{} does not match its item", name()));
        }
        Ok(())
    }

    fn rows(&mut self, values: &Values) {
        for (position, (key, sealed)) in values.iter().enumerate() {
            self.report.rows += 1;
            let number = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            let previous = self.row.take();
            match stream::extent(key, sealed) {
                Ok(row) => {
                    // Rows may be trimmed between two steps.
                    let follows = |previous: RowExtent| {
                        position == 0 && previous.number + 1 < number || previous.is_before(&row)
                    };
                    if !previous.is_none_or(follows) {
                        let finding =
                            format!("the stream's log: row {number} does not follow the previous row");
                        self.report.add_finding(finding);
                    }
                    self.row = Some(row);
                }
                Err(Damaged) => {
                    self.report.add_finding(format!("the stream's log: row {number} is damaged"));
                }
            }
        }
    }
}

/// Returns the tables whose description can be read. The check of [`Space::Meta`] reports the others.
fn readable_tables(read: &dyn Read) -> Result<Tables, StorageError> {
    let mut tables = Tables::new();
    let scanned = catalog::each_table(read, &mut |table| {
        tables.extend(table.map(|table| (table.id, table)));
    });
    match scanned {
        Err(StorageError::Damaged) | Ok(()) => Ok(tables),
        Err(other) => Err(other),
    }
}

fn table_of<'a>(tables: &'a Tables, key: &[u8]) -> Option<&'a Table> {
    tables.get(&u16::from_be_bytes(*key.first_chunk()?))
}

/// Returns the entries that an item must have, each as the name of the index and the key of the entry.
fn entries(table: &Table, key: &ItemKey, item: ItemRef<'_>) -> Vec<(String, Vec<u8>)> {
    let ids = table.indexes.iter().map(|index| index.id).chain([EXPIRY_INDEX]);
    let ids = ids.filter(|id| !table.building.contains(id));
    ids.filter_map(|id| Some((index_name(table, id)?, expected(table, id, key, item)?.0))).collect()
}

/// Returns the key and the value of an item's entry in an index.
fn expected(table: &Table, id: u8, key: &ItemKey, item: ItemRef<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    if id == EXPIRY_INDEX {
        return expiry::entry(table, key, item).map(|entry| (entry, Vec::new()));
    }
    let index = table.indexes.iter().find(|index| index.id == id)?;
    index::entry(table, index, key, item).map(|entry| (entry.key, entry.value))
}

/// The parts of an entry's key.
struct EntryLocation<'a> {
    id: u8,
    index: String,
    /// The item's key without the table prefix.
    item: &'a [u8],
}

/// Parses the key of an entry. Returns `None` if the table has no such index.
fn locate<'a>(table: &Table, entry: &'a [u8]) -> Option<EntryLocation<'a>> {
    let (id, mut rest) = entry.get(2..)?.split_first()?;
    let index = index_name(table, *id)?;
    if *id == EXPIRY_INDEX {
        rest = rest.get(8..)?;
    } else {
        let index = table.indexes.iter().find(|index| index.id == *id)?;
        for attribute in index.keys.attributes() {
            key::take_part(attribute.kind, &mut rest)?;
        }
    }
    Some(EntryLocation { id: *id, index, item: rest })
}

fn index_name(table: &Table, id: u8) -> Option<String> {
    if id == EXPIRY_INDEX {
        return table.ttl.as_ref().map(|_| "the time-to-live index".to_owned());
    }
    let index = table.indexes.iter().find(|index| index.id == id)?;
    Some(format!("index {}", index.name))
}

fn space_name(space: Space) -> &'static str {
    match space {
        Space::Meta => "table descriptions",
        Space::Items => "items",
        Space::Index => "index entries",
        Space::Log => "the stream's log",
    }
}

fn item_name(table: &Table, mut key: &[u8]) -> String {
    let key = describe_key(&table.keys, &mut key).unwrap_or_else(|| "a key that cannot be read".to_owned());
    format!("the item with {key} in table {}", table.name)
}

fn describe_key(keys: &KeySchema, bytes: &mut &[u8]) -> Option<String> {
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
