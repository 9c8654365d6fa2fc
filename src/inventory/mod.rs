//! Inventory: products whose stock is changed by messages. Each message counts once.
//!
//! Invariants: a stock is never below zero; it is the sum of its movements; a message causes one movement or becomes
//! a dead letter, regardless of how often and through which channels it arrives; messages of one product are applied
//! in the given order.

mod api;
mod apply;
pub mod check;
pub mod domain;
mod error;
pub mod event;
mod find;
mod forms;
pub mod groups;
pub mod health;
pub mod ingest;
mod items;
mod pages;
mod parked;
pub mod retail;
mod routes;
mod search;
mod service;
pub mod store;
mod views;

pub use error::InventoryError;
pub use routes::routes;
pub use service::Inventory;
