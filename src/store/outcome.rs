//! Finds out what happened to a write that was sent and not answered, and that failed afterwards.
//!
//! A read that finds nothing proves nothing, because the transaction may still commit. So a write with an idempotency
//! record is fenced: another write puts a record under the same key, which says that the first write was abandoned.
//! The fence succeeds only if the change did not happen, and then a late change fails on it. If the store takes no
//! writes, for example because its disk is full, the record is looked up. For a write without a record, the items that
//! it creates are looked up. They show that it happened, or that another write made it impossible. Otherwise its
//! outcome is unknown after any answer of the store: it is never called a failure.
//!
//! An abandoned record lists the tokens of the abandoned writes. The same request can be made again under its key,
//! but no abandoned write can still succeed.

use aws_sdk_dynamodb::types::AttributeValue;

use super::answer::Answer;
use super::item::key_of;
use super::record::{ABANDONED, TOKEN, abandoned, empty_record, is_abandoned};
use super::transaction::{FailedWrite, OPERATION, SendError, Sent};
use super::{Condition, Dynamo, Item, Key, Refusal, StoreError, WriteError, to_attribute};

/// The most items that are looked up.
const MOST_LOOKED_FOR: usize = 10;
/// How often a record is abandoned again when another write of the same request is abandoned at the same time.
const ATTEMPTS: usize = 4;

impl Dynamo {
    /// Finds the outcome of a write of which an attempt was not answered.
    pub(super) async fn find_outcome(&self, sent: &Sent, failed: FailedWrite) -> Result<(), WriteError> {
        let record = sent.record.and_then(|action| sent.item_put(action));
        let found = match record {
            Some((label, item)) => self.fence(sent, label, item).await,
            None => self.look_for(sent).await,
        };
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "the outcome of a write could not be looked up");
            Outcome::Unknown
        });
        match found {
            Outcome::Happened => Ok(()),
            Outcome::Refused(refusal) => Err(WriteError::Refused(refusal)),
            Outcome::Never => Err(WriteError::Store(failed.error)),
            Outcome::Unknown => {
                let FailedWrite { attempts, last, .. } = failed;
                let error = StoreError::OutcomeUnknown { operation: OPERATION, attempts, last };
                Err(WriteError::Store(error))
            }
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
                Ok(()) => return Ok(Outcome::Never),
                Err(SendError::Refused(refusal)) => refusal.item("abandoned").cloned(),
                // Without an answer to the fence, only a stored record proves anything.
                Err(SendError::Failed(_)) => {
                    let stored = self.get(&key).await?;
                    return Ok(stored.map_or(Outcome::Unknown, |stored| shown_by(stored, label, &sent.token)));
                }
            };
            // A missing record expired just now.
            before = match stored {
                Some(item) if is_abandoned(&item) => Some(item),
                Some(item) => return Ok(shown_by(item, label, &sent.token)),
                None => None,
            };
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

/// Returns what the stored record shows about the write with this token, whose own record has the same key.
fn shown_by(stored: Item, label: &'static str, token: &str) -> Outcome {
    let by_this_write =
        |item: &Item| item.get(TOKEN).and_then(|own| own.as_s().ok()).is_some_and(|own| own == token);
    match abandoned(&stored) {
        Some(tokens) if tokens.split(' ').any(|abandoned| abandoned == token) => Outcome::Never,
        // It abandons other writes of the same request. This one may still happen.
        Some(_) => Outcome::Unknown,
        None if by_this_write(&stored) => Outcome::Happened,
        None => Outcome::Refused(Refusal { failed: vec![(label, Some(stored))] }),
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
