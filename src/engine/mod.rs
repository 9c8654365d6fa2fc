//! The embedded engine.
pub mod codec;
pub mod error;
pub mod expression;
pub mod index;
pub mod key;
pub mod number;
pub mod storage;
pub mod tables;
