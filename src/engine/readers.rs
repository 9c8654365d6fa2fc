//! Readers of the stream: their positions, and trimming of the log.

use std::ops::ControlFlow;

use super::codec::{self, Attributes, Damaged};
use super::error::EngineError;
use super::handle::Engine;
use super::state::WriteContext;
use super::storage::{Order, Range, Read, Space, StorageError, try_scan};
use super::stream::{self, StreamPage};

/// The key prefix of readers in [`Space::Meta`].
const READERS: &[u8] = b"reader/";

fn reader_key(reader: &str) -> Vec<u8> {
    [READERS, reader.as_bytes()].concat()
}

/// Returns whether a key of [`Space::Meta`] belongs to a reader.
pub fn is_reader(key: &[u8]) -> bool {
    key.starts_with(READERS)
}

/// Returns the sequence number that a reader acknowledged, or `None` if the reader is not registered.
fn acknowledged(read: &dyn Read, key: &[u8]) -> Result<Option<u64>, StorageError> {
    let Some(sealed) = read.get(Space::Meta, key)? else { return Ok(None) };
    Ok(Some(decode(key, &sealed)?))
}

fn decode(key: &[u8], sealed: &[u8]) -> Result<u64, Damaged> {
    let bytes = codec::unseal(key, sealed)?;
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| Damaged)?))
}

/// Returns the lowest acknowledged sequence number of all readers, or `None` if there are no readers.
fn least_acknowledged(read: &dyn Read) -> Result<Option<u64>, StorageError> {
    let mut least: Option<u64> = None;
    let range = Range::prefix(READERS.to_vec());
    try_scan::<StorageError>(read, Space::Meta, &range, Order::Forward, &mut |key, sealed| {
        let sequence = decode(key, sealed)?;
        least = Some(least.map_or(sequence, |least| least.min(sequence)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(least)
}

impl Engine {
    /// Registers a reader of the streams and returns the last sequence number that it acknowledged, or 0 for
    /// a new reader. From now on, the engine keeps records until the reader acknowledges them.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn register_reader(&self, reader: &str) -> Result<u64, EngineError> {
        let key = reader_key(reader);
        self.write(move |context| {
            if let Some(sequence) = acknowledged(context.read, &key)? {
                return Ok(sequence);
            }
            context.changes.batch.put_sealed(Space::Meta, key, &0_u64.to_be_bytes());
            Ok(0)
        })
    }

    /// Returns the records of a table's stream after the sequence number `after`, in order, but only those of items
    /// whose key attributes satisfy `is_wanted`. A page has about `limit` records, or fewer if they are large. The page
    /// says whether records were trimmed before this read, and which rows are damaged. A page can be empty although more
    /// records exist: the end is reached when `last` equals `after`.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn read_stream(
        &self,
        table: &str,
        after: u64,
        limit: usize,
        is_wanted: &dyn Fn(&Attributes) -> bool,
    ) -> Result<StreamPage, EngineError> {
        let filter = stream::RecordFilter { table, after, keys: is_wanted };
        self.read(|read| Ok(stream::read(read, &self.catalog(), &filter, limit)?))
    }

    /// Acknowledges all records up to a sequence number, without waiting. `done` receives the result when the
    /// acknowledgment is on disk; a reader that is not registered is an error. A number lower than the acknowledged one
    /// is ignored, and a number after the end of the stream counts as that end.
    ///
    /// # Errors
    /// [`EngineError`] if the acknowledgment cannot be queued. `done` is not called in that case.
    pub fn acknowledge(
        &self,
        reader: &str,
        sequence: u64,
        done: impl FnOnce(Result<(), EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        let key = reader_key(reader);
        let save = move |context: &mut WriteContext<'_>| {
            let Some(current) = acknowledged(context.read, &key)? else {
                return Err(EngineError::invalid("the stream reader is not registered"));
            };
            let sequence = sequence.min(context.state.log.last_sequence());
            if sequence > current {
                context.changes.batch.put_sealed(Space::Meta, key, &sequence.to_be_bytes());
            }
            Ok(())
        };
        self.submit(save, done)
    }

    /// Removes up to `limit` rows of the stream's log that no reader needs, and returns how many it removed.
    /// Call it again while it returns `limit`.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn trim_stream(&self, limit: usize) -> Result<usize, EngineError> {
        self.write(move |context| {
            let least = least_acknowledged(context.read)?;
            context.changes.frees_space = true;
            let (end, batch) = (context.state.log, &mut context.changes.batch);
            Ok(stream::trim(context.read, end, least, context.now, stream::MAX_BYTES, limit, batch)?)
        })
    }
}
