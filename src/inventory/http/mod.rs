//! The pages of the inventory.

pub(super) mod api;
mod consumers;
pub(super) mod form;
mod list;
mod parked;
mod parts;
mod product;
mod spark;

use crate::inventory::Inventory;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Inventory> {
    list::routes().and(consumers::routes()).and(parked::routes()).and(product::routes())
}
