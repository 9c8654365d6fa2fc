//! The feature's struct, which holds its dependencies. Its methods are in the other files, one for each use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::Heartbeats;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Reads, updates and recounts the statistics.
#[derive(Clone)]
pub struct Statistics {
    pub(super) dynamo: Dynamo,
    pub(super) background: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) heartbeats: Heartbeats,
}

impl Statistics {
    /// Creates the feature from the shared services.
    pub fn new(services: &Services) -> Self {
        let Services { dynamo, background, clock, rng, heartbeats, .. } = services.clone();
        Self { dynamo, background, clock, rng, heartbeats }
    }
}
