//! Ordered byte storage, read in ranges and changed in atomic batches.

mod file;
mod memory;
pub mod sqlite;

pub use self::file::{DataFile, OpenError, shrink_log};
pub use self::memory::Memory;

use std::ops::ControlFlow;

use super::codec::{self, Damaged};

/// A collection of keys. Each collection can be stored in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// Descriptions of tables, and readers of the stream.
    Meta,
    /// Items: values of up to 400 KB.
    Items,
    /// Index entries: long keys and mostly small values.
    Index,
    /// The stream's log. Keys are 8-byte counters.
    Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Forward,
    Backward,
}

/// The keys from `start`, inclusive, to `end`, exclusive. An empty `end` is after all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub start: Vec<u8>,
    pub end: Vec<u8>,
}

impl Range {
    /// Returns the range of keys that begin with a prefix.
    pub fn prefix(prefix: Vec<u8>) -> Self {
        let end = super::key::successor(&prefix);
        Self { start: prefix, end }
    }

    pub fn all() -> Self {
        Self { start: Vec::new(), end: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start >= self.end
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The disk is full, or the file has reached its size limit. Committed data is intact.
    #[error("the disk is full: free some space, and writes resume automatically")]
    Full,
    #[error("the data file is damaged: restore it from a backup")]
    Damaged,
    /// Any other error, with the message of the storage library.
    #[error("the storage failed: {0}")]
    Failed(String),
}

impl From<Damaged> for StorageError {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

/// A callback that receives each key and value of a range and returns whether to continue.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// The same for a callback that can fail.
pub type TryVisit<'a, E> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, E>;

/// Reads a state of the storage.
pub trait Read {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Visits the keys of a range in order until the visitor breaks.
    fn scan(&self, space: Space, range: &Range, order: Order, visit: Visit<'_>) -> Result<(), StorageError>;
}

/// Scans like [`Read::scan`] with a visitor that can fail. The first error ends the scan.
pub fn try_scan<E: From<StorageError>>(
    read: &dyn Read,
    space: Space,
    range: &Range,
    order: Order,
    visit: TryVisit<'_, E>,
) -> Result<(), E> {
    let mut outcome = Ok(());
    read.scan(space, range, order, &mut |key, value| {
        visit(key, value).unwrap_or_else(|error| {
            outcome = Err(error);
            ControlFlow::Break(())
        })
    })?;
    outcome
}

const STEP_VALUES: usize = 500;
/// The number of value bytes after which a step ends.
const STEP_BYTES: usize = 4 * 1024 * 1024;

pub type Values = Vec<(Vec<u8>, Vec<u8>)>;

/// Appends the first values of a range, few enough to keep the read short. Returns the start of the next step, or
/// `None` if there are no more values. Values that were read before an error are appended too.
pub fn read_step(
    read: &dyn Read,
    space: Space,
    range: &Range,
    values: &mut Values,
) -> Result<Option<Vec<u8>>, StorageError> {
    let (mut bytes, mut next) = (0, None);
    read.scan(space, range, Order::Forward, &mut |key, value| {
        values.push((key.to_vec(), value.to_vec()));
        bytes += value.len();
        if values.len() < STEP_VALUES && bytes < STEP_BYTES {
            return ControlFlow::Continue(());
        }
        next = Some([key, &[0]].concat());
        ControlFlow::Break(())
    })?;
    Ok(next)
}

/// Changes that are applied atomically. If a key occurs several times, its last change counts.
#[derive(Debug, Default)]
pub struct Batch {
    /// The keys with their new values. `None` deletes the key.
    pub changes: Vec<(Space, Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    pub fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.changes.push((space, key, Some(value)));
    }

    /// Stores a value with its checksum under a key.
    pub fn put_sealed(&mut self, space: Space, key: Vec<u8>, value: &[u8]) {
        let sealed = codec::seal(&key, value);
        self.put(space, key, sealed);
    }

    pub fn delete(&mut self, space: Space, key: Vec<u8>) {
        self.changes.push((space, key, None));
    }
}
