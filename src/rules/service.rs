//! The service of this feature and its dependencies. Its methods are in one file per use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::commands::Commands;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Rules and their runs.
#[derive(Clone)]
pub struct Rules {
    pub(super) dynamo: Dynamo,
    pub(super) background: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) commands: Commands,
}

impl Rules {
    /// Creates the service.
    pub fn new(services: &Services, commands: Commands) -> Self {
        let Services { dynamo, background, clock, rng, .. } = services.clone();
        Self { dynamo, background, clock, rng, commands }
    }
}
