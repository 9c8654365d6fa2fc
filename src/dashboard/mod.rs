//! The start page of agents: the day's numbers, the pipeline, the stock, what is out against its cap, and the newest
//! orders. Five reads at most, whatever the desk holds; what the stream counted says which time it stands for.

mod page;
mod routes;
mod service;
mod views;

pub use routes::routes;
pub use service::Dashboard;
