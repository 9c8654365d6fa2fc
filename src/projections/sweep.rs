//! The periodic work that no request and no change of the table starts.
//!
//! Invariants: a step that fails blocks no other step, and the next sweep tries it again.

use crate::base::telemetry::SweepFailures;
use crate::orders::reconcile::ReconcileError;
use crate::projections::Projections;
use crate::store::StoreError;

/// Why a sweep did not do everything. It is safe to sweep again.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Some steps failed. The sweep ran to its end and did all other steps.
    #[error("steps failed (large orders: {}, rules: {}, runs: {}): {last}", .failures.orders, .failures.rules, .failures.runs)]
    Steps {
        /// How many steps failed.
        failures: SweepFailures,
        /// The last error.
        #[source]
        last: StoreError,
    },
    /// The sweep could not read what there is to do.
    #[error(transparent)]
    Interrupted(#[from] StoreError),
}

impl Projections {
    /// Runs the periodic work, every half minute: recovers large orders that were interrupted, retries failed runs,
    /// and runs the rules that are due. A failure does not block the rest.
    ///
    /// # Errors
    /// [`SweepError`].
    pub async fn sweep(&self) -> Result<(), SweepError> {
        let (orders, reconciled) = match self.orders.reconciler().reconcile_all().await {
            Ok(_) => (0, Ok(None)),
            Err(ReconcileError::Orders { failed, last }) => (failed, Ok(Some(last))),
            Err(ReconcileError::Pending(error)) => (0, Err(error)),
        };
        let rules = match self.rules.all().await {
            Ok(rules) => rules,
            Err(error) => return Err(reconciled.err().unwrap_or(error).into()),
        };
        let fired = self.rules.fire_due(&rules).await;
        let retried = self.rules.retry_due(&rules).await;
        let (reconciled, retried) = (reconciled?, retried?);
        let failures = SweepFailures { orders, rules: fired.count, runs: retried.count };
        match retried.last.or(fired.last).or(reconciled) {
            Some(last) => Err(SweepError::Steps { failures, last }),
            None => Ok(()),
        }
    }
}
