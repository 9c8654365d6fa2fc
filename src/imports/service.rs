//! The feature as one value: what it depends on. Its methods stand beside, one file for each use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::leads::Leads;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Imports of leads from files.
#[derive(Clone)]
pub struct Imports {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) leads: Leads,
}

impl Imports {
    /// The feature, built of what it needs.
    pub fn new(services: &Services, leads: Leads) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng, leads }
    }
}
