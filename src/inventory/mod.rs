//! Inventory: products whose stock follows from messages, each of which counts once.
//!
//! Invariants: a stock is never below zero; it is the sum of its movements; a message makes one movement or is parked,
//! however often and by whichever ways it comes; messages of one product are applied in the order in which they are given.

mod apply;
pub mod check;
pub mod domain;
mod error;
mod items;
mod parked;
pub mod store;

pub use error::InventoryError;
