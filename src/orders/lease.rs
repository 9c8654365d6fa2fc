//! Turns at the queue of a state, for orders that were overtaken.
//!
//! Any order may try at any time, and what keeps orders right is their transactions alone. But of forty that try for the
//! same oldest leads one wins and 39 have tried in vain, and so on with 38. So whoever was overtaken takes a turn before
//! the next try, and a crowd passes one by one. A turn is short: whoever dies with it holds the others up for two seconds.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::base::values::UsState;
use crate::leads::items::state_partition;
use crate::orders::Orders;
use crate::store::schema::TTL;
use crate::store::{Condition, GuardedWrite, Key, StoreError, WriteError, from_item, to_attribute, to_item};

/// How long a turn lasts at the most.
const LENGTH: SignedDuration = SignedDuration::from_secs(2);
/// When an item that nobody took away may be dropped.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A turn that was taken.
pub(super) struct Lease(Key);

#[derive(Serialize, Deserialize)]
struct LeaseItem {
    holder: String,
    until: Timestamp,
}

impl Lease {
    /// Waits for a turn at a state's queue; nothing if none came in time.
    pub(super) async fn take(orders: &Orders, state: UsState) -> Result<Option<Self>, StoreError> {
        let key = Key::new(state_partition(state), "TURN");
        let mut retries = orders.dynamo.retries();
        loop {
            let now = orders.clock.now();
            let held = orders.dynamo.get(&key).await?.map(from_item::<LeaseItem>).transpose()?;
            let free = match held {
                None => Some(Condition::Absent),
                Some(held) if held.until <= now => Some(Condition::is("holder", held.holder)),
                Some(_) => None,
            };
            if let Some(free) = free
                && Self::put(orders, &key, now, free).await?
            {
                return Ok(Some(Self(key)));
            }
            if retries.backoff().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn put(orders: &Orders, key: &Key, now: Timestamp, free: Condition) -> Result<bool, StoreError> {
        let until = now.saturating_add(LENGTH).unwrap_or(Timestamp::MAX);
        let mut item = to_item(key, &LeaseItem { holder: orders.rng.uuid().to_string(), until })?;
        let expiry = now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX);
        item.insert(TTL.to_owned(), to_attribute(expiry.as_second())?);
        match orders.dynamo.write(orders.dynamo.guarded_write().put("turn", item, free)).await {
            Ok(()) => Ok(true),
            Err(WriteError::Refused(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Gives the turn to the next one with a write. If it lasted too long, this may be another's: then one more tries
    /// beside them, which does no harm.
    pub(super) fn pass(&self, write: GuardedWrite) -> GuardedWrite {
        write.delete_derived("turn", &self.0)
    }

    /// Gives the turn to the next one without a write.
    pub(super) async fn leave(&self, orders: &Orders) -> Result<(), StoreError> {
        match orders.dynamo.write(self.pass(orders.dynamo.guarded_write())).await {
            Ok(()) | Err(WriteError::Refused(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
