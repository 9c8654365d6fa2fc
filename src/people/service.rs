//! The feature's struct, which holds its dependencies.

use crate::accounts::Accounts;
use crate::base::rng::Rng;
use crate::leads::Leads;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Administers people.
#[derive(Clone)]
pub struct People {
    pub(super) dynamo: Dynamo,
    pub(super) rng: Rng,
    pub(super) accounts: Accounts,
    pub(super) leads: Leads,
}

impl People {
    /// Creates the feature from its dependencies.
    pub fn new(services: &Services, accounts: Accounts, leads: Leads) -> Self {
        let Services { dynamo, rng, .. } = services.clone();
        Self { dynamo, rng, accounts, leads }
    }
}
