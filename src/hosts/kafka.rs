//! A consumer of a Kafka topic: messages about stock into movements, under a real consumer group.
//!
//! What always holds: an offset is committed only once every message before it is applied, parked, or known from before; a
//! message that the store could not finish is tried again and passed by none of its product; what a killed consumer has
//! done twice counts once, for each message is remembered where it is applied.

#[cfg(feature = "kafka")]
mod consumer;
#[cfg(feature = "kafka")]
mod context;
#[cfg(feature = "kafka")]
mod driver;
#[cfg(feature = "kafka")]
mod notices;
mod settings;
#[cfg(feature = "kafka")]
mod workers;

#[cfg(feature = "kafka")]
pub use consumer::{ConsumeError, Tally};
#[cfg(feature = "kafka")]
pub use driver::consume;
pub use settings::{Options, Setting};
