//! The service of this feature and its dependencies. Its methods are in one file per use case.

use crate::base::clock::Clock;
use crate::leads::Leads;
use crate::orders::Orders;
use crate::raffles::Raffles;
use crate::shared::services::Services;
use crate::stats::Statistics;

/// The start page.
#[derive(Clone)]
pub struct Dashboard {
    pub(super) clock: Clock,
    pub(super) leads: Leads,
    pub(super) statistics: Statistics,
    pub(super) orders: Orders,
    pub(super) raffles: Raffles,
}

impl Dashboard {
    /// Creates the service.
    pub fn new(
        services: &Services,
        leads: Leads,
        statistics: Statistics,
        orders: Orders,
        raffles: Raffles,
    ) -> Self {
        let Services { clock, .. } = services.clone();
        Self { clock, leads, statistics, orders, raffles }
    }
}
