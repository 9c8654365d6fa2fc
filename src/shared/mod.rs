//! Code that several features need and no feature owns.

pub mod audit;
pub mod forms;
pub mod pairs;
pub mod search;
pub mod services;
