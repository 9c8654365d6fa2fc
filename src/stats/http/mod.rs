//! The JSON API of the statistics. The start page shows them to people.

mod api;

use crate::orders::Orders;
use crate::stats::Statistics;
use crate::web::routes::Routes;

/// The statistics, and the orders whose caps are shown beside them.
#[derive(Clone)]
pub(super) struct StatisticsApi {
    pub statistics: Statistics,
    pub orders: Orders,
}

/// Returns the routes.
pub(super) fn routes() -> Routes<StatisticsApi> {
    api::routes()
}
