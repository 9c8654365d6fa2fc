//! The dependencies of features.

use crate::base::blocking::BlockingPool;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::Heartbeats;
use crate::store::Dynamo;

/// The table, and the services that differ between hosts. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The table.
    pub dynamo: Dynamo,
    /// The same table, for background work.
    pub background: Dynamo,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub rng: Rng,
    /// The pool for slow work.
    pub blocking: BlockingPool,
    /// The progress of this process's workers.
    pub heartbeats: Heartbeats,
}
