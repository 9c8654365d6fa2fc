//! The ledger: what was answered for an idempotency key, written in the same transaction as the effect.
//!
//! What always holds: an entry exists if and only if the effect happened. A request is one transaction, so it is
//! never "still running" to another one with the same key: of two at once, one writes and the other is refused by
//! the entry's own condition and gives the stored answer. What may happen only once ever has an entry that stays.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::schema::TTL;
use super::{
    Condition, Dynamo, GuardedWrite, Item, Key, Refusal, StoreError, WriteError, from_item, to_attribute,
    to_item,
};
use crate::values::{Invalid, fingerprint};

const LABEL: &str = "ledger";
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A client's key for one request: 1 to 200 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl std::str::FromStr for IdempotencyKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("An Idempotency-Key has 1 to 200 visible ASCII characters."))
        }
    }
}

/// A request that is to happen once: whose, under which key, and what it asks.
#[derive(Debug, Clone)]
pub struct OnceOnly {
    account: String,
    key: IdempotencyKey,
    fingerprint: String,
    /// When its entry may go; never, if none.
    kept_until: Option<Timestamp>,
}

/// The answer that a repeated request gets again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, JSON.
    pub body: String,
    /// The `Location` header, where the answer had one.
    pub location: Option<String>,
    /// The `ETag` header, where the answer had one.
    pub etag: Option<String>,
}

/// A change that was made now, or the stored answer of the same request made before.
#[derive(Debug)]
pub enum Done<T> {
    /// It was made now.
    Now(T),
    /// The same request had made it before, and was answered so.
    Before(Answer),
}

impl<T> Done<T> {
    /// The answer to the request: the same as before, or made from what was made now.
    pub fn answer(self, answer: impl Fn(&T) -> Answer) -> Answer {
        match self {
            Self::Now(made) => answer(&made),
            Self::Before(answer) => answer,
        }
    }
}

/// What the ledger says to a refused write.
#[derive(Debug, PartialEq, Eq)]
pub enum Recall {
    /// The ledger has nothing to do with the refusal.
    Nothing,
    /// The same request was answered before: this is the answer.
    Same(Answer),
    /// The key was used for another request.
    Other,
}

/// A request that is to happen once, with how its answer is made from what it made.
pub struct Once<'a, T> {
    /// The request.
    pub request: OnceOnly,
    /// The answer to it.
    pub answer: &'a (dyn Fn(&T) -> Answer + Send + Sync),
}

impl<T> Once<'_, T> {
    /// Adds the entry to the write that makes `made`, where the request is to happen once.
    ///
    /// # Errors
    /// As [`OnceOnly::record`].
    pub fn record(once: Option<&Self>, write: GuardedWrite, made: &T) -> Result<GuardedWrite, StoreError> {
        match once {
            Some(once) => once.request.record(write, &(once.answer)(made)),
            None => Ok(write),
        }
    }

    /// What the ledger says to the refusal of that write.
    ///
    /// # Errors
    /// As [`OnceOnly::recall`].
    pub fn recall(once: Option<&Self>, refusal: &Refusal) -> Result<Recall, StoreError> {
        once.map_or(Ok(Recall::Nothing), |once| once.request.recall(refusal))
    }

    /// What the ledger says, read consistently: for a request that is refused before it writes.
    ///
    /// # Errors
    /// As [`OnceOnly::look_up`].
    pub async fn look_up(once: Option<&Self>, dynamo: &Dynamo) -> Result<Recall, StoreError> {
        match once {
            Some(once) => once.request.look_up(dynamo).await,
            None => Ok(Recall::Nothing),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    fingerprint: String,
    answer: Answer,
}

impl OnceOnly {
    /// A request with its key. `parts` are the method, the path and the body.
    pub fn new(account: &str, key: IdempotencyKey, parts: &[&[u8]], now: Timestamp) -> Self {
        let kept_until = Some(now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX));
        Self { account: account.to_owned(), key, fingerprint: fingerprint(parts), kept_until }
    }

    /// What happens once ever, whoever asks for it: its entry never goes. `scope` is no account's id.
    pub fn forever(scope: &str, key: &str, parts: &[&[u8]]) -> Self {
        let key = IdempotencyKey(key.to_owned());
        Self { account: scope.to_owned(), key, fingerprint: fingerprint(parts), kept_until: None }
    }

    /// The same, with an entry that goes as those of other requests do.
    pub fn for_a_while(self, now: Timestamp) -> Self {
        Self { kept_until: Some(now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX)), ..self }
    }

    /// A part of the request, with an entry of its own.
    pub fn part(&self, number: usize) -> Self {
        Self { key: IdempotencyKey(format!("{}/{number}", self.key.0)), ..self.clone() }
    }

    /// Adds the entry to the write that has the effect.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] never in practice; the answer is text.
    pub fn record(&self, write: GuardedWrite, answer: &Answer) -> Result<GuardedWrite, StoreError> {
        let entry = Entry { fingerprint: self.fingerprint.clone(), answer: answer.clone() };
        let mut item: Item = to_item(&self.item_key(), &entry)?;
        if let Some(kept_until) = self.kept_until {
            item.insert(TTL.to_owned(), to_attribute(kept_until.as_second())?);
        }
        Ok(write.put(LABEL, item, Condition::Absent))
    }

    /// Adds the entry alone, for a request that changes nothing else. [`Recall::Nothing`] says that it was not there.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn remember(&self, dynamo: &Dynamo, answer: &Answer) -> Result<Recall, StoreError> {
        match dynamo.write(self.record(dynamo.guarded_write(), answer)?).await {
            Ok(()) => Ok(Recall::Nothing),
            Err(WriteError::Refused(refusal)) => self.recall(&refusal),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// What the ledger says to the refusal of that write.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if the entry cannot be read.
    pub fn recall(&self, refusal: &Refusal) -> Result<Recall, StoreError> {
        self.judge(refusal.item(LABEL).cloned())
    }

    /// What the ledger says, read consistently: for a request that is refused before it writes.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn look_up(&self, dynamo: &Dynamo) -> Result<Recall, StoreError> {
        self.judge(dynamo.get(&self.item_key()).await?)
    }

    fn item_key(&self) -> Key {
        Key::new(format!("LEDGER#{}#{}", self.account, self.key.0), "LEDGER")
    }

    fn judge(&self, item: Option<Item>) -> Result<Recall, StoreError> {
        let Some(item) = item else { return Ok(Recall::Nothing) };
        let entry: Entry = from_item(item)?;
        let same = entry.fingerprint == self.fingerprint;
        Ok(if same { Recall::Same(entry.answer) } else { Recall::Other })
    }
}
