//! Locks that make orders in one process wait for each other if they request the same states.
//!
//! Transactions alone keep orders correct. But if eight orders read the same oldest leads at once, seven of
//! them must read again. Within one process they wait here and run one after another. If a process serves one
//! request at a time, as on Lambda, a [lease](super::lease) does the same for an order that had to read
//! again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::domain::NewOrder;
use crate::base::values::UsState;
use crate::store::Dynamo;

/// The longest wait. After it, an order continues without the locks.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The most leads of an order that takes locks. A larger order needs many transactions and would block the
/// others for long.
const MOST_LEADS: usize = 31;

/// One lock for each state. Clones share the locks.
#[derive(Debug, Clone)]
pub struct StateLocks(Arc<[(UsState, Arc<Mutex<()>>)]>);

impl Default for StateLocks {
    fn default() -> Self {
        Self(UsState::all().map(|state| (state, Arc::default())).collect())
    }
}

/// The locks of an order's states. Dropping them releases them.
pub(super) type Locked = Vec<OwnedMutexGuard<()>>;

impl StateLocks {
    /// Waits until no other order is taking leads of the same states. Returns `None` after a short wait, or
    /// if the order is large.
    pub(super) async fn lock(&self, dynamo: &Dynamo, order: &NewOrder) -> Option<Locked> {
        let states = order.requested_states.as_slice();
        let quantity = usize::try_from(order.quantity_per_state?.get()).unwrap_or(usize::MAX);
        if states.len().saturating_mul(quantity) > MOST_LEADS {
            return None;
        }
        let take = async {
            let mut locked = Locked::new();
            // Every order takes the locks in the same order, so there is no deadlock.
            for (_, lock) in self.0.iter().filter(|(state, _)| states.contains(state)) {
                locked.push(lock.clone().lock_owned().await);
            }
            locked
        };
        match select(pin!(take), pin!(dynamo.sleep(LONGEST_WAIT))).await {
            Either::Left((locked, _)) => Some(locked),
            Either::Right(_) => None,
        }
    }
}
