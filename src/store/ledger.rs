//! The ledger: what was answered for an idempotency key, written in the same transaction as the effect.
//!
//! What always holds: an entry with an answer exists if and only if the effect happened. A request is one transaction, so it
//! is never "still running" to another one with the same key: of two at once, one writes and the other is refused by
//! the entry's own condition and gives the stored answer. What may happen only once ever has an entry that stays. An entry
//! that abandons a write (`outcome.rs`) has no answer, and the request may be made again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use super::answer::Answer;
use super::record::is_abandoned;
use super::schema::TTL;
use super::{
    Dynamo, GuardedWrite, Item, Key, Refusal, StoreError, WriteError, from_item, to_attribute, to_item,
};
use crate::base::values::{Invalid, fingerprint};

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
pub struct IdempotentRequest {
    account: String,
    key: IdempotencyKey,
    fingerprint: String,
    /// When its entry may go; never, if none.
    kept_until: Option<Timestamp>,
}

/// A change that was made now, or the stored answer of the same request made before.
#[derive(Debug)]
pub enum Done<T> {
    /// It was made now.
    Now(T),
    /// The same request had made it before, and was answered so.
    Replayed(Answer),
}

impl<T> Done<T> {
    /// The answer to the request: the same as before, or made from what was made now.
    pub fn answer(self, answer: impl Fn(&T) -> Answer) -> Answer {
        match self {
            Self::Now(made) => answer(&made),
            Self::Replayed(answer) => answer,
        }
    }
}

/// What the ledger says to a refused write.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The ledger has nothing to do with the refusal.
    Nothing,
    /// The same request was answered before: this is the answer.
    Same(Answer),
    /// The key was used for another request.
    Other,
}

/// A request that is to happen once, with how its answer is made from what it made.
pub struct Idempotency<'a, T> {
    /// The request.
    pub request: IdempotentRequest,
    /// The answer to it.
    pub answer: &'a (dyn Fn(&T) -> Answer + Send + Sync),
}

impl<T> Idempotency<'_, T> {
    /// Adds the entry to the write that makes `made`, where the request is to happen once.
    ///
    /// # Errors
    /// As [`IdempotentRequest::record`].
    pub fn record(
        idempotency: Option<&Self>,
        write: GuardedWrite,
        made: &T,
    ) -> Result<GuardedWrite, StoreError> {
        match idempotency {
            Some(idempotency) => idempotency.request.record(write, &(idempotency.answer)(made)),
            None => Ok(write),
        }
    }

    /// What the ledger says to the refusal of that write.
    ///
    /// # Errors
    /// As [`IdempotentRequest::recall`].
    pub fn recall(idempotency: Option<&Self>, refusal: &Refusal) -> Result<Lookup, StoreError> {
        idempotency.map_or(Ok(Lookup::Nothing), |idempotency| idempotency.request.recall(refusal))
    }

    /// What the ledger says, read consistently: for a request that is refused before it writes.
    ///
    /// # Errors
    /// As [`IdempotentRequest::look_up`].
    pub async fn look_up(idempotency: Option<&Self>, dynamo: &Dynamo) -> Result<Lookup, StoreError> {
        match idempotency {
            Some(idempotency) => idempotency.request.look_up(dynamo).await,
            None => Ok(Lookup::Nothing),
        }
    }
}

/// The idempotency key belongs to another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key belongs to another request")]
pub struct KeyReused;

impl<T> Idempotency<'_, T> {
    /// Does the change of a request, which adds its [record](Self::record) to its write, or gives the answer that the same
    /// request had before. A refusal is the change's own, unless the same request was done at the same moment.
    ///
    /// # Errors
    /// Those of the change, [`KeyReused`], and [`StoreError`] if the store failed.
    pub async fn run<E: From<KeyReused> + From<StoreError>>(
        idempotency: Option<&Self>,
        dynamo: &Dynamo,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<Done<T>, E> {
        if let Some(answer) = Self::before::<E>(idempotency, dynamo).await? {
            return Ok(Done::Replayed(answer));
        }
        match change.await {
            Ok(made) => Ok(Done::Now(made)),
            Err(error) => match Self::before::<E>(idempotency, dynamo).await {
                Ok(Some(answer)) => Ok(Done::Replayed(answer)),
                _ => Err(error),
            },
        }
    }

    async fn before<E: From<KeyReused> + From<StoreError>>(
        idempotency: Option<&Self>,
        dynamo: &Dynamo,
    ) -> Result<Option<Answer>, E> {
        match Self::look_up(idempotency, dynamo).await? {
            Lookup::Same(answer) => Ok(Some(answer)),
            Lookup::Other => Err(KeyReused.into()),
            Lookup::Nothing => Ok(None),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    fingerprint: String,
    answer: Answer,
}

impl IdempotentRequest {
    /// A request with its key. `parts` are the method, the path, the body, and what else decides what is done.
    pub fn new(account: &str, key: IdempotencyKey, parts: &[&[u8]], now: Timestamp) -> Self {
        let kept_until = Some(now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX));
        Self { account: account.to_owned(), key, fingerprint: fingerprint(parts), kept_until }
    }

    /// A form that names the version it changes: its fields are its key, because the same form of the same version can
    /// succeed once.
    pub fn of_form<'a>(
        account: &str,
        path: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
        now: Timestamp,
    ) -> Self {
        let fields: Vec<&[u8]> =
            fields.into_iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]).collect();
        let parts = [&[path.as_bytes()], &fields[..]].concat();
        Self::new(account, IdempotencyKey(format!("form-{}", fingerprint(&parts))), &parts, now)
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
        let entry = Entry { fingerprint: self.fingerprint.clone(), answer: answer.clone().stored() };
        let mut item: Item = to_item(&self.item_key(), &entry)?;
        if let Some(kept_until) = self.kept_until {
            item.insert(TTL.to_owned(), to_attribute(kept_until.as_second())?);
        }
        Ok(write.put_record(LABEL, item))
    }

    /// Adds the entry alone, for a request that changes nothing else. [`Lookup::Nothing`] says that it was not there.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn remember(&self, dynamo: &Dynamo, answer: &Answer) -> Result<Lookup, StoreError> {
        match dynamo.write(self.record(dynamo.guarded_write(), answer)?).await {
            Ok(()) => Ok(Lookup::Nothing),
            Err(WriteError::Refused(refusal)) => self.recall(&refusal),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// What the ledger says to the refusal of that write.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if the entry cannot be read.
    pub fn recall(&self, refusal: &Refusal) -> Result<Lookup, StoreError> {
        self.judge(refusal.item(LABEL).cloned())
    }

    /// What the ledger says, read consistently: for a request that is refused before it writes.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn look_up(&self, dynamo: &Dynamo) -> Result<Lookup, StoreError> {
        self.judge(dynamo.get(&self.item_key()).await?)
    }

    fn item_key(&self) -> Key {
        Key::new(format!("LEDGER#{}#{}", self.account, self.key.0), "LEDGER")
    }

    fn judge(&self, item: Option<Item>) -> Result<Lookup, StoreError> {
        let Some(item) = item.filter(|item| !is_abandoned(item)) else { return Ok(Lookup::Nothing) };
        let entry: Entry = from_item(item)?;
        let same = entry.fingerprint == self.fingerprint;
        Ok(if same { Lookup::Same(entry.answer) } else { Lookup::Other })
    }
}
