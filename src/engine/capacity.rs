//! Capacity units, computed as AWS does.
//!
//! A write costs one unit for each started KB of the larger of the old and the new item, and twice as much in a
//! transaction. Index units are counted separately and are not doubled ([`index::units`](super::index::units)). A
//! consistent read costs one unit for each started 4 KB, any other read half of that.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{Capacity, ConsumedCapacity, ReturnConsumedCapacity};

use super::index::units;

/// The capacity that an operation consumes, by table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    tables: BTreeMap<String, TableUsage>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct TableUsage {
    table: f64,
    indexes: BTreeMap<String, f64>,
}

/// Returns the units of a write whose larger item has `size` bytes.
pub fn write_units(size: usize, transactional: bool) -> f64 {
    units(size) * if transactional { 2.0 } else { 1.0 }
}

pub fn read_units(size: usize, consistent: bool) -> f64 {
    let started = u32::try_from(size.max(1).div_ceil(4096)).unwrap_or(u32::MAX);
    f64::from(started) * if consistent { 1.0 } else { 0.5 }
}

impl Usage {
    pub fn table(&mut self, table: &str, units: f64) {
        self.tables.entry(table.to_owned()).or_default().table += units;
    }

    pub fn index(&mut self, table: &str, index: &str, units: f64) {
        let usage = self.tables.entry(table.to_owned()).or_default();
        *usage.indexes.entry(index.to_owned()).or_default() += units;
    }

    /// Returns the units in the form that the request asks for: one entry for each table, or `None`.
    pub fn consumed(self, wanted: Option<&ReturnConsumedCapacity>) -> Option<Vec<ConsumedCapacity>> {
        let with_indexes = match wanted {
            Some(ReturnConsumedCapacity::Total) => false,
            Some(ReturnConsumedCapacity::Indexes) => true,
            _ => return None,
        };
        Some(self.tables.into_iter().map(|(name, usage)| usage.consumed(name, with_indexes)).collect())
    }

    /// Returns the units of an operation on a single table in the form that the request asks for.
    pub fn consumed_by_one(self, wanted: Option<&ReturnConsumedCapacity>) -> Option<ConsumedCapacity> {
        self.consumed(wanted)?.into_iter().next()
    }
}

impl TableUsage {
    fn consumed(self, name: String, with_indexes: bool) -> ConsumedCapacity {
        let total = self.table + self.indexes.values().sum::<f64>();
        let consumed = ConsumedCapacity::builder().table_name(name).capacity_units(total);
        if !with_indexes {
            return consumed.build();
        }
        let capacity = |units| Capacity::builder().capacity_units(units).build();
        let indexes: HashMap<_, _> =
            self.indexes.into_iter().map(|(name, units)| (name, capacity(units))).collect();
        let indexes = (!indexes.is_empty()).then_some(indexes);
        consumed.table(capacity(self.table)).set_global_secondary_indexes(indexes).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_round_up_to_whole_kilobytes() {
        assert_eq!([0, 1024, 1025].map(|size| write_units(size, false)), [1.0, 1.0, 2.0]);
        assert_eq!(write_units(1500, true), 4.0);
        assert_eq!([read_units(0, true), read_units(4096, true), read_units(4097, false)], [1.0, 1.0, 1.0]);
    }

    #[test]
    fn index_units_are_listed_only_on_request() {
        let mut usage = Usage::default();
        usage.table("t", 2.0);
        usage.index("t", "i", 1.0);
        let total = usage.clone().consumed_by_one(Some(&ReturnConsumedCapacity::Total)).unwrap();
        assert_eq!((total.capacity_units, total.global_secondary_indexes), (Some(3.0), None));
        let indexes = usage.clone().consumed_by_one(Some(&ReturnConsumedCapacity::Indexes)).unwrap();
        assert_eq!(indexes.table.unwrap().capacity_units, Some(2.0));
        assert_eq!(indexes.global_secondary_indexes.unwrap()["i"].capacity_units, Some(1.0));
        assert_eq!(usage.consumed_by_one(None), None);
    }
}
