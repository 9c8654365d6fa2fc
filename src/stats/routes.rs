//! The routes of this feature, with their access rules.

use super::http::{self, StatisticsApi};
use super::service::Statistics;
use crate::orders::Orders;
use crate::web::routes::Routes;

/// Builds the routes of the statistics. They show the caps of `orders` too.
pub fn routes(statistics: Statistics, orders: Orders) -> Routes {
    http::routes().with_state(StatisticsApi { statistics, orders })
}
