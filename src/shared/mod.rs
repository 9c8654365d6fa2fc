//! Code that several features need and no feature owns.

pub mod api;
pub mod audit;
pub mod audit_log;
pub mod charts;
pub mod cursors;
pub mod dead_letters;
pub mod exports;
pub mod forms;
pub mod idempotency;
pub mod numbers;
pub mod pages;
pub mod problems;
pub mod search;
pub mod services;
pub mod shortened;
pub mod submission;
pub mod values;
pub mod writes;
