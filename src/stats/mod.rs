//! Statistics: counts of leads and orders, projected from the table's stream and slightly late.
//!
//! Invariants: an item next to each lead or order says what was counted for it last, and at which revision. One
//! transaction writes this item and the counters. Each change therefore counts once, regardless of how often and in
//! which order the stream delivers it, and the counters equal the sum over these items. The revision comes from the
//! record itself, so counting continues after a restore from a backup, when the table has a new stream.

mod count;
mod domain;
mod error;
mod http;
mod items;
mod legacy;
mod projection;
mod read;
mod recount;
mod routes;
mod service;
mod stream_record;

pub use count::ProjectionError;
pub use domain::{Day, StateCount, Stats, StatusCount, StockCount};
pub use error::StatisticsError;
pub use items::{StateCounts, is_stats};
pub use legacy::is_legacy;
pub use recount::{RecountError, Recounted};
pub use routes::routes;
pub use service::Statistics;
