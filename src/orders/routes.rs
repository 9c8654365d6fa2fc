//! All routes of orders and caps, with their access.

use super::http::{self, api};
use super::service::Orders;
use crate::web::routes::Routes;

/// Returns the routes of orders and caps.
pub fn routes(orders: Orders) -> Routes {
    api::routes().and(http::routes()).with_state(orders)
}
