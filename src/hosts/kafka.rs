//! A consumer of a Kafka topic: applies messages about stock, as a member of a consumer group.
//!
//! Invariants:
//! - An offset is committed only once every message before it is applied, a dead letter, or a known duplicate.
//! - A message that the store could not finish is retried, and no later message of its product overtakes it.
//! - Work that a killed consumer has done twice counts once, because each message has an idempotency record.

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
pub use consumer::{ConsumeError, ConsumerProgress};
#[cfg(feature = "kafka")]
pub use driver::consume;
pub use settings::{Options, Setting};
