//! Leads: people who may buy.
//!
//! Invariants: an e-mail address belongs to one lead; a lead's version grows by one with every accepted change, and
//! each version has its history entry; CONVERTED is entered only with a score of 80 or more, keeps it, and is left
//! only by an administrator's reopening; a lead that is out in an order is not deleted. All of it is decided inside
//! the transaction that makes the change.

pub mod api;
mod change;
pub mod domain;
mod error;
pub mod forms;
pub(crate) mod items;
pub mod list;
pub mod merge;
pub mod pages;
mod reserved;
mod routes;
pub mod search;
mod service;
pub mod snapshots;
pub mod store;
pub mod views;

pub use error::{Conflict, LeadError};
pub use items::{Filter, Sort};
pub use routes::routes;
pub use service::Leads;
