//! Ordered bytes, read in ranges and changed in atomic batches. What the bytes mean is not known here.

mod file;
mod memory;
pub mod sqlite;

pub use self::file::{DataFile, OpenError, shrink_log};
pub use self::memory::Memory;

use std::ops::ControlFlow;

/// Which of the engine's collections a key belongs to. Each may be stored in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// What describes the tables, and the stream's readers.
    Meta,
    /// Items: values of up to 400 KB.
    Items,
    /// Entries of indexes: long keys and mostly small values.
    Index,
    /// The stream's log. Keys are 8 bytes, counted up.
    Log,
}

/// In which order a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key on.
    Forward,
    /// From the largest key on.
    Backward,
}

/// The keys from `start`, included, to `end`, not included. An empty `end` is behind all keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first key.
    pub start: Vec<u8>,
    /// Behind the last key.
    pub end: Vec<u8>,
}

impl Range {
    /// The keys that begin with a prefix.
    pub fn prefix(prefix: Vec<u8>) -> Self {
        let end = super::key::successor(&prefix);
        Self { start: prefix, end }
    }

    /// All keys.
    pub fn all() -> Self {
        Self { start: Vec::new(), end: Vec::new() }
    }

    /// Whether no key is in the range.
    pub fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start >= self.end
    }
}

/// A failure of the storage.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The disk or the file's size limit is full. What was committed is intact.
    #[error("the disk is full: free some space, and writing resumes by itself")]
    Full,
    /// A stored value is not what was written.
    #[error("the data file is damaged: restore it from a backup")]
    Damaged,
    /// Anything else, in the storage library's words.
    #[error("the storage failed: {0}")]
    Failed(String),
}

/// Called with each key and value of a range; it says whether to go on.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Reads one state of the storage.
pub trait Read {
    /// The value under a key.
    ///
    /// # Errors
    /// [`StorageError`] if the storage failed.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Visits the keys of a range in order until the visitor breaks.
    ///
    /// # Errors
    /// [`StorageError`] if the storage failed.
    fn scan(&self, space: Space, range: &Range, order: Order, visit: Visit<'_>) -> Result<(), StorageError>;
}

/// Values that one step reads at most.
const STEP: usize = 500;
/// Bytes of values after which a step ends.
const STEP_BYTES: usize = 4 * 1024 * 1024;

/// Keys with their values.
pub type Values = Vec<(Vec<u8>, Vec<u8>)>;

/// Appends some values from the start of a range on, so few that reading them is short, and returns where the next step
/// begins: none if there are no more.
///
/// # Errors
/// [`StorageError`] if the storage failed; the values before the failure are appended.
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
        if values.len() < STEP && bytes < STEP_BYTES {
            return ControlFlow::Continue(());
        }
        next = Some([key, &[0]].concat());
        ControlFlow::Break(())
    })?;
    Ok(next)
}

/// Changes that happen together. The last change of a key counts.
#[derive(Debug, Default)]
pub struct Batch {
    /// Each key with its new value, or none if the key goes.
    pub changes: Vec<(Space, Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Stores a value under a key.
    pub fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.changes.push((space, key, Some(value)));
    }

    /// Removes a key.
    pub fn delete(&mut self, space: Space, key: Vec<u8>) {
        self.changes.push((space, key, None));
    }
}
