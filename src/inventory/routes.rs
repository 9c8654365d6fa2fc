//! The routes of this feature, with their access rules.

use super::http::{self, api};
use super::service::Inventory;
use crate::web::routes::Routes;

/// Builds the routes of the inventory.
pub fn routes(inventory: Inventory) -> Routes {
    api::routes().and(http::routes()).with_state(inventory)
}
