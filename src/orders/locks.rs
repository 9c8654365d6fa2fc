//! Orders in one process that want the same states wait for each other.
//!
//! Transactions alone keep orders correct. But when eight orders read the same oldest leads at once, seven of them must
//! read again. Within one process they wait here instead, one after another. Where a process serves one request at a time,
//! as on Lambda, a [turn](super::lease) does the same for an order that had to read again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::domain::NewOrder;
use crate::base::values::UsState;
use crate::store::Dynamo;

/// After this wait an order goes on without the locks.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Larger orders take many transactions, and would hold up the others for long.
const MOST_LEADS: usize = 31;

/// One lock for each state. Clones share the locks.
#[derive(Debug, Clone)]
pub struct StateLocks(Arc<[(UsState, Arc<Mutex<()>>)]>);

impl Default for StateLocks {
    fn default() -> Self {
        Self(UsState::all().map(|state| (state, Arc::default())).collect())
    }
}

/// The locks of an order's states, released on drop.
pub(super) type Locked = Vec<OwnedMutexGuard<()>>;

impl StateLocks {
    /// Waits until no order before this one is taking leads of its states, but not for long.
    pub(super) async fn lock(&self, dynamo: &Dynamo, order: &NewOrder) -> Option<Locked> {
        let states = order.requested_states.as_slice();
        let quantity = usize::try_from(order.quantity_per_state?.get()).unwrap_or(usize::MAX);
        if states.len().saturating_mul(quantity) > MOST_LEADS {
            return None;
        }
        let take = async {
            let mut locked = Locked::new();
            // All take them in the order of the codes, so that no two wait for each other.
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
