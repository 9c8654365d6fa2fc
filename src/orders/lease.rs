//! A short lease on the queue of a state, for orders that lost a race.
//!
//! Transactions alone keep orders correct, and any order may try at any time. But if forty orders try to take
//! the same oldest leads, one wins and 39 fail, then one wins and 38 fail, and so on. So an order that lost
//! acquires a lease before it tries again, and the orders run one after another. A lease is short: if its
//! holder dies, the others wait for at most two seconds.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::base::values::UsState;
use crate::leads::items::state_partition;
use crate::orders::Orders;
use crate::store::schema::TTL;
use crate::store::{Condition, GuardedWrite, Key, StoreError, from_item, to_attribute, to_item};

/// The longest time that a lease lasts.
const DURATION: SignedDuration = SignedDuration::from_secs(2);
/// The time after which an abandoned item may expire.
const RETENTION: SignedDuration = SignedDuration::from_hours(1);

/// A lease that was acquired.
pub(super) struct Lease(Key);

#[derive(Serialize, Deserialize)]
struct LeaseItem {
    holder: String,
    until: Timestamp,
}

impl Lease {
    /// Waits for the lease on a state's queue. Returns `None` if it was not available in time.
    pub(super) async fn acquire(orders: &Orders, state: UsState) -> Result<Option<Self>, StoreError> {
        let key = Key::new(state_partition(state), "TURN");
        let mut retries = orders.dynamo.retries();
        loop {
            let now = orders.clock.now();
            let current = orders.dynamo.get(&key).await?.map(from_item::<LeaseItem>).transpose()?;
            let condition = match current {
                None => Some(Condition::Absent),
                Some(current) if current.until <= now => Some(Condition::is("holder", current.holder)),
                Some(_) => None,
            };
            if let Some(condition) = condition
                && Self::put(orders, &key, now, condition).await?
            {
                return Ok(Some(Self(key)));
            }
            if retries.backoff().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn put(
        orders: &Orders,
        key: &Key,
        now: Timestamp,
        condition: Condition,
    ) -> Result<bool, StoreError> {
        let until = now.saturating_add(DURATION).unwrap_or(Timestamp::MAX);
        let mut item = to_item(key, &LeaseItem { holder: orders.rng.uuid().to_string(), until })?;
        let expiry = now.saturating_add(RETENTION).unwrap_or(Timestamp::MAX);
        item.insert(TTL.to_owned(), to_attribute(expiry.as_second())?);
        orders.dynamo.try_write(orders.dynamo.guarded_write().put("lease", item, condition)).await
    }

    /// Releases the lease as part of a write. If the lease has expired, this may delete another holder's
    /// lease. Then one more order tries at the same time, which is harmless.
    pub(super) fn release_in(&self, write: GuardedWrite) -> GuardedWrite {
        write.delete_derived("lease", &self.0)
    }

    /// Releases the lease without another write.
    pub(super) async fn release(&self, orders: &Orders) -> Result<(), StoreError> {
        orders.dynamo.try_write(self.release_in(orders.dynamo.guarded_write())).await.map(drop)
    }
}
