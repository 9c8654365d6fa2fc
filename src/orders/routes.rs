//! All routes of orders and caps, with their access.

use super::service::Orders;
use super::{api, pages};
use crate::web::routes::Routes;

/// Returns the routes of orders and caps.
pub fn routes(orders: Orders) -> Routes {
    api::routes().and(pages::routes()).with_state(orders)
}
