//! The pages of the inventory.

pub(super) mod api;
mod consumers;
mod content;
mod dead_letters;
pub(super) mod form;
mod list;
mod parts;
mod product;
mod trend;

use crate::inventory::Inventory;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Inventory> {
    list::routes().and(consumers::routes()).and(dead_letters::routes()).and(product::routes())
}
