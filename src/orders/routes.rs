//! Every route of this feature, with who may use it.

use super::service::Orders;
use super::{api, pages};
use crate::web::routes::Routes;

/// The routes of orders and caps.
pub fn routes(orders: Orders) -> Routes {
    api::routes().and(pages::routes()).with_state(orders)
}
