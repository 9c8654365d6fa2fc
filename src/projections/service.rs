//! The service of this feature and its dependencies. Its methods are in one file per use case.

use crate::base::clock::Clock;
use crate::leads::Leads;
use crate::orders::Orders;
use crate::raffles::Raffles;
use crate::rules::Rules;
use crate::shared::services::Services;
use crate::stats::Statistics;
use crate::store::Dynamo;

/// The effects of the table's stream.
#[derive(Clone)]
pub struct Projections {
    pub(super) dynamo: Dynamo,
    pub(super) background: Dynamo,
    pub(super) clock: Clock,
    pub(super) statistics: Statistics,
    pub(super) leads: Leads,
    pub(super) orders: Orders,
    pub(super) raffles: Raffles,
    pub(super) rules: Rules,
}

impl Projections {
    /// Creates the service.
    pub fn new(
        services: &Services,
        statistics: Statistics,
        leads: Leads,
        orders: Orders,
        raffles: Raffles,
        rules: Rules,
    ) -> Self {
        let Services { dynamo, background, clock, .. } = services.clone();
        Self { dynamo, background, clock, statistics, leads, orders, raffles, rules }
    }
}
