//! The feature as one value: what it depends on. Its methods stand beside, one file for each use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::Heartbeats;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Counts over all leads and orders.
#[derive(Clone)]
pub struct Statistics {
    pub(super) dynamo: Dynamo,
    pub(super) background: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) heartbeats: Heartbeats,
}

impl Statistics {
    /// The feature, built of what it needs.
    pub fn new(services: &Services) -> Self {
        let Services { dynamo, background, clock, rng, heartbeats, .. } = services.clone();
        Self { dynamo, background, clock, rng, heartbeats }
    }
}
