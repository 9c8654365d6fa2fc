//! The feature's struct, which holds its dependencies. Its methods are in the other files, one for each use case.

use super::former_words::FormerWords;
use super::snapshots::Snapshots;
use crate::accounts::Accounts;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::reservations::Reconcile;
use crate::shared::services::Services;
use crate::store::Dynamo;
use std::sync::Arc;

/// Changes, lists and searches leads.
#[derive(Clone)]
pub struct Leads {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) accounts: Accounts,
    pub(super) snapshots: Snapshots,
    pub(super) former_words: FormerWords,
    pub(super) reconciler: Arc<dyn Reconcile>,
}

impl Leads {
    /// Creates the feature from its dependencies.
    pub fn new(
        services: &Services,
        accounts: Accounts,
        (snapshots, former_words): (Snapshots, FormerWords),
        reconciler: Arc<dyn Reconcile>,
    ) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng, accounts, snapshots, former_words, reconciler }
    }
}
