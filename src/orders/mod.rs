//! Orders: customers' requests for leads, and the caps that limit them.
//!
//! Invariants: a lead is in at most one order. The counter of a state is exactly the number of its leads in
//! open orders, and no order raises it above the cap. An order takes the oldest free leads of a state (by
//! creation, then by id). To every reader, an order of any size either exists with all its leads or does not
//! exist.

mod caps;
mod close;
mod create;
pub mod domain;
mod draft;
mod error;
pub mod export;
mod http;
pub(crate) mod items;
mod lease;
pub mod list;
mod locks;
pub mod period;
pub mod reconcile;
mod release;
mod reserve;
mod routes;
mod service;
mod shards;
mod stock;
mod stock_counts;
pub mod store;
mod write;

pub(crate) use self::http::parts::OrderView;
pub use error::OrderError;
pub use locks::StateLocks;
pub use reconcile::{Found, Reconciler};
pub use routes::routes;
pub use service::Orders;
pub use stock_counts::{FreeLeads, StockCounts};
