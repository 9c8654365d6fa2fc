//! Orders: customers' requests for leads, and the caps that they keep.
//!
//! Invariants: a lead is out in at most one order; what is out of a state over all open orders is exactly what its
//! counter says, and no order brings it over the cap; an order takes the oldest free leads of a state (by creation,
//! then id); an order of any size is there with all its leads, or is not there, to every reader.

mod api;
mod caps;
mod close;
mod create;
pub mod domain;
mod error;
pub mod export;
pub mod forms;
pub(crate) mod items;
pub mod list;
mod locks;
pub mod pages;
pub mod period;
mod release;
mod reserve;
pub(crate) mod settle;
mod stock;
pub mod store;
mod turn;
pub mod views;
mod write;

pub use error::OrderError;
pub use locks::StateLocks;

use crate::app::App;
use crate::web::access::Routes;

/// The routes of orders and caps.
pub fn router(app: &App) -> Routes {
    api::routes(app).and(pages::routes(app))
}
