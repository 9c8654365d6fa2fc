//! The service of this feature and its dependencies. Its methods are in one file per use case.

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::inventory::Inventory;
use crate::leads::Leads;
use crate::orders::Orders;
use crate::shared::services::Services;
use crate::store::Dynamo;

/// Commands on orders, leads and products.
#[derive(Clone)]
pub struct Commands {
    pub(super) dynamo: Dynamo,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) leads: Leads,
    pub(super) orders: Orders,
    pub(super) inventory: Inventory,
}

impl Commands {
    /// Creates the service.
    pub fn new(services: &Services, leads: Leads, orders: Orders, inventory: Inventory) -> Self {
        let Services { dynamo, clock, rng, .. } = services.clone();
        Self { dynamo, clock, rng, leads, orders, inventory }
    }
}
