//! The feature and its dependencies. Its methods are in the other files, one for each use case.

use crate::accounts::Accounts;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// The audit log.
#[derive(Clone)]
pub struct Audit {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) accounts: Accounts,
}

impl Audit {
    /// Creates the feature from its dependencies.
    pub fn new(services: &Services, accounts: Accounts) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng, accounts }
    }
}
