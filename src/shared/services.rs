//! What features are built of.

use crate::base::blocking::BlockingPool;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::Heartbeats;
use crate::store::Dynamo;

/// The table, and what differs between the places where the application runs. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The table.
    pub dynamo: Dynamo,
    /// The same table, for work that no request waits for.
    pub background: Dynamo,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub rng: Rng,
    /// Where slow work is done.
    pub blocking: BlockingPool,
    /// What the workers of this process report.
    pub heartbeats: Heartbeats,
}
