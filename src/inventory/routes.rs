//! Every route of this feature, with who may use it.

use super::service::Inventory;
use super::{api, pages};
use crate::web::routes::Routes;

/// The routes of the inventory.
pub fn routes(inventory: Inventory) -> Routes {
    api::routes().and(pages::routes()).with_state(inventory)
}
