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
mod draft;
mod error;
pub mod export;
pub mod forms;
pub(crate) mod items;
mod lease;
pub mod list;
mod locks;
pub mod pages;
pub mod period;
pub mod reconcile;
mod release;
mod reserve;
mod routes;
mod service;
mod stock;
pub mod store;
pub mod views;
mod write;

pub use error::OrderError;
pub use locks::StateLocks;
pub use reconcile::{Found, Reconciler};
pub use routes::routes;
pub use service::Orders;
