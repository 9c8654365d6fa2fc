//! The feature as one value with its dependencies. Its methods are in the other files, one for each use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Products, their movements, and dead letters.
#[derive(Clone)]
pub struct Inventory {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
}

impl Inventory {
    /// Creates the feature from its dependencies.
    pub fn new(services: &Services) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng }
    }
}
