//! The imports feature and its dependencies. Its methods are in the other files, one file per use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::leads::Leads;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// The feature of imports.
#[derive(Clone)]
pub struct Imports {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) leads: Leads,
}

impl Imports {
    /// Creates the feature from its dependencies.
    pub fn new(services: &Services, leads: Leads) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng, leads }
    }
}
