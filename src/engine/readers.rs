//! Readers of the stream: their positions, and trimming of the log.

use std::ops::ControlFlow;

use super::codec::{self, Attributes};
use super::error::{EngineError, damaged, storage_error};
use super::handle::Engine;
use super::state::WriteContext;
use super::storage::{Order, Range, Read, Space};
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
fn acknowledged(read: &dyn Read, key: &[u8]) -> Result<Option<u64>, EngineError> {
    let Some(sealed) = read.get(Space::Meta, key).map_err(storage_error)? else { return Ok(None) };
    decode(key, &sealed).map(Some)
}

fn decode(key: &[u8], sealed: &[u8]) -> Result<u64, EngineError> {
    let bytes = codec::unseal(key, sealed).map_err(|_| damaged())?;
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| damaged())?))
}

/// Returns the lowest acknowledged sequence number of all readers, or `None` if there are no readers.
fn least_acknowledged(read: &dyn Read) -> Result<Option<u64>, EngineError> {
    let mut least = Ok(None);
    read.scan(Space::Meta, &Range::prefix(READERS.to_vec()), Order::Forward, &mut |key, sealed| {
        match (decode(key, sealed), &least) {
            (Ok(sequence), Ok(found)) => {
                least = Ok(Some(found.map_or(sequence, |found: u64| found.min(sequence))));
            }
            (Err(error), _) => least = Err(error),
            (Ok(_), Err(_)) => {}
        }
        ControlFlow::Continue(())
    })
    .map_err(storage_error)?;
    least
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
            let value = codec::seal(&key, &0_u64.to_be_bytes());
            context.changes.batch.put(Space::Meta, key, value);
            Ok(0)
        })
    }

    /// Removes a reader. The engine no longer keeps records for it.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn remove_reader(&self, reader: &str) -> Result<(), EngineError> {
        let key = reader_key(reader);
        self.write(move |context| {
            context.changes.batch.delete(Space::Meta, key);
            Ok(())
        })
    }

    /// Returns the records of a table's stream after the sequence number `after`, in order. Returns and
    /// decodes only records of items whose key attributes satisfy `is_wanted`. A page has about `limit`
    /// records, or fewer if they are large. Trimmed records are skipped. A page can be empty although more
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
        self.read(|read| stream::read(read, &self.catalog(), &filter, limit).map_err(storage_error))
    }

    /// Acknowledges all records up to a sequence number, without waiting. `done` receives the result when the
    /// acknowledgment is on disk. A number lower than the acknowledged one is ignored, and a number after the
    /// stream's end counts as that end. A reader that is not registered is an error.
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
                let value = codec::seal(&key, &sequence.to_be_bytes());
                context.changes.batch.put(Space::Meta, key, value);
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
            let end = context.state.log;
            stream::trim(
                context.read,
                end,
                least,
                context.now,
                stream::MAX_BYTES,
                limit,
                &mut context.changes.batch,
            )
            .map_err(storage_error)
        })
    }
}
