//! The orders feature and its dependencies. Its methods are in the other files, one file per use case.

use std::sync::Arc;

use super::locks::StateLocks;
use super::reconcile::Reconciler;
use super::stock_counts::StockCounts;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::leads::Leads;
use crate::shared::audit::{AuditStamp, Author};
use crate::shared::services::Services;
use crate::store::Dynamo;

/// The feature of orders and caps.
#[derive(Clone)]
pub struct Orders {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) leads: Leads,
    pub(super) stock_counts: Arc<dyn StockCounts>,
    pub(super) reconciler: Reconciler,
    pub(super) state_locks: Option<StateLocks>,
}

impl Orders {
    /// Creates the feature from its dependencies.
    pub fn new(
        services: &Services,
        leads: Leads,
        stock_counts: Arc<dyn StockCounts>,
        reconciler: Reconciler,
        state_locks: Option<StateLocks>,
    ) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng, leads, stock_counts, reconciler, state_locks }
    }

    /// Returns the reconciler, which completes or aborts large orders.
    pub fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// Returns who makes a change, why, and the current time.
    pub(super) fn stamp(&self, by: &Author) -> AuditStamp {
        AuditStamp { at: self.clock.now(), actor: by.actor.clone(), cause: by.cause.clone() }
    }
}
