//! Finds out what happened to a write that was sent and not answered until the deadline.
//!
//! A read that finds nothing proves nothing, because the transaction may still commit. So a write with an idempotency
//! record is fenced: another write puts a record under the same key, which says that the first write was abandoned.
//! The fence succeeds only if the change did not happen, and then a late change fails on it. For a write without a
//! record, the items that it creates are looked up. They show that it happened, or that another write made it
//! impossible. Otherwise its outcome is unknown.
//!
//! An abandoned record lists the tokens of the abandoned writes. The same request can be made again under its key,
//! but no abandoned write can still succeed.

use aws_sdk_dynamodb::types::AttributeValue;

use super::answer::Answer;
use super::item::key_of;
use super::record::{ABANDONED, TOKEN, abandoned, empty_record, is_abandoned};
use super::retry::RetriesExhausted;
use super::transaction::{OPERATION, Sent};
use super::{Condition, Dynamo, Item, Key, Refusal, StoreError, WriteError, to_attribute};

/// The most items that are looked up.
const MOST_LOOKED_FOR: usize = 10;
/// How often a record is abandoned again when another write of the same request is abandoned at the same time.
const ATTEMPTS: usize = 4;

impl Dynamo {
    /// Finds the outcome of a write whose attempts ended without an answer.
    pub(super) async fn find_outcome(
        &self,
        sent: &Sent,
        exhausted: RetriesExhausted,
    ) -> Result<(), WriteError> {
        let record = sent.record.and_then(|action| sent.item_put(action));
        let found = match record {
            Some((label, item)) => self.fence(sent, label, item).await,
            None => self.look_for(sent).await,
        };
        match found {
            Ok(Outcome::Happened) => Ok(()),
            Ok(Outcome::Refused(refusal)) => Err(WriteError::Refused(refusal)),
            Ok(Outcome::Never) => Err(WriteError::Store(exhausted.into())),
            Ok(Outcome::Unknown)
            | Err(StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. }) => {
                let RetriesExhausted { attempts, last, .. } = exhausted;
                let error = StoreError::OutcomeUnknown { operation: OPERATION, attempts, last };
                Err(WriteError::Store(error))
            }
            Err(error) => Err(WriteError::Store(error)),
        }
    }

    /// Abandons the write's record. This fails exactly if the write happened.
    async fn fence(&self, sent: &Sent, label: &'static str, record: &Item) -> Result<Outcome, StoreError> {
        let Some(key) = key_of(record) else { return Ok(Outcome::Unknown) };
        let mut before: Option<Item> = None;
        for _ in 0..ATTEMPTS {
            let abandoned_before = before.as_ref().and_then(abandoned);
            let condition = match abandoned_before {
                None => Condition::Absent,
                Some(tokens) => Condition::is(ABANDONED, tokens),
            };
            let tokens = abandoned_before.into_iter().chain([&*sent.token]).collect::<Vec<_>>().join(" ");
            let item = self.abandoned_record(&key, tokens)?;
            let write = self.guarded_write().put("abandoned", item, condition);
            let stored = match self.send(&write.into_sent()?, self.deadline()).await {
                Ok(Ok(())) => return Ok(Outcome::Never),
                Ok(Err(_)) => return Ok(Outcome::Unknown),
                Err(WriteError::Store(error)) => return Err(error),
                Err(WriteError::Refused(refusal)) => refusal.item("abandoned").cloned(),
            };
            match stored {
                Some(item) if is_abandoned(&item) => before = Some(item),
                Some(item) if item.get(TOKEN) == record.get(TOKEN) => return Ok(Outcome::Happened),
                Some(item) => {
                    return Ok(Outcome::Refused(Refusal { failed: vec![(label, Some(item))] }));
                }
                // The record expired just now.
                None => before = None,
            }
        }
        Ok(Outcome::Unknown)
    }

    /// Creates a record that says that nothing was done. Program versions that do not know abandoned records treat it
    /// as the record of another request.
    fn abandoned_record(&self, key: &Key, tokens: String) -> Result<Item, StoreError> {
        let mut item = empty_record(key, self.clock.now())?;
        item.insert(ABANDONED.to_owned(), AttributeValue::S(tokens));
        item.insert("fingerprint".to_owned(), AttributeValue::S(String::new()));
        item.insert("answer".to_owned(), to_attribute(Answer::empty())?);
        Ok(item)
    }

    /// Looks up the items that the write creates.
    async fn look_for(&self, sent: &Sent) -> Result<Outcome, StoreError> {
        let made = sent.created.iter().filter_map(|action| sent.item_put(*action)).take(MOST_LOOKED_FOR);
        let made: Vec<(&'static str, &Item)> = made.collect();
        if made.is_empty() {
            return Ok(Outcome::Unknown);
        }
        let keys: Vec<Key> = made.iter().filter_map(|(_, item)| key_of(item)).collect();
        let stored = self.get_all(&keys).await?;
        if made.iter().any(|(_, item)| stored.contains(item)) {
            return Ok(Outcome::Happened);
        }
        let others = made.iter().filter_map(|(label, item)| {
            let other = stored.iter().find(|stored| key_of(stored) == key_of(item))?;
            Some((*label, Some(other.clone())))
        });
        let failed: Vec<_> = others.collect();
        Ok(if failed.is_empty() { Outcome::Unknown } else { Outcome::Refused(Refusal { failed }) })
    }
}

/// The outcome of a write that was not answered.
enum Outcome {
    /// The write happened.
    Happened,
    /// Another write made it impossible.
    Refused(Refusal),
    /// It did not happen and never will.
    Never,
    /// It may have happened, or may still happen.
    Unknown,
}
