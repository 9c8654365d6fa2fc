//! Building blocks for all other modules: values, ids, the calendar, identity, the clock, randomness, telemetry.

pub mod blocking;
pub mod calendar;
pub mod clock;
pub mod display_zone;
pub mod fields;
pub mod identity;
pub mod rng;
pub mod secrets;
pub mod telemetry;
pub mod text;
pub mod values;
