//! Readers of the stream: how far each came, and what may be trimmed.

use std::ops::ControlFlow;

use super::codec::{self, Attributes};
use super::error::{EngineError, damaged, storage_error};
use super::handle::Engine;
use super::state::Writing;
use super::storage::{Order, Range, Read, Space};
use super::stream::{self, StreamPage};

/// Where [`Space::Meta`] keeps readers.
const READERS: &[u8] = b"reader/";

fn reader_key(reader: &str) -> Vec<u8> {
    [READERS, reader.as_bytes()].concat()
}

/// Whether a key of [`Space::Meta`] is a reader's.
pub fn is_reader(key: &[u8]) -> bool {
    key.starts_with(READERS)
}

/// What a reader acknowledged. None if it is not registered.
fn acknowledged(read: &dyn Read, key: &[u8]) -> Result<Option<u64>, EngineError> {
    let Some(sealed) = read.get(Space::Meta, key).map_err(storage_error)? else { return Ok(None) };
    decode(key, &sealed).map(Some)
}

fn decode(key: &[u8], sealed: &[u8]) -> Result<u64, EngineError> {
    let bytes = codec::unseal(key, sealed).map_err(|_| damaged())?;
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| damaged())?))
}

/// The least place that all readers acknowledged. None if there are no readers.
fn least_acknowledged(read: &dyn Read) -> Result<Option<u64>, EngineError> {
    let mut least = Ok(None);
    read.scan(Space::Meta, &Range::prefix(READERS.to_vec()), Order::Forward, &mut |key, sealed| {
        match (decode(key, sealed), &least) {
            (Ok(place), Ok(found)) => least = Ok(Some(found.map_or(place, |found: u64| found.min(place)))),
            (Err(error), _) => least = Err(error),
            (Ok(_), Err(_)) => {}
        }
        ControlFlow::Continue(())
    })
    .map_err(storage_error)?;
    least
}

impl Engine {
    /// Registers a reader of the streams, and returns the place that it acknowledged last: 0 if it is new. From now on,
    /// records are kept until it acknowledged them.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn register_reader(&self, reader: &str) -> Result<u64, EngineError> {
        let key = reader_key(reader);
        self.write(move |writing| {
            if let Some(place) = acknowledged(writing.read, &key)? {
                return Ok(place);
            }
            let value = codec::seal(&key, &0_u64.to_be_bytes());
            writing.changes.batch.put(Space::Meta, key, value);
            Ok(0)
        })
    }

    /// Forgets a reader: records are no longer kept for it.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn remove_reader(&self, reader: &str) -> Result<(), EngineError> {
        let key = reader_key(reader);
        self.write(move |writing| {
            writing.changes.batch.delete(Space::Meta, key);
            Ok(())
        })
    }

    /// Returns records of a table's stream after a place, in order, with only those of items whose key attributes are
    /// `wanted`; the others are not decoded. There are about `limit`, and fewer if they are large. Records that were
    /// trimmed are passed over. There may be none although there are more: the end is where `last` is `after`.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn read_stream(
        &self,
        table: &str,
        after: u64,
        limit: usize,
        wanted: &dyn Fn(&Attributes) -> bool,
    ) -> Result<StreamPage, EngineError> {
        let wanted = stream::Wanted { table, after, keys: wanted };
        self.read(|read| stream::read(read, &self.catalog(), &wanted, limit).map_err(storage_error))
    }

    /// Notes that a reader handled everything up to a place, without waiting: `done` gets the answer once that is on disk.
    /// A place before the one that it acknowledged is ignored, and one behind the stream's end counts as that end. A
    /// reader that is not registered is an error.
    ///
    /// # Errors
    /// [`EngineError`] if it cannot be queued; then `done` is not called.
    pub fn acknowledge(
        &self,
        reader: &str,
        sequence: u64,
        done: impl FnOnce(Result<(), EngineError>) + Send + 'static,
    ) -> Result<(), EngineError> {
        let key = reader_key(reader);
        let note = move |writing: &mut Writing<'_>| {
            let Some(place) = acknowledged(writing.read, &key)? else {
                return Err(EngineError::invalid("the reader of the stream is not registered"));
            };
            let sequence = sequence.min(writing.state.log.last_place());
            if sequence > place {
                let value = codec::seal(&key, &sequence.to_be_bytes());
                writing.changes.batch.put(Space::Meta, key, value);
            }
            Ok(())
        };
        self.submit(note, done)
    }

    /// Removes up to `limit` rows of the stream's log that no reader needs, and returns how many. Call it again while it
    /// returns `limit`.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails.
    pub fn trim_stream(&self, limit: usize) -> Result<usize, EngineError> {
        self.write(move |writing| {
            let least = least_acknowledged(writing.read)?;
            writing.changes.frees = true;
            let end = writing.state.log;
            stream::trim(
                writing.read,
                end,
                least,
                writing.now,
                stream::MAX_BYTES,
                limit,
                &mut writing.changes.batch,
            )
            .map_err(storage_error)
        })
    }
}
