//! One shard of a stream: the reader's position in it, and its next step.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType, StreamRecord};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::poll::{PollReport, Subscription};
use super::source::Source;
use crate::base::values::fingerprint;
use crate::store::item::key_of;
use crate::store::line::CallError;
use crate::store::stream::{Batch, Change, Raw, Sequence, Unreadable, readable};
use crate::store::{Condition, Item, Key, StoreError, WriteError, from_item, to_item};

const GET_RECORDS: &str = "GetRecords";
const GET_ITERATOR: &str = "GetShardIterator";
const CHECKPOINT_PREFIX: &str = "STREAM#";
/// The most changes of a batch.
const BATCH: i32 = 100;

pub(super) struct Shard {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    stream: String,
    position: Position,
    /// The last record that was read and, if it is relevant, handled.
    read: Option<Sequence>,
    /// The checkpoint in the table, as it was last read or written.
    checkpoint: Option<Checkpoint>,
    /// The checkpoint to write next.
    pending: Option<Checkpoint>,
    /// Records that were read and not yet handled.
    batch: Option<Fetched>,
    /// All changes of the shard up to this time are handled, if that is known.
    pub(super) handled: Option<Timestamp>,
}

enum Position {
    /// The checkpoint is not read yet.
    Unknown,
    /// After [`Shard::read`], without an iterator.
    After,
    /// At this iterator.
    At(String),
    /// The shard is closed and was read to its end.
    End,
}

struct Fetched {
    batch: Arc<Batch>,
    last: Option<Checkpoint>,
    next: Option<String>,
}

/// The checkpoint: the last change that was handled, and when it happened.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Checkpoint {
    sequence: Sequence,
    at: Timestamp,
}

/// The result of a step.
pub(super) enum Step {
    /// There is nothing new.
    AtEnd,
    /// Records were read, and there may be more.
    Read,
    /// The handler failed.
    Unhandled,
    /// The shard is closed and was read to its end.
    Ended,
    /// The stream no longer has the shard.
    Gone,
}

/// The result of a call that needs a position in the shard.
enum Located<T> {
    Found(T),
    /// The position no longer exists and must be found again.
    Lost,
    /// The records after the position are older than a day and deleted. All remaining records come later.
    Trimmed,
    /// The shard no longer exists.
    Gone,
}

impl Shard {
    pub(super) fn new(stream: &str, id: String, parent: Option<String>) -> Self {
        Self {
            id,
            parent,
            stream: stream.to_owned(),
            position: Position::Unknown,
            read: None,
            checkpoint: None,
            pending: None,
            batch: None,
            handled: None,
        }
    }

    /// Whether nothing is left to do in it.
    pub(super) fn ended(&self) -> bool {
        matches!(self.position, Position::End) && self.pending.is_none()
    }

    /// Reads one batch, passes it to the handler if it has relevant changes, and writes the checkpoint.
    pub(super) async fn step<E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        source: &Source,
        handle: &mut impl FnMut(Arc<Batch>) -> F,
        report: &mut PollReport,
    ) -> Result<Step, StoreError> {
        self.save_checkpoint(source).await?;
        if matches!(self.position, Position::End) {
            return Ok(Step::AtEnd);
        }
        let fetched = match self.batch.take() {
            Some(fetched) => fetched,
            None => match self.fetch(source).await? {
                Located::Found(fetched) => fetched,
                Located::Lost => return Ok(Step::Read),
                Located::Trimmed => {
                    report.report_loss(source.subscription.consumer);
                    return Ok(Step::Read);
                }
                Located::Gone => return Ok(Step::Gone),
            },
        };
        if !fetched.batch.is_empty() {
            if let Err(error) = handle(fetched.batch.clone()).await {
                report.unhandled = Some(error.to_string());
                self.batch = Some(fetched);
                return Ok(Step::Unhandled);
            }
            self.pending = fetched.last.clone();
        }
        let step = self.move_past(fetched);
        self.save_checkpoint(source).await?;
        Ok(step)
    }

    /// Moves the position past records that are handled.
    fn move_past(&mut self, fetched: Fetched) -> Step {
        self.handled = self.handled.max(fetched.last.as_ref().map(|last| last.at));
        let has_records = fetched.last.is_some();
        self.read = fetched.last.map(|checkpoint| checkpoint.sequence).or(self.read.take());
        let ended = fetched.next.is_none();
        self.position = fetched.next.map_or(Position::End, Position::At);
        match (ended, has_records) {
            (true, _) => Step::Ended,
            (_, true) => Step::Read,
            _ => Step::AtEnd,
        }
    }

    /// Returns the next records and the iterator after them.
    async fn fetch(&mut self, source: &Source) -> Result<Located<Fetched>, StoreError> {
        let iterator = match self.take_iterator(source).await? {
            Located::Found(iterator) => iterator,
            Located::Lost => return Ok(Located::Lost),
            Located::Trimmed => return Ok(Located::Trimmed),
            Located::Gone => return Ok(Located::Gone),
        };
        let attempt = async || {
            let request = source.streams.get_records().shard_iterator(&iterator).limit(BATCH);
            request.send().await.map_err(CallError::from)
        };
        match source.subscription.dynamo.retry(GET_RECORDS, attempt).await? {
            Ok(output) => {
                let records = output.records.unwrap_or_default();
                let (batch, last) = batch_of(records, &source.subscription);
                let next = output.next_shard_iterator;
                Ok(Located::Found(Fetched { batch: Arc::new(batch), last, next }))
            }
            Err(error) => self.lost(GET_RECORDS, error),
        }
    }

    /// Returns the iterator of the position, or a new one. The position is then without an iterator.
    async fn take_iterator(&mut self, source: &Source) -> Result<Located<String>, StoreError> {
        match std::mem::replace(&mut self.position, Position::After) {
            Position::At(iterator) => return Ok(Located::Found(iterator)),
            Position::Unknown => {
                self.load_checkpoint(source).await.inspect_err(|_| self.position = Position::Unknown)?;
            }
            Position::After | Position::End => {}
        }
        self.iterator(source).await
    }

    /// Returns an iterator after the last record that was read, or at the oldest record.
    async fn iterator(&mut self, source: &Source) -> Result<Located<String>, StoreError> {
        let kind = match self.read {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            None => ShardIteratorType::TrimHorizon,
        };
        let attempt = async || {
            let request = source.streams.get_shard_iterator().stream_arn(&self.stream).shard_id(&self.id);
            let after = self.read.as_ref().map(|read| read.as_issued().to_owned());
            let request = request.shard_iterator_type(kind.clone()).set_sequence_number(after);
            request.send().await.map_err(CallError::from)
        };
        match source.subscription.dynamo.retry(GET_ITERATOR, attempt).await? {
            Ok(output) => {
                let missing = || StoreError::failed(GET_ITERATOR, "the answer has no iterator");
                Ok(Located::Found(output.shard_iterator.ok_or_else(missing)?))
            }
            Err(error) => self.lost(GET_ITERATOR, error),
        }
    }

    /// Decides what a rejected call means for the position.
    fn lost<T>(&mut self, operation: &'static str, error: CallError) -> Result<Located<T>, StoreError> {
        match error.code() {
            Some("ExpiredIteratorException") => Ok(Located::Lost),
            Some("TrimmedDataAccessException") => {
                self.read = None;
                Ok(Located::Trimmed)
            }
            Some("ResourceNotFoundException") => Ok(Located::Gone),
            _ => Err(StoreError::failed(operation, error)),
        }
    }

    fn checkpoint_key(&self, source: &Source) -> Key {
        Key::new(format!("{CHECKPOINT_PREFIX}{}", source.subscription.consumer), format!("SHARD#{}", self.id))
    }

    async fn stored_checkpoint(&self, source: &Source) -> Result<Option<Checkpoint>, StoreError> {
        source.subscription.dynamo.get(&self.checkpoint_key(source)).await?.map(from_item).transpose()
    }

    /// Sets the position to the stored checkpoint.
    async fn load_checkpoint(&mut self, source: &Source) -> Result<(), StoreError> {
        self.checkpoint = self.stored_checkpoint(source).await?;
        self.read = self.checkpoint.as_ref().map(|checkpoint| checkpoint.sequence.clone());
        self.handled = self.checkpoint.as_ref().map(|checkpoint| checkpoint.at);
        self.position = Position::After;
        Ok(())
    }

    /// Writes the pending checkpoint. If another reader of this consumer wrote one at the same time, the later of the
    /// two stays.
    async fn save_checkpoint(&mut self, source: &Source) -> Result<(), StoreError> {
        while let Some(pending) = &self.pending {
            let key = self.checkpoint_key(source);
            let unchanged = match &self.checkpoint {
                Some(checkpoint) => Condition::is("sequence", checkpoint.sequence.as_str()),
                None => Condition::Absent,
            };
            let dynamo = &source.subscription.dynamo;
            let write = dynamo.guarded_write().put("checkpoint", to_item(&key, pending)?, unchanged);
            match dynamo.write(write).await {
                Ok(()) => self.checkpoint = self.pending.take(),
                Err(WriteError::Refused(_)) => {
                    let later = pending.sequence.clone();
                    self.checkpoint = self.stored_checkpoint(source).await?;
                    if self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.sequence >= later) {
                        self.pending = None;
                        self.read = self.checkpoint.as_ref().map(|checkpoint| checkpoint.sequence.clone());
                        self.position = Position::After;
                    }
                }
                Err(WriteError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns the relevant changes of records, and the checkpoint after all of them.
fn batch_of(records: Vec<Record>, subscription: &Subscription) -> (Batch, Option<Checkpoint>) {
    let wanted = |key: &Key| !key.pk.starts_with(CHECKPOINT_PREFIX) && (subscription.relevant)(key);
    let (mut batch, mut last) = (Batch::default(), None);
    for record in records {
        let read = change(record);
        let (sequence, at, key) = match &read {
            Ok(change) => (Some(&change.sequence), Some(change.at), Some(&change.key)),
            Err(unreadable) => (unreadable.sequence.as_ref(), unreadable.at, unreadable.key.as_ref()),
        };
        if let Some(sequence) = sequence {
            let at = at.unwrap_or(Timestamp::UNIX_EPOCH);
            last = Some(Checkpoint { sequence: sequence.clone(), at });
        }
        if key.is_none_or(wanted) {
            batch.push(read);
        }
    }
    (batch, last)
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
            // A record without an id is identified by its content.
            let named = || fingerprint(&[format!("{at:?} {sequence:?} {key:?}").as_bytes()]);
            let id = id.unwrap_or_else(named);
            let cause = format!("has no {}", lacking.join(" and no "));
            Err(Box::new(Unreadable { id, at, sequence, key, cause, schema: None, before, after }))
        }
    }
}

/// Converts an image of the streams SDK to an item of the table's SDK.
fn item(image: HashMap<String, AttributeValue>) -> Item {
    let value = |value| serde_dynamo::AttributeValue::from(value).into();
    image.into_iter().map(|(name, attribute)| (name, value(attribute))).collect()
}
