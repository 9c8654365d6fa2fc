//! One shard of a stream: where a reader stands in it, and the next step from there.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::shards::Source;
use crate::dynamo::line::CallError;
use crate::dynamo::read::key_of;
use crate::dynamo::stream::{Change, Sequence};
use crate::dynamo::upgrade::in_present_form;
use crate::dynamo::{Condition, Item, Key, StoreError, WriteError, from_item, to_item};
use crate::values::Invalid;

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
    batch: Option<Batch>,
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

struct Batch {
    changes: Arc<[Change]>,
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
    pub(super) async fn step<H, F, E>(&mut self, source: &Source, handle: &mut H) -> Result<Step, StoreError>
    where
        H: FnMut(Arc<[Change]>) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        self.settle(source).await?;
        if matches!(self.place, Place::End) {
            return Ok(Step::AtEnd);
        }
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => match self.fetch(source).await? {
                Reached::There(batch) => batch,
                Reached::Lost => return Ok(Step::Read),
                Reached::Gone => return Ok(Step::Gone),
            },
        };
        if !batch.changes.is_empty() {
            if let Err(error) = handle(batch.changes.clone()).await {
                let (consumer, changes) = (source.audience.consumer, batch.changes.len());
                tracing::warn!(consumer, changes, %error, "changes were not handled and are handed over again");
                self.batch = Some(batch);
                return Ok(Step::Unhandled);
            }
            self.owed = batch.last.clone();
        }
        let news = batch.last.is_some();
        self.read = batch.last.map(|mark| mark.sequence).or(self.read.take());
        let ended = batch.next.is_none();
        self.place = batch.next.map_or(Place::End, Place::At);
        self.settle(source).await?;
        Ok(match (ended, news) {
            (true, _) => Step::Ended,
            (_, true) => Step::Read,
            _ => Step::AtEnd,
        })
    }

    /// The next records, and the iterator behind them.
    async fn fetch(&mut self, source: &Source) -> Result<Reached<Batch>, StoreError> {
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
        let changes = output.records.unwrap_or_default().into_iter().map(change);
        let changes = changes.collect::<Result<Vec<_>, _>>()?;
        let last = changes.last().map(|last| Mark { sequence: last.sequence.clone(), at: last.at });
        let wanted = |change: &Change| {
            !change.key.pk.starts_with(CHECKPOINT) && (source.audience.relevant)(&change.key)
        };
        let changes = changes.into_iter().filter(wanted).collect();
        Ok(Reached::There(Batch { changes, last, next: output.next_shard_iterator }))
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

fn change(record: Record) -> Result<Change, StoreError> {
    let lacks = |what: &str| StoreError::failed(GET_RECORDS, format!("a record has no {what}"));
    let id = record.event_id.ok_or_else(|| lacks("eventID"))?;
    let body = record.dynamodb.ok_or_else(|| lacks("dynamodb"))?;
    let at = body.approximate_creation_date_time.ok_or_else(|| lacks("time"))?;
    let at =
        Timestamp::from_nanosecond(at.as_nanos()).map_err(|error| StoreError::failed(GET_RECORDS, error))?;
    let sequence = body.sequence_number.ok_or_else(|| lacks("sequence number"))?;
    let sequence = sequence.parse().map_err(|error: Invalid| StoreError::failed(GET_RECORDS, error))?;
    let key = body.keys.map(item).as_ref().and_then(key_of).ok_or_else(|| lacks("key of the table"))?;
    let (before, after) = (body.old_image.map(item), body.new_image.map(item));
    if before.is_none() && after.is_none() {
        return Err(lacks("image"));
    }
    let read = |image: Option<Item>| image.map(in_present_form).transpose();
    Ok(Change { id, at, sequence, key, before: read(before)?, after: read(after)? })
}

/// An item as the table's SDK has it.
fn item(image: HashMap<String, AttributeValue>) -> Item {
    let value = |value| serde_dynamo::AttributeValue::from(value).into();
    image.into_iter().map(|(name, attribute)| (name, value(attribute))).collect()
}
