//! The effects of the table's stream: statistics, data for lists, the runs of rules, and dead letters.

pub mod consume;
pub mod dead_letters;
mod http;
mod routes;
mod service;
pub mod sweep;

pub use routes::routes;
pub use service::Projections;
