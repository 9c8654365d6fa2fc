//! In-memory storage for tests, including the differential test against DynamoDB Local.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Batch, Order, Range, Read, Space, StorageError, Visit};

type Values = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Default)]
pub struct Memory {
    spaces: BTreeMap<Space, Values>,
}

impl Memory {
    pub fn apply(&mut self, batch: Batch) {
        for (space, key, value) in batch.changes {
            let values = self.spaces.entry(space).or_default();
            match value {
                Some(value) => values.insert(key, value),
                None => values.remove(&key),
            };
        }
    }
}

impl Read for Memory {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.spaces.get(&space).and_then(|values| values.get(key)).cloned())
    }

    fn scan(&self, space: Space, range: &Range, order: Order, visit: Visit<'_>) -> Result<(), StorageError> {
        let Some(values) = self.spaces.get(&space) else { return Ok(()) };
        if range.is_empty() {
            return Ok(());
        }
        let end = if range.end.is_empty() { Bound::Unbounded } else { Bound::Excluded(&range.end[..]) };
        let mut found = values.range::<[u8], _>((Bound::Included(&range.start[..]), end));
        loop {
            let next = match order {
                Order::Forward => found.next(),
                Order::Backward => found.next_back(),
            };
            match next {
                Some((key, value)) if visit(key, value).is_continue() => {}
                _ => return Ok(()),
            }
        }
    }
}
