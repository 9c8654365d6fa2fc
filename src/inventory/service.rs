//! The feature as one value: what it depends on. Its methods stand beside, one file for each use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Products, their movements, and messages that could not be applied.
#[derive(Clone)]
pub struct Inventory {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
}

impl Inventory {
    /// The feature, built of what it needs.
    pub fn new(services: &Services) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng }
    }
}
