//! What the table's stream of changes brings about: statistics, what lists show, the runs of rules, and dead letters.

pub mod consume;
pub mod dead_letters;
mod routes;
mod service;

pub use routes::routes;
pub use service::Projections;
