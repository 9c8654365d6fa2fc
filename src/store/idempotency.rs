//! Idempotency records: the answer for an idempotency key, written in the same transaction as the effect.
//!
//! Invariants: a record with an answer exists if and only if the effect happened. A request is one transaction, so no
//! request is ever found "still running". Of two concurrent requests with the same key, one writes. The other fails on
//! the condition of the record and returns the stored answer. The record of a one-time action never expires. A record
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

const LABEL: &str = "idempotency record";
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
            Err(Invalid::new("An Idempotency-Key must have 1 to 200 visible ASCII characters."))
        }
    }
}

/// A request that must take effect once: its account, its key, and a fingerprint of its content.
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    account: String,
    key: IdempotencyKey,
    fingerprint: String,
    /// When its record expires; `None` if never.
    kept_until: Option<Timestamp>,
}

/// A change that was made now, or the stored answer of the same request.
#[derive(Debug)]
pub enum Done<T> {
    /// The change was made now.
    Now(T),
    /// The same request made the change before, and this is its answer.
    Replayed(Answer),
}

impl<T> Done<T> {
    /// Returns the result of a change that was made now. A request without a key always makes its change now.
    pub fn now(self) -> Option<T> {
        match self {
            Self::Now(made) => Some(made),
            Self::Replayed(_) => None,
        }
    }

    /// Returns the answer to the request: the stored one, or the one that `answer` creates from the change.
    pub fn answer(self, answer: impl Fn(&T) -> Answer) -> Answer {
        match self {
            Self::Now(made) => answer(&made),
            Self::Replayed(answer) => answer,
        }
    }
}

/// The result of looking up an idempotency record.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// There is no record for the key, so the key did not cause the refusal.
    Nothing,
    /// The same request was answered before, with this answer.
    Same(Answer),
    /// The key was used for another request.
    Other,
}

/// The idempotency key belongs to another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key belongs to another request")]
pub struct KeyReused;

/// Returns the stored answer of the same request, if there is one.
///
/// # Errors
/// [`KeyReused`] if the key was used for another request.
pub fn replayed_answer(lookup: Lookup) -> Result<Option<Answer>, KeyReused> {
    match lookup {
        Lookup::Same(answer) => Ok(Some(answer)),
        Lookup::Other => Err(KeyReused),
        Lookup::Nothing => Ok(None),
    }
}

/// A request that must take effect once, with a function that creates its answer.
pub struct Idempotency<'a, T> {
    /// The request.
    pub request: IdempotentRequest,
    /// Creates the answer from the result of the change.
    pub answer: &'a (dyn Fn(&T) -> Answer + Send + Sync),
}

impl<T> Idempotency<'_, T> {
    /// Adds the idempotency record to the write, if there is one. `made` is the result of the change.
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

    /// Returns what the idempotency record says about the refusal of that write.
    ///
    /// # Errors
    /// As [`IdempotentRequest::lookup_in`].
    pub fn lookup_in(idempotency: Option<&Self>, refusal: &Refusal) -> Result<Lookup, StoreError> {
        idempotency.map_or(Ok(Lookup::Nothing), |idempotency| idempotency.request.lookup_in(refusal))
    }

    /// Looks up the idempotency record with a consistent read, for a request that is refused before it writes.
    ///
    /// # Errors
    /// As [`IdempotentRequest::look_up`].
    pub async fn look_up(idempotency: Option<&Self>, dynamo: &Dynamo) -> Result<Lookup, StoreError> {
        match idempotency {
            Some(idempotency) => idempotency.request.look_up(dynamo).await,
            None => Ok(Lookup::Nothing),
        }
    }

    /// Makes the change of a request, or returns the stored answer of the same request. The change must add the
    /// [record](Self::record) to its write. If the change fails because the same request succeeded at the same time,
    /// this returns the stored answer too.
    ///
    /// # Errors
    /// The errors of the change, [`KeyReused`], and [`StoreError`] if the store failed.
    pub async fn run<E: From<KeyReused> + From<StoreError>>(
        idempotency: Option<&Self>,
        dynamo: &Dynamo,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<Done<T>, E> {
        if let Some(answer) = Self::stored::<E>(idempotency, dynamo).await? {
            return Ok(Done::Replayed(answer));
        }
        match change.await {
            Ok(made) => Ok(Done::Now(made)),
            Err(error) => match Self::stored::<E>(idempotency, dynamo).await {
                Ok(Some(answer)) => Ok(Done::Replayed(answer)),
                _ => Err(error),
            },
        }
    }

    async fn stored<E: From<KeyReused> + From<StoreError>>(
        idempotency: Option<&Self>,
        dynamo: &Dynamo,
    ) -> Result<Option<Answer>, E> {
        Ok(replayed_answer(Self::look_up(idempotency, dynamo).await?)?)
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    fingerprint: String,
    answer: Answer,
}

impl IdempotentRequest {
    /// Creates a request with its key. `parts` are the method, the path, the body, and everything else that
    /// determines the effect.
    pub fn new(account: &str, key: IdempotencyKey, parts: &[&[u8]], now: Timestamp) -> Self {
        let (account, fingerprint) = (account.to_owned(), fingerprint(parts));
        Self { account, key, fingerprint, kept_until: None }.for_a_while(now)
    }

    /// Creates the request of a form that names the version it changes. The form's fields are the key, because the
    /// same form for the same version can succeed only once.
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

    /// Creates a request that takes effect only once, regardless of who makes it. Its record never expires. `scope`
    /// must not be an account's id.
    pub fn forever(scope: &str, key: &str, parts: &[&[u8]]) -> Self {
        let key = IdempotencyKey(key.to_owned());
        Self { account: scope.to_owned(), key, fingerprint: fingerprint(parts), kept_until: None }
    }

    /// Lets the record expire like those of other requests.
    pub fn for_a_while(self, now: Timestamp) -> Self {
        Self { kept_until: Some(now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX)), ..self }
    }

    /// Returns a part of the request, which has its own record.
    pub fn part(&self, number: usize) -> Self {
        Self { key: IdempotencyKey(format!("{}/{number}", self.key.0)), ..self.clone() }
    }

    /// Adds the record to the write that has the effect.
    ///
    /// # Errors
    /// [`StoreError::Malformed`], but not in practice, because the answer is text.
    pub fn record(&self, write: GuardedWrite, answer: &Answer) -> Result<GuardedWrite, StoreError> {
        let record = Record { fingerprint: self.fingerprint.clone(), answer: answer.clone().stored() };
        let mut item: Item = to_item(&self.item_key(), &record)?;
        if let Some(kept_until) = self.kept_until {
            item.insert(TTL.to_owned(), to_attribute(kept_until.as_second())?);
        }
        Ok(write.put_record(LABEL, item))
    }

    /// Writes the record alone, for a request that changes nothing else. [`Lookup::Nothing`] means that it was
    /// written now.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn save(&self, dynamo: &Dynamo, answer: &Answer) -> Result<Lookup, StoreError> {
        match dynamo.write(self.record(dynamo.guarded_write(), answer)?).await {
            Ok(()) => Ok(Lookup::Nothing),
            Err(WriteError::Refused(refusal)) => self.lookup_in(&refusal),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Returns what the record says about the refusal of that write.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if the record cannot be read.
    pub fn lookup_in(&self, refusal: &Refusal) -> Result<Lookup, StoreError> {
        self.lookup_of(refusal.item(LABEL).cloned())
    }

    /// Looks up the record with a consistent read, for a request that is refused before it writes.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn look_up(&self, dynamo: &Dynamo) -> Result<Lookup, StoreError> {
        self.lookup_of(dynamo.get(&self.item_key()).await?)
    }

    fn item_key(&self) -> Key {
        Key::new(format!("LEDGER#{}#{}", self.account, self.key.0), "LEDGER")
    }

    fn lookup_of(&self, item: Option<Item>) -> Result<Lookup, StoreError> {
        let Some(item) = item.filter(|item| !is_abandoned(item)) else { return Ok(Lookup::Nothing) };
        let record: Record = from_item(item)?;
        let same = record.fingerprint == self.fingerprint;
        Ok(if same { Lookup::Same(record.answer) } else { Lookup::Other })
    }
}
