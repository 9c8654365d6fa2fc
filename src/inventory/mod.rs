//! Inventory: products whose stock follows from messages, each of which counts once.
//!
//! Invariants: a stock is never below zero; it is the sum of its movements; a message makes one movement or is parked,
//! however often and by whichever ways it comes; messages of one product are applied in the order in which they are given.

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
