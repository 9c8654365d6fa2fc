//! Inventory: products whose stock is changed by messages. Each message counts once.
//!
//! Invariants: a stock is never below zero; it is the sum of its movements; a message causes one movement or becomes
//! a dead letter, regardless of how often and through which channels it arrives; messages of one product are applied
//! in the given order.

mod apply;
pub mod check;
mod dead_letters;
pub mod domain;
mod error;
pub mod groups;
pub mod health;
mod http;
pub mod ingest;
mod items;
pub mod lambda_batch;
pub mod retail;
mod routes;
mod search;
mod service;
pub mod store;

pub use error::InventoryError;
pub use routes::routes;
pub use service::Inventory;
