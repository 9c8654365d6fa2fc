//! The feature as one value with its dependencies. Its methods are in the other files, one for each use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::telemetry::Heartbeats;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Raffles and their tickets.
#[derive(Clone)]
pub struct Raffles {
    pub(super) dynamo: Dynamo,
    pub(super) background: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) heartbeats: Heartbeats,
}

impl Raffles {
    /// Creates the feature from its dependencies.
    pub fn new(services: &Services) -> Self {
        let Services { dynamo, background, clock, rng, heartbeats, .. } = services.clone();
        Self { dynamo, background, clock, rng, heartbeats }
    }
}
