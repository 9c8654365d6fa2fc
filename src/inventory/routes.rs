//! The routes of this feature, with their access rules.

use super::service::Inventory;
use super::{api, pages};
use crate::web::routes::Routes;

/// Builds the routes of the inventory.
pub fn routes(inventory: Inventory) -> Routes {
    api::routes().and(pages::routes()).with_state(inventory)
}
