//! One shard of a stream: where a reader stands in it, and the next step from there.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType, StreamRecord};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::look::Seen;
use super::source::Source;
use crate::base::values::fingerprint;
use crate::store::item::key_of;
use crate::store::line::CallError;
use crate::store::stream::{Batch, Change, Raw, Sequence, Unreadable, readable};
use crate::store::{Condition, Item, Key, StoreError, WriteError, from_item, to_item};

const GET_RECORDS: &str = "GetRecords";
const GET_ITERATOR: &str = "GetShardIterator";
const CHECKPOINT: &str = "STREAM#";
/// The most changes of a batch.
const BATCH: i32 = 100;

/// Where a reader stands in a shard.
pub(super) struct Shard {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    stream: String,
    place: Place,
    /// The last record that was read and, if it was handed over, handled.
    read: Option<Sequence>,
    /// The checkpoint as it was last seen in the table.
    mark: Option<Mark>,
    /// The checkpoint that is still to be written.
    owed: Option<Mark>,
    /// Read, and not yet handled.
    batch: Option<Fetched>,
}

enum Place {
    /// The checkpoint is not read yet.
    Unknown,
    /// Behind [`Shard::read`], without an iterator.
    Behind,
    /// At this iterator.
    At(String),
    /// It is closed, and read to its end.
    End,
}

struct Fetched {
    batch: Arc<Batch>,
    last: Option<Mark>,
    next: Option<String>,
}

/// The checkpoint: the last change that was handled, and when it happened.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Mark {
    sequence: Sequence,
    at: Timestamp,
}

/// What a step came to.
pub(super) enum Step {
    /// Nothing new was told.
    AtEnd,
    /// Something was read; there may be more.
    Read,
    /// A batch was not handled.
    Unhandled,
    /// The shard is closed, and read to its end.
    Ended,
    /// The stream no longer has the shard.
    Gone,
}

/// What became of a call that needs a place in the shard.
enum Reached<T> {
    There(T),
    /// The place is no longer there: it is to be found again.
    Lost,
    /// The shard is no longer there.
    Gone,
}

impl Shard {
    pub(super) fn new(stream: &str, id: String, parent: Option<String>) -> Self {
        let stream = stream.to_owned();
        Self { id, parent, stream, place: Place::Unknown, read: None, mark: None, owed: None, batch: None }
    }

    /// Whether nothing is left to do in it.
    pub(super) fn ended(&self) -> bool {
        matches!(self.place, Place::End) && self.owed.is_none()
    }

    /// Reads one batch, hands it over if it holds what is relevant, and notes how far that was.
    pub(super) async fn step<H, F, E>(
        &mut self,
        source: &Source,
        handle: &mut H,
        seen: &mut Seen,
    ) -> Result<Step, StoreError>
    where
        H: FnMut(Arc<Batch>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        self.settle(source).await?;
        if matches!(self.place, Place::End) {
            return Ok(Step::AtEnd);
        }
        let fetched = match self.batch.take() {
            Some(fetched) => fetched,
            None => match self.fetch(source).await? {
                Reached::There(fetched) => fetched,
                Reached::Lost => return Ok(Step::Read),
                Reached::Gone => return Ok(Step::Gone),
            },
        };
        if !fetched.batch.is_empty() {
            if let Err(error) = handle(fetched.batch.clone()).await {
                seen.unhandled(error.to_string());
                self.batch = Some(fetched);
                return Ok(Step::Unhandled);
            }
            seen.handled(&fetched.batch);
            self.owed = fetched.last.clone();
        }
        let news = fetched.last.is_some();
        self.read = fetched.last.map(|mark| mark.sequence).or(self.read.take());
        let ended = fetched.next.is_none();
        self.place = fetched.next.map_or(Place::End, Place::At);
        self.settle(source).await?;
        Ok(match (ended, news) {
            (true, _) => Step::Ended,
            (_, true) => Step::Read,
            _ => Step::AtEnd,
        })
    }

    /// The next records, and the iterator behind them.
    async fn fetch(&mut self, source: &Source) -> Result<Reached<Fetched>, StoreError> {
        let iterator = match std::mem::replace(&mut self.place, Place::Behind) {
            Place::At(iterator) => iterator,
            place => {
                if matches!(place, Place::Unknown) {
                    self.recall(source).await.inspect_err(|_| self.place = Place::Unknown)?;
                }
                match self.iterator(source).await? {
                    Reached::There(iterator) => iterator,
                    Reached::Lost => return Ok(Reached::Lost),
                    Reached::Gone => return Ok(Reached::Gone),
                }
            }
        };
        let attempt = async || {
            let request = source.streams.get_records().shard_iterator(&iterator).limit(BATCH);
            request.send().await.map_err(CallError::from)
        };
        let answer = source.audience.dynamo.retry(GET_RECORDS, attempt, CallError::passes).await?;
        let output = match answer {
            Ok(output) => output,
            Err(error) => return self.lost(GET_RECORDS, error),
        };
        let wanted = |key: &Key| !key.pk.starts_with(CHECKPOINT) && (source.audience.relevant)(key);
        let (mut batch, mut last) = (Batch::default(), None);
        for record in output.records.unwrap_or_default() {
            let read = change(record);
            let (sequence, at, key) = match &read {
                Ok(change) => (Some(&change.sequence), Some(change.at), Some(&change.key)),
                Err(unreadable) => (unreadable.sequence.as_ref(), unreadable.at, unreadable.key.as_ref()),
            };
            if let Some(sequence) = sequence {
                let at = at.unwrap_or(Timestamp::UNIX_EPOCH);
                last = Some(Mark { sequence: sequence.clone(), at });
            }
            if key.is_none_or(wanted) {
                batch.push(read);
            }
        }
        Ok(Reached::There(Fetched { batch: Arc::new(batch), last, next: output.next_shard_iterator }))
    }

    /// An iterator behind what was read, or at the oldest record that there is.
    async fn iterator(&mut self, source: &Source) -> Result<Reached<String>, StoreError> {
        let kind = match self.read {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            None => ShardIteratorType::TrimHorizon,
        };
        let attempt = async || {
            let request = source.streams.get_shard_iterator().stream_arn(&self.stream).shard_id(&self.id);
            let behind = self.read.as_ref().map(|read| read.as_issued().to_owned());
            let request = request.shard_iterator_type(kind.clone()).set_sequence_number(behind);
            request.send().await.map_err(CallError::from)
        };
        match source.audience.dynamo.retry(GET_ITERATOR, attempt, CallError::passes).await? {
            Ok(output) => {
                let iterator = output.shard_iterator;
                let iterator = iterator.ok_or_else(|| StoreError::failed(GET_ITERATOR, "it gave none"))?;
                Ok(Reached::There(iterator))
            }
            Err(error) => self.lost(GET_ITERATOR, error),
        }
    }

    /// What a refused call means for the place.
    fn lost<T>(&mut self, operation: &'static str, error: CallError) -> Result<Reached<T>, StoreError> {
        match error.code() {
            Some("ExpiredIteratorException") => Ok(Reached::Lost),
            Some("TrimmedDataAccessException") => {
                // What stood behind it is older than a day and gone; whatever is left comes after it.
                tracing::warn!(shard = self.id, "changes were dropped before they were read");
                self.read = None;
                Ok(Reached::Lost)
            }
            Some("ResourceNotFoundException") => Ok(Reached::Gone),
            _ => Err(StoreError::failed(operation, error)),
        }
    }

    fn checkpoint(&self, source: &Source) -> Key {
        Key::new(format!("{CHECKPOINT}{}", source.audience.consumer), format!("SHARD#{}", self.id))
    }

    async fn stored_mark(&self, source: &Source) -> Result<Option<Mark>, StoreError> {
        source.audience.dynamo.get(&self.checkpoint(source)).await?.map(from_item).transpose()
    }

    /// Goes to the checkpoint.
    async fn recall(&mut self, source: &Source) -> Result<(), StoreError> {
        self.mark = self.stored_mark(source).await?;
        self.read = self.mark.as_ref().map(|mark| mark.sequence.clone());
        self.place = Place::Behind;
        Ok(())
    }

    /// Writes the checkpoint that is owed. Where another reader of this consumer wrote it meanwhile, the later stays.
    async fn settle(&mut self, source: &Source) -> Result<(), StoreError> {
        while let Some(owed) = &self.owed {
            let key = self.checkpoint(source);
            let unchanged = match &self.mark {
                Some(mark) => Condition::is("sequence", mark.sequence.as_str()),
                None => Condition::Absent,
            };
            let write =
                source.audience.dynamo.guarded_write().put("checkpoint", to_item(&key, owed)?, unchanged);
            match source.audience.dynamo.write(write).await {
                Ok(()) => self.mark = self.owed.take(),
                Err(WriteError::Refused(_)) => {
                    let later = owed.sequence.clone();
                    self.mark = self.stored_mark(source).await?;
                    if self.mark.as_ref().is_some_and(|mark| mark.sequence >= later) {
                        self.owed = None;
                        self.read = self.mark.as_ref().map(|mark| mark.sequence.clone());
                        self.place = Place::Behind;
                    }
                }
                Err(WriteError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

fn change(record: Record) -> Result<Change, Box<Unreadable>> {
    let id = record.event_id;
    let body = record.dynamodb.unwrap_or_else(|| StreamRecord::builder().build());
    let at = body.approximate_creation_date_time;
    let at = at.and_then(|at| Timestamp::from_nanosecond(at.as_nanos()).ok());
    let sequence: Option<Sequence> = body.sequence_number.and_then(|text| text.parse().ok());
    let key = body.keys.map(item).as_ref().and_then(key_of);
    let (before, after) = (body.old_image.map(item), body.new_image.map(item));
    match (id, at, sequence, key) {
        (Some(id), Some(at), Some(sequence), Some(key)) => {
            readable(Raw { id, at, sequence, key, before, after })
        }
        (id, at, sequence, key) => {
            let lacks = [id.is_none(), at.is_none(), sequence.is_none(), key.is_none()];
            let names = ["eventID", "time", "sequence number", "key of the table"];
            let lacking: Vec<&str> =
                names.into_iter().zip(lacks).filter(|(_, lacks)| *lacks).map(|(name, _)| name).collect();
            // What names nothing is known by what it says.
            let named = || fingerprint(&[format!("{at:?} {sequence:?} {key:?}").as_bytes()]);
            let id = id.unwrap_or_else(named);
            let cause = format!("has no {}", lacking.join(" and no "));
            Err(Box::new(Unreadable { id, at, sequence, key, cause, schema: None, before, after }))
        }
    }
}

/// An item as the table's SDK has it.
fn item(image: HashMap<String, AttributeValue>) -> Item {
    let value = |value| serde_dynamo::AttributeValue::from(value).into();
    image.into_iter().map(|(name, attribute)| (name, value(attribute))).collect()
}
