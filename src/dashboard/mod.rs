//! The start page of viewers and agents: the day's numbers, the pipeline, the stock, the fullest caps, and the newest orders.
//! It takes at most five reads, however many records there are. Counts from the stream show their time.

mod http;
mod routes;
mod service;

pub use routes::routes;
pub use service::Dashboard;
