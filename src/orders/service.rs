//! The feature as one value: what it depends on. Its methods stand beside, one file for each use case.

use super::locks::StateLocks;
use super::reconcile::Reconciler;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::leads::Leads;
use crate::shared::audit::{AuditStamp, Author};
use crate::shared::services::Services;
use crate::stats::Statistics;
use crate::store::Dynamo;

/// Orders and caps.
#[derive(Clone)]
pub struct Orders {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) leads: Leads,
    pub(super) statistics: Statistics,
    pub(super) reconciler: Reconciler,
    pub(super) state_locks: Option<StateLocks>,
}

impl Orders {
    /// The feature, built of what it needs.
    pub fn new(
        services: &Services,
        leads: Leads,
        statistics: Statistics,
        reconciler: Reconciler,
        state_locks: Option<StateLocks>,
    ) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng, leads, statistics, reconciler, state_locks }
    }

    /// What completes or aborts large orders.
    pub fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// Who and when, of a change that is made now.
    pub(super) fn stamp(&self, by: &Author) -> AuditStamp {
        AuditStamp { at: self.clock.now(), actor: by.actor.clone(), cause: by.cause.clone() }
    }
}
